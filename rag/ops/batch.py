"""A file of questions to a file of answers, with the generator busy, continuing where an interruption left off.

The questions are JSON Lines, ``{"question": "…", "id": "…"}`` (``id`` is optional and carried along). Each answer is
one line with the number of its question's line, and with what it depends on beside the question: the configuration's
digest, the filter, the index's generation. Answers are written and flushed 64 at a time; after a resumed run they are
put in the order of the questions. A line that is no question, or whose prompt is not taken, becomes an answer line with
an ``error``; the others go on, and the next run tries it again.

A file of answers is gone on with only where that loses nothing and mixes nothing: see :func:`plan_batch`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexes.system import atomic_write
from rag.errors import InputError, PromptRefusedError, PromptTooLongError
from rag.ops.serialize import answer_json
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import check_question
from rag.types import Answer

if TYPE_CHECKING:
    from rag.knowledge_base import KnowledgeBase

__all__ = ["BatchPlan", "BatchReport", "answer_planned", "plan_batch"]

_LINE_BEGINS = '{"line": '
_WINDOW = 64  # questions in flight: enough to fill an engine, little enough to lose


@dataclass
class BatchReport:
    """How many lines were answered now or stood there already, and (line number, message) of those that failed.

    ``replaced`` counts the earlier answers whose question has changed since.
    """

    answered: int = 0
    resumed: int = 0
    replaced: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    number: int
    row: dict[str, Any]
    error: str = ""


@dataclass(frozen=True)
class BatchPlan:
    """What a run has to do: the lines of ``out`` that stay as they are, by number, and the questions still to ask."""

    out: Path
    config_digest: str
    only: Filter | None
    answered: dict[int, str]
    waiting: list[_Line]
    replaced: int

    @property
    def idle(self) -> bool:
        """Whether no model is needed: what is left to write, if anything, are errors."""
        return all(line.error for line in self.waiting)


def plan_batch(
    questions: Path, out: Path, *, config_digest: str, only: Filter | None = None, generation: int
) -> BatchPlan:
    """Read the questions and the answers that are there already, and decide what is to be asked. Nothing is written.

    Raises :class:`~rag.errors.InputError` if the questions cannot be read, if ``out`` cannot be written, if it is no
    file of answers, if its answers were made with another configuration, another filter or another state of the
    documents, or if most of them belong to no question of this file.
    """
    lines = list(_read_questions(questions))
    if not lines:
        raise InputError(f"{questions} holds no question", 'each line is a JSON object such as {"question": "…"}')
    if not out.parent.is_dir():
        raise InputError(
            f"{out} cannot be written: there is no folder {out.parent}", "make the folder, or correct --out"
        )
    answered, replaced = _resume(out, lines, (config_digest, _filter_texts(only), generation))
    waiting = [line for line in lines if line.number not in answered]
    return BatchPlan(out, config_digest, only, answered, waiting, replaced)


def answer_planned(
    knowledge_base: KnowledgeBase | None, plan: BatchPlan, *, progress: Callable[[int, int], None] | None = None
) -> BatchReport:
    """Do what is planned. ``knowledge_base`` may be None where the plan is idle."""
    report = BatchReport(resumed=len(plan.answered), replaced=plan.replaced)
    show = progress or (lambda *_: None)
    done, total = len(plan.answered), len(plan.answered) + len(plan.waiting)
    show(done, total)
    _rewrite(plan.out, plan.answered.values())
    for start in range(0, len(plan.waiting), _WINDOW):
        window = plan.waiting[start : start + _WINDOW]
        rows = list(_answer_window(knowledge_base, window, plan))
        failed = [(row["line"], row["error"]) for row in rows if "error" in row]
        report.failed += failed
        report.answered += len(rows) - len(failed)
        with _writable(plan.out), plan.out.open("a", encoding="utf-8", errors="replace") as handle:
            handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        done += len(window)
        show(done, total)
    if plan.answered and plan.waiting:
        text = plan.out.read_text(encoding="utf-8").removesuffix("\n")
        _rewrite(plan.out, sorted(text.split("\n"), key=lambda line: int(json.loads(line)["line"])))
    return report


def _answer_window(
    knowledge_base: KnowledgeBase | None, window: list[_Line], plan: BatchPlan
) -> Iterator[dict[str, Any]]:
    good = [line for line in window if not line.error]
    results: dict[int, Answer | str] = {line.number: line.error for line in window if line.error}
    if knowledge_base is not None:
        results |= _ask(knowledge_base, good, plan.only)
    for line in window:
        result = results[line.number]
        base = {"line": line.number, "id": line.row.get("id")}
        if isinstance(result, str):
            yield base | {"question": line.row.get("question"), "error": result}
        else:
            made_from = {"filter": _filter_texts(plan.only), "generation": result.generation}
            yield base | answer_json(result, plan.config_digest) | made_from


def _ask(knowledge_base: KnowledgeBase, lines: list[_Line], only: Filter | None) -> dict[int, Answer | str]:
    """Return the answer to each line, or why its prompt was not taken: halving the batch finds which."""
    try:
        answers = knowledge_base.ask_batch([line.row["question"] for line in lines], filter=only)
    except (PromptTooLongError, PromptRefusedError) as error:
        if len(lines) == 1:
            return {lines[0].number: error.message}
        middle = len(lines) // 2
        return _ask(knowledge_base, lines[:middle], only) | _ask(knowledge_base, lines[middle:], only)
    return {line.number: answer for line, answer in zip(lines, answers, strict=True)}


def _filter_texts(only: Filter | None) -> list[str] | None:
    return None if only is None or only.empty else only.texts()


def _read_questions(path: Path) -> Iterator[_Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8", "save it as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield _Line(number, {}, f"not JSON: {error}")
            continue
        if not isinstance(row, dict) or not isinstance(row.get("question"), str):
            yield _Line(number, row if isinstance(row, dict) else {}, 'not an object with a "question"')
            continue
        try:
            yield _Line(number, row | {"question": check_question(row["question"])})
        except InputError as error:
            yield _Line(number, row, error.message)


def _resume(out: Path, lines: list[_Line], now: tuple[str, list[str] | None, int]) -> tuple[dict[int, str], int]:
    """Return the lines of an earlier run that stay, by number, and how many answers are to be replaced."""
    asked = {line.number: line.row.get("question") for line in lines if not line.error}
    answered: dict[int, str] = {}
    strangers: list[int] = []
    for line, row in _read_answers(out):
        if "error" in row:
            continue
        _check_same(out, row, now)
        if asked.get(row["line"]) == row["question"]:
            answered[row["line"]] = line
        else:
            strangers.append(row["line"])
    if len(strangers) > len(answered):
        raise InputError(
            f"{out} holds answers to other questions: {len(strangers)} of its {len(strangers) + len(answered)} answers "
            f"are not to what stands in their line of the questions now (line {strangers[0]} is the first)",
            "choose another --out, or delete it to start over",
        )
    return answered, len(strangers)


def _read_answers(out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each line with its row, the one that an interruption cut left out. Refuse whatever else is in there."""
    if not out.exists():
        return
    try:
        text = out.read_bytes().decode("utf-8", "replace")  # an interruption may have cut a letter
    except OSError as error:
        raise InputError(f"{out} cannot be read: {error.strerror}", "choose another --out") from None
    *whole, last = text.split("\n")  # not splitlines: an answer may hold other separators
    for line in whole:
        yield line, _answer_row(out, line)
    if last and not _is_cut(last):
        yield last, _answer_row(out, last)


