"""``rag train``: models of one's own, from a training file to a folder that can be used."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json
from rag.cli.progress import duration, on_terminal, progress
from rag.errors import MissingPackageError
from rag.text import counted

if TYPE_CHECKING:
    from rag.embedding.base import Embedder
    from rag.training.config import ReaderConfig, RerankerConfig
    from rag.training.run_directory import TrainedFolder
    from rag.training.trainer import Progress

__all__ = ["finish", "progress_line", "reader", "reranker"]

EXIT_INTERRUPTED = 130

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set one value, for example --set training.epochs=2. Repeatable.", metavar="KEY=VALUE"),
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Continue an interrupted training, or delete it and start over.")
]


def reader(
    config: Annotated[
        Path, typer.Argument(help="A training file (docs/training.md), or bert-large-squad.", metavar="CONFIG.yaml")
    ],
    settings: Settings = None,
    resume: Resume = True,
    as_json: AsJson = False,
) -> None:
    """Fine-tune an encoder to mark answers in passages, and to say where there is none.

    The same command continues an interrupted training from its last checkpoint. Several GPUs:
    `torchrun --nproc-per-node N -m rag train reader CONFIG.yaml`.
    """
    from rag.training.config import load_training_config

    resolved = load_training_config(config, settings or ())
    _need("accelerate")
    _command(resolved.output, lambda say, show: _train_reader(resolved, resume, say, show), as_json=as_json)


def reranker(
    config: Annotated[Path, typer.Argument(help="A training file (docs/training.md).", metavar="CONFIG.yaml")],
    settings: Settings = None,
    resume: Resume = True,
    as_json: AsJson = False,
) -> None:
    """Fine-tune an encoder to separate passages that answer a question from those that only resemble it.

    The output folder reranks: --set retrieval.rerank=cross-encoder --set retrieval.cross_encoder=FOLDER.
    Interruptions and several GPUs are as for `rag train reader`.
    """
    from rag.training.config import load_reranker_config

    resolved = load_reranker_config(config, settings or ())
    _need("accelerate", "datasets")
    _command(resolved.output, lambda say, show: _train_reranker(resolved, resume, say, show), as_json=as_json)


def finish(
    config: Annotated[Path, typer.Argument(help="The training file of a finished training.", metavar="CONFIG.yaml")],
    to: Annotated[Path, typer.Option("--to", help="The folder to write.", metavar="FOLDER")],
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Fit a trained reader's choice and confidence on held-back questions, and write its int8 graph.

    The folder that is written is a reader for a CPU: --set reader.model=FOLDER --generator extractive.
    """
    from rag.config import load_config
    from rag.training.config import load_training_config
    from rag.training.export import export_reader

    resolved = load_training_config(config, settings or ())
    record = export_reader(resolved, to, load_config("cpu", ["retrieval.rerank=off"]).config, say=note)
    if as_json:
        out_json({"folder": str(to), **record.tree()})
        return
    weights, confidence = record.combination, record.calibration
    out(f"a span's score: {weights.margin} margin + {weights.relevance} relevance + {weights.retrieval} retrieval")
    out(f"reranking: fused score + {weights.rerank_relevance} relevance + {weights.rerank_margin} margin")
    out(
        f"confidence: logistic({confidence.lead} lead + {confidence.margin} margin + "
        f"{confidence.relevance} relevance {confidence.bias:+}), "
        f"no answer below {confidence.threshold}, "
        f"or {confidence.strict} where half of the questions have none"
    )
    out(f"written to {to}")


Say = Callable[[str], None]
Show = Callable[["Progress"], None]


def _need(*packages: str) -> None:
    """Refuse to begin without them: the libraries would say so in the middle, and at length."""
    for name in packages:
        if find_spec(name) is None:
            raise MissingPackageError(f"training needs {name}", "run `pip install 'rag-qa[train]'`")


def _command(output: Path, train: Callable[[Say, Show], TrainedFolder], *, as_json: bool) -> None:
    """Train with progress on stderr, and print what came of it."""
    if os.environ.get("RAG_VERBOSE") != "1":
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is imported
    first = os.environ.get("RANK", "0") == "0"  # of several processes, one speaks
    try:
        with _terminated_as_interrupted(), _progress(shown=first) as (show, say):
            trained = train(say, show)
    except KeyboardInterrupt:
        if first:
            _say_how_to_go_on(output)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not first:
        return
    if as_json:
        out_json(_as_json(trained))
        return
    for line in _summary(trained):
        out(line)


