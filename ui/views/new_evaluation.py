"""What the form of a new evaluation reads and writes: its question file, its settings, and a sweep of settings.

It knows no widgets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets import Dataset, load_dataset
from eval.errors import EvalError, SweepError
from eval.squad_download import OFFICIAL
from eval.sweep import Sweep, parse_sweep
from indexes.system import atomic_write
from rag.config import Resolved, load_config
from rag.errors import UsageError
from rag.factory import made_with
from ui.jobs.evaluations import Request

__all__ = [
    "FEEDBACK",
    "Questions",
    "keep_sweep",
    "keep_upload",
    "look",
    "refuse_owners",
    "refuse_unfit",
    "setting_lines",
    "sweep_of",
]

_SETTABLE = (
    "retrieval.", "chunking.", "index.", "prompt.", "citations.", "answers.", "embedding.query_prefix",
    "embedding.passage_prefix", "generator.type",
)  # fmt: skip
_OWNERS = frozenset({"retrieval.cross_encoder", "index.dense.gpu"})
FEEDBACK = "feedback.json"  # what thumbs-down on the chat page makes, in SQuAD's format


@dataclass(frozen=True)
class Questions:
    """A question file that was read: how many questions, and whether it brings its own paragraphs."""

    path: str
    questions: int
    unanswerable: int
    has_paragraphs: bool

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which these questions can be asked: without paragraphs there is no gold one."""
        return ("open", "gold", "closed-book") if self.has_paragraphs else ("open", "closed-book")


def keep_upload(folder: Path, name: str, content: bytes) -> Path:
    """Write an uploaded file under its digest and a harmless form of its name; return the path.

    Raises :class:`~eval.errors.EvalError` for another kind of file, and ``OSError``.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in (".json", ".jsonl"):
        raise EvalError(f"{name} is no question file", "upload a .json file of SQuAD's shape or a .jsonl file")
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-.")[:60] or "questions"
    path = folder / hashlib.sha256(content).hexdigest()[:12] / f"{stem}{suffix}"
    if not path.is_file() or path.stat().st_size != len(content):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(path, content)
    return path


def look(path: str) -> Questions:
    """Read a question file. Raises :class:`~eval.errors.EvalError` that says what is wrong and where."""
    if path in OFFICIAL:  # fetched by the evaluation's own process, if it is not in the cache
        return Questions(path, 0, 0, True)
    dataset: Dataset = load_dataset(path)
    unanswerable = sum(not question.answers for question in dataset.questions)
    return Questions(path, len(dataset.questions), unanswerable, bool(dataset.paragraphs))


def setting_lines(text: str, config: str, before: tuple[str, ...]) -> tuple[str, ...]:
    """Return the assignments of a text, one a line, behind those the page was started with.

    Raises :class:`~rag.errors.UsageError` for what is no setting, or none that a page may set.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    refuse_owners(lines)
    assignments = (*before, *lines)
    load_config(config, assignments)
    return assignments


def refuse_owners(assignments: Sequence[str]) -> None:
    """Raise :class:`~rag.errors.UsageError` for a setting that only the owner of the page's configuration may set.

    Addresses, names of environment variables, models and limits of processes are the owner's. Another could send the
    server's secrets to an address of their choice, or read its files.
    """
    for key, value, origin in load_config(settings=assignments).rows():
        sends = key == "generator.type" and value == "openai"
        if origin == "--set" and (sends or key in _OWNERS or not key.startswith(_SETTABLE)):
            what = f"{key}={value}" if sends else key
            raise UsageError(f"{what} cannot be set on a page", "set it when `rag ui` is started: --config or --set")


def sweep_of(request: Request, text: str) -> Sweep:
    """Return the sweep of ``grid`` and ``points`` in a text, over what the request asks; every setting is checked.

    Raises :class:`~eval.errors.SweepError`, :class:`~rag.errors.UsageError` and, of an index that is to be searched,
    :class:`~indexes.errors.StoreError`.
    """
    rows = load_config(request.config, request.settings).rows()
    given = {key: value for key, value, origin in rows if origin == "--set"}
    form = {
        "name": request.name or "sweep",
        "dataset": request.questions,
        "mode": request.mode,
        "limit": request.limit,
        "seed": request.seed,
        "config": request.config,
        "set": given,
    }
    made = made_with(Path(request.index)) if request.index else {}

    def check(settings: Mapping[str, Any]) -> None:
        parts = [f"{key}={json.dumps(value, default=str)}" for key, value in settings.items()]
        written = {key: value for key, value in settings.items() if key not in given or value != given[key]}
        refuse_owners([f"{key}={json.dumps(value, default=str)}" for key, value in written.items()])
        refuse_unfit(made, load_config(request.config, parts), SweepError)

    return parse_sweep(text, "the sweep", "sweep", form, check)


def keep_sweep(folder: Path, request: Request, sweep: Sweep) -> Request:
    """Write the sweep down as ``rag eval sweep`` reads it, and return the request for it.

    Only its user may read the file, for an address in it may hold a password.
    """
    tree = dataclasses.asdict(sweep) | {
        "set": sweep.common,
        "points": [{"name": point.name, **point.settings} for point in sweep.points],
    }
    del tree["common"]
    content = json.dumps(tree, default=str, sort_keys=True)  # which is YAML
    path = folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content, mode=0o600)
    return dataclasses.replace(request, sweep=str(path))


_REMEDY = "leave it out, or search in the paragraphs of the question file: an index is made of them for every setting"


def refuse_unfit(made: Mapping[str, Any], resolved: Resolved, error: type[EvalError] = EvalError) -> None:
    """Raise ``error`` where a configuration cuts or embeds otherwise than an index was ``made`` with."""
    for key, value, _ in resolved.rows():
        if key in made and made[key] != value:
            raise error(f"this collection was made with {key} = {made[key]!r}, and {value!r} is asked for", _REMEDY)
