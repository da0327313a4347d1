"""The question file of a new evaluation: uploaded, the feedback of the chat page, or a path. It knows no widgets."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from eval.datasets import Dataset, load_dataset
from eval.errors import EvalError
from eval.squad_download import OFFICIAL
from indexes.system import atomic_write
from rag.config import load_config

__all__ = ["FEEDBACK", "Questions", "keep_upload", "look", "setting_lines"]

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
        path.parent.mkdir(parents=True, exist_ok=True)
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

    Raises :class:`~rag.errors.UsageError` for what is no setting.
    """
    lines = [line.strip() for line in text.splitlines()]
    assignments = (*before, *(line for line in lines if line and not line.startswith("#")))
    load_config(config, assignments)
    return assignments
