"""``rag ask``: an answer with checked citations, for one question, for questions on stdin, or for a file of them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.calibration import apply_calibration
from rag.cli.ingest import EXIT_SOME_FAILED
from rag.cli.options import AsJson, ConfigName, Filter, IndexFolder, Settings, parse_filter, resolve
from rag.cli.output import note, out, out_json, print_attribution, print_sources, status
from rag.errors import InputError, PromptTooLongError, UsageError

if TYPE_CHECKING:
    from rag.config import Resolved
    from rag.pipeline import Pipeline

__all__ = ["ask"]


def ask(
    question: Annotated[
        str | None,
        typer.Argument(help="The question, in quotes; or - to read one a line from stdin.", show_default=False),
    ] = None,
    batch: Annotated[
        Path | None, typer.Option("--batch", help='Answer a file of {"question": "…"} lines.', metavar="FILE")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Where --batch writes its answers.", metavar="FILE")
    ] = None,
    only: Filter = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Answer again without each passage, to see which one it came from.")
    ] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with sources that were looked up in them.

    The answer streams; then come the numbered sources: file, page, heading and the quoted span. A sentence that no
    passage supports is named. Where nothing relevant is found the answer is "not in the documents".
    """
    resolved, told = apply_calibration(resolve(config, settings), index)
    if told:
        note(f"note: {told}")
    glob = parse_filter(only)
    _check_usage(question, batch, out_file)
    if explain and question in (None, "-"):
        raise UsageError("--explain goes with one QUESTION", 'for example: rag ask "What is …?" --explain')
    if question not in (None, "-"):
        from rag.retrieval import check_question

        check_question(str(question))
    with status("starting the models"):
        pipeline = _start(index, resolved)
    try:
        if batch is not None and out_file is not None:
            _answer_file(pipeline, batch, out_file, glob, resolved, as_json)
        elif question == "-":
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # what is not UTF-8 is refused below
            _answer_lines(pipeline, glob, resolved, as_json)
        else:
            _answer_one(pipeline, str(question), glob, resolved, as_json, indent=2, explain=explain)
    finally:
        pipeline.close()


def _check_usage(question: str | None, batch: Path | None, out_file: Path | None) -> None:
    if (question is None) == (batch is None):
        raise UsageError("ask either a QUESTION or a --batch FILE", 'for example: rag ask "What is …?"')
    if (batch is None) != (out_file is None):
        raise UsageError("--batch and --out go together", "rag ask --batch questions.jsonl --out answers.jsonl")
    if batch is not None and not batch.is_file():
        raise InputError(f"{batch} is not a file", "check the path")


def _start(index: Path, resolved: Resolved) -> Pipeline:
    from rag.build import make_embedder, make_pipeline, open_index

    open_index(index, resolved.config)  # a missing index is said before models are loaded
    embedder = make_embedder(resolved.config)
    return make_pipeline(open_index(index, resolved.config, embedder), resolved.config, embedder=embedder)


def _answer_lines(pipeline: Pipeline, glob: str | None, resolved: Resolved, as_json: bool) -> None:
    """Answer each line of stdin; a line that cannot be asked is named, and the others go on."""
    failed = False
    for line in sys.stdin:
        if not line.strip():
            continue
        if not as_json:
            out(f"\n> {line.strip()}")
        try:
            _answer_one(pipeline, line, glob, resolved, as_json, indent=None)
        except (InputError, PromptTooLongError) as error:
            note(f"failed: {error.message}; {error.remedy}")
            failed = True
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _answer_one(
    pipeline: Pipeline,
    question: str,
    glob: str | None,
    resolved: Resolved,
    as_json: bool,
    *,
    indent: int | None,
    explain: bool = False,
) -> None:
    from rag.explain import leave_one_out
    from rag.serialise import answer_json, attribution_json

    if as_json:
        answer = pipeline.ask(question, source_glob=glob)
        value = answer_json(answer, resolved.config.digest())
        if explain and not answer.abstained:
            value["attribution"] = attribution_json(leave_one_out(pipeline.reader, answer))
        out_json(value, indent=indent)
        return
    stream = pipeline.stream(question, source_glob=glob)
    try:
        for piece in stream:
            out(piece, newline=False)
    except KeyboardInterrupt:
        stream.close()
        out("\n(interrupted)")
        print_sources(stream.answer)
        raise
    out()
    answer = stream.answer
    print_sources(answer)
    if explain and not answer.abstained:
        print_attribution(leave_one_out(pipeline.reader, answer))


def _answer_file(
    pipeline: Pipeline, batch: Path, out_file: Path, glob: str | None, resolved: Resolved, as_json: bool
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from rag.batch import answer_file

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("questions", total=None)
        report = answer_file(
            pipeline,
            batch,
            out_file,
            config_digest=resolved.config.digest(),
            source_glob=glob,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for line, message in report.failed:
        note(f"failed: line {line} of {batch}: {message}")
    if as_json:
        failed = [{"line": line, "message": message} for line, message in report.failed]
        out_json({"answered": report.answered, "resumed": report.resumed, "failed": failed, "out": str(out_file)})
    else:
        out(f"{report.answered} answered, {report.resumed} already there, {len(report.failed)} failed · {out_file}")
    if report.failed:
        raise typer.Exit(EXIT_SOME_FAILED)
