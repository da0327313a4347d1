"""``rag ask``: answer one question, questions from stdin, or a file of questions, with checked citations."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import (
    AsJson,
    Collapse,
    ConfigName,
    Filters,
    IndexFolder,
    Settings,
    open_knowledge_base,
    parse_filters,
)
from rag.cli.output import note, out, out_json, print_attribution, print_sources
from rag.cli.progress import loading, progress
from rag.errors import EXIT_SOME_FAILED, InputError, PromptRefusedError, PromptTooLongError, UsageError

if TYPE_CHECKING:
    from rag.knowledge_base import KnowledgeBase
    from rag.retrieval.filters import Filter

__all__ = ["ask"]


def ask(
    question: Annotated[
        str | None,
        typer.Argument(help="The question, in quotes; or - to read one per line from stdin.", show_default=False),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            help='Answer a file of {"question": "…"} lines; "line" in an answer is the number of its line.',
            metavar="FILE",
        ),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The file for the answers of --batch; an interrupted run continues it.", metavar="FILE"
        ),
    ] = None,
    filters: Filters = None,
    collapse: Collapse = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also answer without each passage, to see where the answer came from.")
    ] = False,
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            help="The generator: extractive, vllm or openai; short for --set generator.type=….",
            metavar="TYPE",
        ),
    ] = None,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with citations that were checked against them.

    The answer streams; then come the numbered sources: file, page, heading and the quoted span. Sentences that no
    passage supports are listed. If nothing relevant is found, the answer is "not in the documents".

    A batch writes 64 answers at a time. After an interruption, the same command continues.
    """
    generators = [] if generator is None else [f"generator.type={generator}"]
    with open_knowledge_base(index, config, [*(settings or []), *generators], collapse=collapse) as knowledge_base:
        if knowledge_base.calibration_error is not None:
            raise knowledge_base.calibration_error
        for text in knowledge_base.notes:
            note(f"note: {text}")
        only = parse_filters(filters)
        _check_usage(question, batch, out_file, explain)
        if batch is not None and out_file is not None:
            _answer_file(knowledge_base, batch, out_file, only, as_json)
            return
        asking = _Asking(knowledge_base, only, as_json, _start(knowledge_base))
        if question == "-":
            _answer_lines(asking)
        else:
            asking.answer(str(question), indent=2, explain=explain)


def _check_usage(question: str | None, batch: Path | None, out_file: Path | None, explain: bool) -> None:
    if (question is None) == (batch is None):
        raise UsageError("ask either a QUESTION or a --batch FILE", 'for example: rag ask "What is …?"')
    if (batch is None) != (out_file is None):
        raise UsageError("--batch needs --out, and --out needs --batch", "use both: --batch FILE --out FILE")
    if batch is not None and not batch.is_file():
        raise InputError(f"{batch} is not a file", "check the path")
    if explain and question in (None, "-"):
        raise UsageError("--explain needs one QUESTION", 'for example: rag ask "What is …?" --explain')
    if question not in (None, "-"):
        from rag.retrieval.retriever import check_question

        check_question(str(question))  # before models are loaded


def _start(knowledge_base: KnowledgeBase) -> float:
    """Load the models; return the seconds that it took."""
    from rag.generation.registry import GENERATORS

    started = time.monotonic()
    config = knowledge_base.config.config
    knowledge_base.open_index()  # a missing index is reported before models are loaded
    hint = GENERATORS[config.generator.type].start_hint
    with loading(config, "starting the models", line=f"starting the models ({hint})…" if hint else ""):
        knowledge_base.answerer  # noqa: B018 - loads embedder, index and generator
    return time.monotonic() - started


def _answer_lines(asking: _Asking) -> None:
    """Answer each line of stdin. A line that cannot be asked is reported, and the next one is asked."""
    if sys.stdin is None:
        raise InputError("stdin is closed", "pass the question itself: rag ask QUESTION")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # answer() refuses other encodings
    failed = False
    for line in sys.stdin:
        if not line.strip():
            continue
        if not asking.as_json:
            out(f"\n> {line.strip()}")
        try:
            asking.answer(line, indent=None)
        except (InputError, PromptTooLongError, PromptRefusedError) as error:
            note(f"failed: {error.message}; {error.remedy}")
            failed = True
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


@dataclass
class _Asking:
    """A knowledge base, and how its answers are shown. The timings of the first answer include ``load_s``."""

    knowledge_base: KnowledgeBase
    only: Filter | None
    as_json: bool
    load_s: float

    def answer(self, question: str, *, indent: int | None, explain: bool = False) -> None:
        """Answer one question on stdout."""
        if self.as_json:
            self._answer_json(question, indent, explain)
            return
        stream = self.knowledge_base.stream(question, filter=self.only)
        streamed = ""
        try:
            for piece in stream:
                streamed += piece
                out(piece, newline=False)
        except KeyboardInterrupt:
            stream.close()
            out("\n(interrupted)")
            print_sources(stream.answer)
            raise
        answer = stream.answer
        if answer.abstained and streamed != answer.text:  # only the end shows that the evidence is too thin
            out(f"\n\nThe passages do not support this: {answer.text}", newline=False)
        out()
        print_sources(answer)
        if explain and not answer.abstained:
            from rag.ops.explain import leave_one_out

            print_attribution(leave_one_out(self.knowledge_base.answerer, answer))

    def _answer_json(self, question: str, indent: int | None, explain: bool) -> None:
        from rag.ops.explain import leave_one_out
        from rag.ops.serialize import answer_json, attribution_json

        answer = self.knowledge_base.ask(question, filter=self.only)
        load, self.load_s = self.load_s, 0.0
        answer = replace(answer, timings={"load": load, **answer.timings})
        value = answer_json(answer, self.knowledge_base.config.config.digest())
        if explain and not answer.abstained:
            value["attribution"] = attribution_json(leave_one_out(self.knowledge_base.answerer, answer))
        out_json(value, indent=indent)


def _answer_file(
    knowledge_base: KnowledgeBase, batch: Path, out_file: Path, only: Filter | None, as_json: bool
) -> None:
    from rag.ops.batch import answer_planned, plan_batch

    digest, generation = knowledge_base.config.config.digest(), knowledge_base.open_index().store.generation
    plan = plan_batch(batch, out_file, config_digest=digest, only=only, generation=generation)
    if plan.replaced:
        note(f"note: {plan.replaced} of the questions answered in {out_file} have changed and are asked again")
    if not plan.idle:
        _start(knowledge_base)
    with progress("questions") as show:
        report = answer_planned(
            None if plan.idle else knowledge_base,
            plan,
            progress=lambda done, total: show(done, total, f"{done:,} of {total:,}"),
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
