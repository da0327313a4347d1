"""A file of questions to a file of answers, the generator kept full, going on where an interruption left off.

The questions are JSON Lines, ``{"question": "…", "id": "…"}`` (``id`` is optional and carried along). Each answer is
one line, written and flushed when it is known, with the number of its question's line. A line that is no question
becomes an answer line with an ``error``; the others go on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import InputError, PromptTooLongError
from rag.pipeline import Pipeline
from rag.retrieval import check_question
from rag.serialise import answer_json

__all__ = ["BatchReport", "answer_file"]

_ANSWER_LINE = re.compile(r'^\{"line": \d', re.MULTILINE)
_WINDOW = 64  # questions in flight: enough to fill an engine, little enough to lose


@dataclass
class BatchReport:
    """How many lines were answered now or stood there already, and (line number, message) of those that failed."""

    answered: int = 0
    resumed: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    number: int
    row: dict[str, Any]
    error: str = ""


def answer_file(
    pipeline: Pipeline,
    questions: Path,
    out: Path,
    *,
    config_digest: str,
    source_glob: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchReport:
    """Answer every line of ``questions`` into ``out``.

    Raises :class:`~rag.errors.InputError` if the questions cannot be read, or if ``out`` holds answers that were made
    with another configuration.
    """
    lines = list(_read_questions(questions))
    if not lines:
        raise InputError(f"{questions} holds no question", 'each line is a JSON object such as {"question": "…"}')
    kept = _resume(out, lines, config_digest)
    report = BatchReport(resumed=len(kept))
    waiting = [line for line in lines if line.number not in kept]
    tell = progress or (lambda *_: None)
    tell(len(kept), len(lines))
    with out.open("a", encoding="utf-8", errors="replace") as handle:
        for start in range(0, len(waiting), _WINDOW):
            window = waiting[start : start + _WINDOW]
            for row in _answer_window(pipeline, window, config_digest, source_glob):
                if "error" in row:
                    report.failed.append((row["line"], row["error"]))
                else:
                    report.answered += 1
                handle.write(json.dumps(row, ensure_ascii=False) + "\n")
            handle.flush()
            tell(len(kept) + start + len(window), len(lines))
    return report


def _answer_window(
    pipeline: Pipeline, window: list[_Line], config_digest: str, source_glob: str | None
) -> Iterator[dict[str, Any]]:
    good = [line for line in window if not line.error]
    answers: dict[int, Any] = {}
    errors = {line.number: line.error for line in window if line.error}
    try:
        found = pipeline.ask_batch([line.row["question"] for line in good], source_glob=source_glob)
        answers = {line.number: answer for line, answer in zip(good, found, strict=True)}
    except PromptTooLongError:  # one of them does not fit: ask one by one to see which
        for line in good:
            try:
                answers[line.number] = pipeline.ask(line.row["question"], source_glob=source_glob)
            except PromptTooLongError as error:
                errors[line.number] = error.message
    for line in window:
        base = {"line": line.number, "id": line.row.get("id")}
        if line.number in errors:
            yield base | {"question": line.row.get("question"), "error": errors[line.number]}
        else:
            yield base | answer_json(answers[line.number], config_digest)


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


def _resume(out: Path, lines: list[_Line], config_digest: str) -> set[int]:
    """Keep the good answers of an earlier run and drop the rest of the file; return their line numbers."""
    if not out.exists():
        return set()
    asked = {line.number: line.row.get("question") for line in lines if not line.error}
    kept: dict[int, str] = {}
    try:
        text = out.read_bytes().decode("utf-8", "replace")  # an interruption may have cut a letter
    except OSError as error:
        raise InputError(f"{out} cannot be read: {error.strerror}", "choose another --out") from None
    for line in text.split("\n"):  # not splitlines: an answer may hold other separators
        try:
            row = json.loads(line)
            number, question, digest = int(row["line"]), row["question"], row.get("config_digest")
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # the line that the interruption cut
        if "error" in row:
            continue
        if digest != config_digest:
            raise InputError(
                f"{out} holds answers made with another configuration ({digest}, now {config_digest})",
                "choose another --out, or delete it to start over",
            )
        if asked.get(number) == question:
            kept[number] = line
    if text and not _ANSWER_LINE.search(text):
        raise InputError(f"{out} is not a file of answers and is not overwritten", "choose another --out")
    temporary = out.with_name(out.name + ".part")
    temporary.write_text("".join(line + "\n" for line in kept.values()), encoding="utf-8")
    temporary.replace(out)
    return set(kept)
