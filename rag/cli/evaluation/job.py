"""One evaluation: the questions of a dataset, the product that answers them, and the folder of the run.

Options and output are in :mod:`rag.cli.evaluation.run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from indexes.system import sha256_json
from rag.cli.evaluation.events import Events
from rag.cli.options import resolve
from rag.cli.output import note
from rag.cli.progress import loading, status
from rag.errors import UsageError
from rag.text import counted

if TYPE_CHECKING:
    from eval.datasets import Dataset
    from eval.runs import RunData
    from rag.cli.evaluation.systems import Meter, System
    from rag.config import Resolved
    from rag.generation.base import Completer, Extractor

__all__ = ["Job", "Mode", "Request", "execute", "file_name", "make_generator", "make_job"]

Mode = Literal["open", "gold", "closed-book"]

_CPU_WINDOW = 64
_RETRIEVAL_WINDOW = 512
_BATCHES_PER_WINDOW = 8  # keeps an engine full while the last answers of a window are finished


@dataclass(frozen=True)
class Request:
    """One evaluation as it is asked for, in values that JSON has: another process can run it."""

    dataset: str
    mode: Mode
    limit: int | None
    seed: int
    out: str
    name: str | None
    index: str | None
    config: str
    settings: Sequence[str]
    retrieval_only: bool = False
    window: int | None = None
    split: str | None = None


@dataclass(frozen=True)
class Job:
    """A request with its configuration and its questions, ``dataset``, out of ``total``."""

    request: Request
    resolved: Resolved
    dataset: Dataset
    total: int
    name: str
    index: Path | None

    @property
    def window(self) -> int:
        """The number of questions that are answered together; small on a CPU, where they take minutes."""
        if self.request.window is not None:
            return self.request.window
        if self.request.retrieval_only:
            return _RETRIEVAL_WINDOW
        generator = self.resolved.config.generator
        if generator.type == "openai":
            return _BATCHES_PER_WINDOW * generator.openai.concurrency
        if generator.type == "vllm":
            import torch

            if torch.cuda.is_available():
                return _BATCHES_PER_WINDOW * generator.vllm.max_num_seqs
        return _CPU_WINDOW

    @property
    def out(self) -> Path:
        """The folder of runs."""
        return Path(self.request.out)

    @property
    def cache(self) -> Path:
        """The folder of the completions and vectors that runs share."""
        return self.out / "memory"

    def key(self) -> str:
        """Return a digest of the request, by which an interrupted run is found again."""
        asked = self.request
        index = str(self.index.resolve()) if self.index else None
        parts = [self.dataset.sha256, asked.mode, asked.limit, asked.seed, self.name, self.resolved.config.digest()]
        return sha256_json([*parts, index, asked.retrieval_only, asked.window])[:16]


def make_job(request: Request) -> Job:
    """Load and sample the dataset. Raises an error for options that contradict each other, before a model is loaded."""
    from eval.datasets import load_dataset, sample
    from eval.errors import EvalError

    mode, resolved = request.mode, resolve(request.config, list(request.settings))
    for option, given in (("--retrieval-only", request.retrieval_only), ("--index", request.index is not None)):
        if given and mode != "open":
            raise UsageError(f"{option} has no effect in {mode} mode, which does not search", "leave it out")
    dataset = load_dataset(request.dataset, split=request.split)
    if dataset.version == "beir":
        if mode != "open" or request.index is not None:
            raise UsageError(
                f"{dataset.name} is a BEIR folder, which brings its own documents to be searched",
                "leave --mode and --index out",
            )
        if not request.retrieval_only:
            note(f"{dataset.name} has relevance judgments and no answers: only retrieval is measured")
            request = replace(request, retrieval_only=True)
    if mode == "gold" and not dataset.paragraphs:
        raise EvalError(
            f"{dataset.name} has questions only, and gold mode needs the paragraph of each", "use --mode open"
        )
    index = None if request.index is None else Path(request.index)
    if mode == "open" and index is None and not dataset.paragraphs:
        index = Path(".rag")
    chosen = sample(dataset, request.limit, request.seed)
    name = file_name(request.name or f"{dataset.name}-{mode}")
    return Job(request, resolved, chosen, len(dataset.questions), name, index)


def file_name(name: str) -> str:
    """Return a name that is valid for a folder on any system."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "run"


def make_generator(job: Job) -> Completer | Extractor:
    """Return the generator of a job. Completions are cached on disk, so that a run can be repeated or resumed."""
    from rag.factory import make_cached_generator

    return make_cached_generator(job.resolved.config, job.cache / "completions.sqlite", job.window)


