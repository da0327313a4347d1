"""One evaluation: questions through the product into a run's folder and a report, or on from where it stopped.

What is asked for on the command line, and printed there, is :mod:`rag.cli.evaluation.run`'s affair.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.cli.evaluation.progress import Bars, Teller
from rag.cli.loading import loading
from rag.cli.output import note, status
from rag.errors import UsageError
from rag.text import counted

if TYPE_CHECKING:
    from eval.datasets import Dataset
    from eval.records import RunData
    from eval.run import Answerer
    from rag.cli.evaluation.systems import Open
    from rag.config import Resolved
    from rag.generation.cached import CachedCompleter, CachedExtractor

__all__ = ["Job", "Mode", "execute", "file_name", "make_job"]

Mode = Literal["open", "gold", "closed-book"]

_COMPLETIONS = "completions.sqlite"
_CPU_WINDOW = 64
_RETRIEVAL_WINDOW = 512
_WINDOWS_A_BATCH = 8  # an engine stays full while the last of a window are finished


@dataclass(frozen=True)
class Job:
    """One evaluation, as asked for."""

    dataset: Dataset
    source: str
    total: int
    mode: Mode
    limit: int | None
    seed: int
    out: Path
    name: str
    resolved: Resolved
    index: Path | None = None
    retrieval_only: bool = False
    asked_window: int | None = None

    @property
    def window(self) -> int:
        """How many questions are in flight, and saved, together: few on a CPU, where they take minutes."""
        if self.asked_window is not None:
            return self.asked_window
        if self.retrieval_only:
            return _RETRIEVAL_WINDOW
        part = self.resolved.config.generator
        if part.type == "openai":
            return _WINDOWS_A_BATCH * part.openai.concurrency
        if part.type == "vllm":
            import torch

            if torch.cuda.is_available():
                return _WINDOWS_A_BATCH * part.vllm.max_num_seqs
        return _CPU_WINDOW

    @property
    def memory(self) -> Path:
        """Where completions and vectors are remembered between runs."""
        return self.out / "memory"

    def key(self) -> str:
        """Identify what is run, so that an interrupted run is found again."""
        parts = [
            self.dataset.sha256,
            self.mode,
            self.limit,
            self.seed,
            self.name,
            self.resolved.config.digest(),
            str(self.index.resolve()) if self.index else None,
            self.retrieval_only,
            self.asked_window,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def make_job(
    name_or_path: str,
    mode: Mode,
    limit: int | None,
    seed: int,
    out_folder: Path,
    name: str | None,
    index: Path | None,
    retrieval_only: bool,
    resolved: Resolved,
    window: int | None = None,
) -> Job:
    """Load and sample the dataset, and refuse what does not go together, before any model is loaded."""
    from eval.datasets import load_dataset, sample
    from eval.errors import EvalError

    if retrieval_only and mode != "open":
        raise UsageError(f"--retrieval-only has no meaning in {mode} mode, which searches nothing", "leave it out")
    if index is not None and mode != "open":
        raise UsageError(f"--index has no meaning in {mode} mode, which searches nothing", "leave it out")
    dataset = load_dataset(name_or_path)
    if mode == "gold" and not dataset.paragraphs:
        raise EvalError(
            f"{dataset.name} has questions only, and gold mode needs the paragraph of each", "use --mode open"
        )
    if mode == "open" and index is None and not dataset.paragraphs:
        index = Path(".rag")
    chosen = sample(dataset, limit, seed)
    stem = file_name(name or f"{dataset.name}-{mode}")
    return Job(
        chosen,
        name_or_path,
        len(dataset.questions),
        mode,
        limit,
        seed,
        out_folder,
        stem,
        resolved,
        index,
        retrieval_only,
        window,
    )


def file_name(name: str) -> str:
    """Return a name that can be a folder's on any system."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "run"


def execute(
    job: Job,
    *,
    shared: CachedCompleter | CachedExtractor | None = None,
    throughput: list[str] | None = None,
    teller: Teller | None = None,
) -> tuple[RunData, Path]:
    """Run a job, or go on with it where it was interrupted; return the run and its folder.

    ``shared`` is a generator that several jobs use; the caller closes it.
    """
    teller = teller or Bars()
    from eval.files import write_json
    from eval.report import write_report
    from eval.run import evaluate
    from rag.factory import make_cached_generator

    generator = None
    if not job.retrieval_only:
        generator = shared or make_cached_generator(job.resolved.config, job.memory / _COMPLETIONS, job.window)
    before = (generator.made, generator.starting_s) if generator else (0, 0.0)
    try:
        asked = len(job.dataset.questions)
        with (
            _claimed(job, teller) as folder,
            _system(job, generator, teller) as (system, describe),
            teller.questions(asked, not job.retrieval_only) as progress,
        ):
            data = evaluate(
                _located(job, system),
                system,
                out=folder,
                describe=describe,
                key=job.key(),
                window=job.window,
                progress=progress,
                retrieval_only=job.retrieval_only,
            )
    finally:
        if generator is not None and shared is None:
            generator.close()
    if generator is not None:
        data.manifest["throughput"] = _throughput_of(data, generator.made - before[0], generator.starting_s - before[1])
    if throughput is not None:
        from rag.cli.evaluation.throughput import measure

        write_report(folder, data)  # what is there already is not lost if an engine fails now
        with status("measuring throughput"):
            table = measure(job.resolved.config, data.rows, throughput)
        data.manifest["throughput"] = {**(data.manifest["throughput"] or {}), "table": table}
    teller.event("stage", stage="report")
    write_json(folder / "run.json", data.manifest)
    write_report(folder, data)
    teller.event("written", run=folder)
    return data, folder