def _is_cut(last: str) -> bool:
    begins = last.startswith(_LINE_BEGINS) or _LINE_BEGINS.startswith(last)
    return begins and _parsed(last) is None


def _answer_row(out: Path, line: str) -> dict[str, Any]:
    row = _parsed(line)
    if (
        isinstance(row, dict)
        and type(row.get("line")) is int
        and "question" in row
        and ("config_digest" in row or "error" in row)
    ):
        return row
    raise InputError(f"{out} is not a file of answers and is not overwritten", "choose another --out")


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _check_same(out: Path, row: dict[str, Any], now: tuple[str, list[str] | None, int]) -> None:
    """Raise if an answer was made from something else than what the run is for."""
    digest, only, generation = now
    remedy = "choose another --out, or delete it to start over"
    if row.get("config_digest") != digest:
        made = row.get("config_digest")
        raise InputError(f"{out} holds answers made with another configuration ({made}, now {digest})", remedy)
    if row.get("filter") != only:
        before, after = (
            " ".join(f"--filter {text}" for text in texts) if isinstance(texts, list) else texts or "no filter"
            for texts in (row.get("filter"), only)
        )
        raise InputError(f"{out} holds answers made with another filter ({before}, now {after})", remedy)
    if row.get("generation", generation) != generation:
        raise InputError(
            f"{out} holds answers from before the documents changed (generation {row['generation']}, now {generation})",
            remedy,
        )


def _rewrite(out: Path, lines: Iterable[str]) -> None:
    """Put these lines in place of the file, which is whole at every moment; what is right already is left alone."""
    text = "".join(line + "\n" for line in lines)
    if out.exists() and out.read_bytes() == text.encode():
        return
    with _writable(out):
        atomic_write(out, text)


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Report that the file of answers cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror}",
            "free disk space or check its permissions, then run the command again to continue",
        ) from None