def _train_reader(config: ReaderConfig, resume: bool, say: Say, show: Show) -> TrainedFolder:
    from eval.text_metrics import best_over, exact_match, f1
    from rag.training.reader import train_reader

    def judge(given: str, golds: Sequence[str]) -> tuple[float, float]:
        return best_over(exact_match, given, golds), best_over(f1, given, golds)

    embed = _embed if "dense" in config.hard_negatives else None
    return train_reader(config, judge, embed=embed, resume=resume, say=say, watch=show)


def _train_reranker(config: RerankerConfig, resume: bool, say: Say, show: Show) -> TrainedFolder:
    from rag.training.reranker import train_reranker

    embed = _embed if "dense" in config.hard_negatives else None
    return train_reranker(config, embed=embed, resume=resume, say=say, watch=show)


def _embed(texts: Sequence[str]) -> Any:
    """Embed with the bundled model, which is loaded for the first text."""
    return _embedder().embed_passages(texts)


@cache
def _embedder() -> Embedder:
    from rag.embedding.base import EmbedderSettings
    from rag.embedding.sentence_transformers import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(EmbedderSettings("bundled:minilm"))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, which clusters and ``torchrun`` send, do what Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _say_how_to_go_on(output: Path) -> None:
    from rag.training.run_directory import last_step

    step = last_step(output)
    if step is None:
        note("there is no checkpoint yet: the same command starts over")
    else:
        note(f"the checkpoint of step {step:,} is saved: the same command, without --no-resume, continues from there")


@contextmanager
def _progress(*, shown: bool) -> Iterator[tuple[Show, Say]]:
    """Yield what shows progress and what writes a line. Without a terminal, each log is a line."""
    if not shown:
        yield (lambda _: None), (lambda _: None)
        return
    with progress("steps") as draw:
        loss: float | None = None

        def show(step: Progress) -> None:
            nonlocal loss
            loss = loss if step.loss is None else step.loss
            draw(step.step, step.steps, f"{step.step:,} of {step.steps:,} · {_speed(step, loss)}")
            if step.figures is not None or (step.loss is not None and not on_terminal()):
                note(progress_line(step))

        yield show, note


def progress_line(progress: Progress) -> str:
    """Return one line: the figures of an evaluation, or loss, speed and the time left."""
    step = f"step {progress.step:,} of {progress.steps:,}"
    if progress.figures is not None:
        return f"{step}: {_figures(progress.figures)}"
    return f"{step} · {_speed(progress, progress.loss)}"


def _speed(progress: Progress, loss: float | None) -> str:
    figures = [] if loss is None else [f"loss {loss:.3f}"]
    figures += [f"{progress.examples_per_s:,.1f} examples/s", f"{progress.tokens_per_s:,.0f} tokens/s"]
    return " · ".join([*figures, f"{duration(progress.seconds_left)} left"])


def _figures(figures: Any) -> str:
    if "ndcg" in figures:
        return f"nDCG@10 {figures['ndcg']:.1f}, MRR@10 {figures['mrr']:.1f}, first {figures['first']:.1f}"
    text = f"EM {figures['em']:.1f}, F1 {figures['f1']:.1f}"
    if "has_f1" in figures:
        text += f"; where there is an answer, EM {figures['has_em']:.1f}, F1 {figures['has_f1']:.1f}"
    return text


def _summary(trained: TrainedFolder) -> Iterator[str]:
    record = trained.figures
    watched = counted(record["examples"]["dev"], "question that was watched", "questions that were watched")
    yield f"best at step {record['best']['step']:,}, over {watched}:"
    yield f"  {_figures(record['best'])}"
    speed = record["speed"]
    line = f"{counted(record['figures']['steps'], 'step')}, {duration(record['seconds'])}"
    if "examples_per_s" in speed:
        line += f" · {speed['examples_per_s']:,.1f} examples/s and {speed['tokens_per_s']:,.0f} tokens/s"
    line += f" in {speed['precision']}"
    if record["resumed_from"] is not None:
        line += f" · resumed from step {record['resumed_from']:,}"
    yield line
    yield f"model: {trained.folder}"
    yield f"curve: {trained.curve} · `tensorboard --logdir {trained.logs}`"


def _as_json(trained: TrainedFolder) -> dict[str, Any]:
    record = trained.figures
    return {
        "folder": str(trained.folder),
        "best": record["best"],
        "examples": record["examples"],
        "steps": record["figures"]["steps"],
        "seconds": record["seconds"],
        "speed": record["speed"],
        "resumed_from": record["resumed_from"],
        "was_finished": trained.was_finished,
    }