@contextmanager
def _claimed(job: Job, teller: Teller) -> Iterator[Path]:
    """Yield the folder of an interrupted run of this job, or a new one; two processes never share one."""
    from filelock import FileLock, Timeout

    from eval.run import find_incomplete

    found = find_incomplete(job.out, job.key())
    for folder in (found, _new_folder(job)):
        if folder is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".running")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # it was not interrupted: another process is at it
        if folder == found:
            note(f"going on with {folder}, which was interrupted")
        teller.event("run", run=folder, questions=len(job.dataset.questions), window=job.window)
        try:
            yield folder
        finally:
            lock.release()
            (folder / ".running").unlink(missing_ok=True)
        return


def _located(job: Job, system: Answerer) -> Dataset:
    """Return the questions with the documents of the user's index that hold their paragraphs; tell what has none."""
    from rag.cli.evaluation.systems import Open

    if job.index is None or not isinstance(system, Open) or not job.dataset.paragraphs:
        return job.dataset
    dataset = system.located(job.dataset)
    lost = sum(question.source is None for question in dataset.questions)
    if lost:
        note(
            f"of {counted(len(dataset.questions), 'question')} {lost} have a paragraph that no document of {job.index} "
            "holds as it is: how well their document is found is not measured"
        )
    return dataset


def _throughput_of(data: RunData, made: int, starting_s: float) -> dict[str, Any] | None:
    """Return questions and tokens a second of this very run, or None where its answers were remembered."""
    seconds = data.manifest["seconds"] - starting_s
    written = sum(1 for row in data.rows if row["usage"].get("completion_tokens"))
    if not written or made < written or seconds <= 0:
        return None
    tokens = sum(sum(row["usage"].get(k, 0) for k in ("prompt_tokens", "completion_tokens")) for row in data.rows)
    return {"questions_per_s": round(len(data.rows) / seconds, 3), "tokens_per_s": round(tokens / seconds, 1)}


@contextmanager
def _system(
    job: Job, generator: CachedCompleter | CachedExtractor | None, teller: Teller
) -> Iterator[tuple[Answerer, Callable[[], Mapping[str, Any]]]]:
    """Make the product as the job wants it, with what the manifest says of it."""
    from rag.cli.evaluation.systems import ClosedBook, Gold
    from rag.factory import make_answerer

    config = job.resolved.config
    if job.mode == "open":
        system = _open_system(job, generator, teller)
        try:
            yield system, lambda: _describe(job, system)
        finally:
            system.close()
        return
    assert generator is not None  # noqa: S101 - only retrieval does without
    reader = make_answerer(config, generator, whole_context=job.mode == "gold")
    yield Gold(job.dataset, reader) if job.mode == "gold" else ClosedBook(reader), lambda: _describe(job, None)


def _open_system(job: Job, generator: CachedCompleter | CachedExtractor | None, teller: Teller) -> Open:
    from rag.cli.evaluation.corpus import corpus_index
    from rag.cli.evaluation.systems import Open
    from rag.embedding.cached import CachedEmbedder
    from rag.factory import make_answerer, make_embedder, open_index

    config = job.resolved.config
    if job.index is not None:
        open_index(job.index, config)  # a missing index is said before a model is loaded
    teller.event("stage", stage="models")
    with loading(config):
        embedder = CachedEmbedder(make_embedder(config), job.memory / "vectors.sqlite")
    folder = job.index or corpus_index(job.dataset, config, embedder, job.out, teller.documents)
    return Open(folder, config, embedder, None if generator is None else make_answerer(config, generator))


def _describe(job: Job, system: Any) -> dict[str, Any]:
    from rag.answering.abstention import public_tree
    from rag.factory import generator_identity
    from rag.ops.environment import git_commit, hardware, packages

    config = job.resolved.config
    index = None
    if system is not None:
        index = {"generation": system.index.store.head()[0], **system.index.store.counts()}
    return {
        "name": job.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": "retrieval" if job.retrieval_only else job.mode,
        "seed": job.seed,
        "limit": job.limit,
        "window": job.window,
        "dataset": {
            "name": job.dataset.name,
            "version": job.dataset.version,
            "sha256": job.dataset.sha256,
            "questions": job.total,
            "asked": len(job.dataset.questions),
        },
        "config": public_tree(config),
        "config_name": job.resolved.name,
        "config_digest": config.digest(),
        "models": {
            "embedder": system.embedder.fingerprint if system is not None else None,
            "generator": None if job.retrieval_only else generator_identity(config, job.window),
        },
        "index": index,
        "git_commit": git_commit(),
        "packages": packages(),
        "hardware": hardware(),
    }


def _new_folder(job: Job) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = job.out / f"{stamp}-{job.name}"
    number = 2
    while folder.exists():
        folder = job.out / f"{stamp}-{job.name}-{number}"
        number += 1
    return folder