def execute(
    job: Job,
    *,
    shared: Completer | Extractor | None = None,
    throughput: list[str] | None = None,
    events: Events | None = None,
) -> tuple[RunData, Path]:
    """Run a job, or resume it; return the run and its folder.

    ``shared`` is a generator that several jobs use; the caller closes it. ``throughput`` lists precisions to measure.
    """
    from eval.evaluator import evaluate
    from eval.files import write_json
    from eval.report import write_report
    from rag.cli.evaluation.systems import Meter

    events = events or Events()
    with ExitStack() as stack:
        generator = None if job.request.retrieval_only else shared or make_generator(job)
        if generator is not None and shared is None:
            stack.callback(generator.close)
        meter = Meter(generator)
        folder = stack.enter_context(_claimed(job, events))
        system = stack.enter_context(_system(job, generator, meter, events))
        progress = stack.enter_context(
            events.questions(len(job.dataset.questions), scored=not job.request.retrieval_only)
        )
        data = evaluate(
            _located(job, system),
            system,
            out=folder,
            describe=lambda: _describe(job, system),
            key=job.key(),
            window=job.window,
            progress=progress,
            retrieval_only=job.request.retrieval_only,
        )
    data.manifest["throughput"] = _throughput_of(data, meter)
    if throughput is not None:
        from rag.cli.evaluation.throughput import measure

        write_report(folder, data)  # first, in case an engine fails now
        with status("measuring throughput"):
            table = measure(job.resolved.config, data.rows, throughput)
        data.manifest["throughput"] = {**(data.manifest["throughput"] or {}), "table": table}
    events.emit("stage", stage="report")
    write_json(folder / "run.json", data.manifest)
    write_report(folder, data)
    events.emit("written", run=folder)
    return data, folder


@contextmanager
def _claimed(job: Job, events: Events) -> Iterator[Path]:
    """Yield the folder of an interrupted run of this job, or a new one. Two processes never share one."""
    from filelock import FileLock, Timeout

    from eval.runs import find_incomplete

    interrupted = find_incomplete(job.out, job.key())
    for folder in (interrupted, _new_folder(job)):
        if folder is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".running")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # another process runs it
        if folder == interrupted:
            note(f"resuming {folder}, which was interrupted")
        events.emit("run", run=folder, questions=len(job.dataset.questions), window=job.window)
        try:
            yield folder
        finally:
            lock.release()
            (folder / ".running").unlink(missing_ok=True)
        return


def _located(job: Job, system: System) -> Dataset:
    """Return the questions with the documents of the user's index that contain their paragraphs."""
    from rag.cli.evaluation.systems import Open

    if job.index is None or not isinstance(system, Open) or not job.dataset.paragraphs:
        return job.dataset
    dataset = system.located(job.dataset)
    lost = sum(question.source is None for question in dataset.questions)
    if lost:
        note(
            f"{lost} of {counted(len(dataset.questions), 'question')} have a paragraph that no document of {job.index} "
            "contains literally: the ranking of their document is not measured"
        )
    return dataset


def _throughput_of(data: RunData, meter: Meter) -> dict[str, Any] | None:
    """Return questions and tokens per second of this run, or None if it took answers from the cache."""
    seconds = data.manifest["seconds"] - meter.starting_s
    answered = sum(1 for row in data.rows if row["usage"].get("completion_tokens"))
    if not answered or meter.made < answered or seconds <= 0:
        return None
    tokens = sum(sum(row["usage"].get(k, 0) for k in ("prompt_tokens", "completion_tokens")) for row in data.rows)
    return {"questions_per_s": round(len(data.rows) / seconds, 3), "tokens_per_s": round(tokens / seconds, 1)}


@contextmanager
def _system(job: Job, generator: Completer | Extractor | None, meter: Meter, events: Events) -> Iterator[System]:
    """Yield what answers the questions in the job's mode."""
    from rag.cli.evaluation.corpus import corpus_index
    from rag.cli.evaluation.systems import Direct, Open
    from rag.embedding.cached import CachedEmbedder
    from rag.factory import make_answerer, make_embedder
    from rag.knowledge_base import KnowledgeBase
    from rag.model_pool import ModelPool

    config = job.resolved.config
    if job.request.mode != "open":
        paragraphs = job.dataset.paragraphs if job.request.mode == "gold" else None
        yield Direct(make_answerer(config, generator, whole_context=True), meter, paragraphs)
        return
    # With the threshold of the configuration: a calibrated one would hide the answers that a calibration needs.
    uncalibrated = replace(job.resolved, origins={**job.resolved.origins, "answers.min_confidence": "rag eval"})
    if job.index is not None:
        with KnowledgeBase(job.index, uncalibrated) as knowledge_base:
            knowledge_base.open_index()  # reports a missing index before a model is loaded
    events.emit("stage", stage="models")
    with ExitStack() as stack:
        with loading(config):
            embedder = CachedEmbedder(make_embedder(config), job.cache / "vectors.sqlite")
        stack.callback(embedder.close)
        models = ModelPool()
        models.put(config, embedder=embedder, generator=generator)
        folder = job.index or corpus_index(job.dataset, uncalibrated, models, job.out, events.documents)
        knowledge_base = stack.enter_context(KnowledgeBase(folder, uncalibrated, models))
        yield Open(knowledge_base, meter, answers=generator is not None)


def _describe(job: Job, system: System) -> dict[str, Any]:
    from rag.answering.abstention import public_tree
    from rag.cli.evaluation.systems import Open
    from rag.factory import generator_identity
    from rag.ops.environment import git_commit, hardware, packages

    config = job.resolved.config
    index = embedder = None
    if isinstance(system, Open):
        index, embedder = system.describe_index(), system.embedder_fingerprint
    return {
        "name": job.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": "retrieval" if job.request.retrieval_only else job.request.mode,
        "seed": job.request.seed,
        "limit": job.request.limit,
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
            "embedder": embedder,
            "generator": None if job.request.retrieval_only else generator_identity(config, job.window),
        },
        "index": index,
        "git_commit": git_commit(),
        "packages": packages(),
        "hardware": hardware(),
    }


def _new_folder(job: Job) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = (f"{stamp}-{job.name}" + (f"-{number}" if number > 1 else "") for number in count(1))
    return next(job.out / name for name in names if not (job.out / name).exists())
