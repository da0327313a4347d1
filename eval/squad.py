"""SQuAD's JSON read into a :class:`~eval.datasets.Dataset`; every fault names its key and its place.

The shape: ``{"version", "data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}], "is_impossible"}]}]}]}``. Optional are ``version``, ``title``, ``answer_start`` and
``is_impossible``. As in the official script, a question without ``answers`` is one that cannot be answered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from eval.datasets import Dataset, Paragraph, Question, Version
from eval.errors import EvalError
from eval.files import is_text

__all__ = ["squad_dataset"]

_REMEDY = "correct the file; docs/evaluation.md shows SQuAD's shape"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)$")  # names that Windows keeps to itself
_KINDS = {str: "a text", list: "a list", dict: "an object", bool: "true or false", int: "a whole number"}


def squad_dataset(value: Any, where: str) -> Dataset:
    """Return the dataset, its name and digest left open. ``where`` is the file's name, for errors."""
    version = value.get("version") if isinstance(value, dict) else None
    reader = _Reader(where)
    reader.read(value)
    return Dataset(
        "",
        reader.version(version),
        "",
        tuple(reader.questions),
        tuple(reader.paragraphs),
        reader.misplaced,
    )


class _Reader:
    """What was read of a file so far."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.questions: list[Question] = []
        self.paragraphs: list[Paragraph] = []
        self.misplaced = 0
        self.flagged = False  # any question says is_impossible
        self.unanswered: str | None = None  # the place of the first question without answers that does not say so
        self.slugs: set[str] = set()

    def read(self, value: Any) -> None:
        self.require(value, dict, "the file")
        for article, at in self.items(value, "data", ""):
            title = self.get(article, "title", str, at) if "title" in article else ""
            slug = self.slug(title)
            for number, (paragraph, below) in enumerate(self.items(article, "paragraphs", at), start=1):
                self.paragraph(paragraph, below, title, f"{slug}/{number:03d}.md")

    def paragraph(self, value: dict[str, Any], at: str, title: str, source: str) -> None:
        context = self.filled(value, "context", at)
        self.paragraphs.append(Paragraph(source, title, context))
        for question, below in self.items(value, "qas", at):
            self.question(question, below, context, source)

    def question(self, value: dict[str, Any], at: str, context: str, source: str) -> None:
        found = [self.answer(answer, below, context) for answer, below in self.items(value, "answers", at)]
        if "is_impossible" in value:
            self.flagged = True
            # Without answers the flag is not asked: the official script goes by the answers, and rebuilt files say
            # false throughout.
            if self.get(value, "is_impossible", bool, at) and found:
                raise self.error(at, '"is_impossible" is true, yet "answers" holds some')
        elif not found and self.unanswered is None:
            self.unanswered = at
        answers, starts = tuple(text for text, _ in found), tuple(start for _, start in found)
        identity, question = self.filled(value, "id", at), self.filled(value, "question", at)
        self.questions.append(Question(identity, question, answers, starts, len(self.paragraphs) - 1, source))

    def answer(self, value: dict[str, Any], at: str, context: str) -> tuple[str, int]:
        text = self.get(value, "text", str, at)
        start = self.get(value, "answer_start", int, at) if value.get("answer_start") is not None else -1
        if start < 0 or not context.startswith(text, start):
            start = context.find(text)
            self.misplaced += start < 0
        return text, start

    def version(self, stated: Any) -> Version:
        """Tell the version: what the file says, and where it says neither, whether its questions are flagged.

        Files of version 1.1 are found in which every question carries ``"is_impossible": false``; they are still 1.1.
        """
        number = str(stated).strip().lower().removeprefix("v")
        if number.startswith("2") or (self.flagged and not number.startswith("1")):
            return "2.0"
        if self.unanswered is not None:
            raise self.error(self.unanswered, '"answers" is empty, and the file is not of version 2')
        return "2.0" if any(not question.answers for question in self.questions) else "1.1"

    def slug(self, title: str) -> str:
        """Return a folder name for an article, unique also where upper and lower case are one."""
        plain = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", title)).strip("_")[:60] or "article"
        plain = f"{plain}_" if _RESERVED.match(plain) else plain
        slug, number = plain, 2
        while slug.casefold() in self.slugs:
            slug, number = f"{plain}-{number}", number + 1
        self.slugs.add(slug.casefold())
        return slug

    def items(self, value: dict[str, Any], key: str, at: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the objects of a list, each with its place."""
        for index, item in enumerate(self.get(value, key, list, at)):
            below = f"{at}.{key}[{index}]" if at else f"{key}[{index}]"
            self.require(item, dict, below)
            yield item, below

    def filled(self, value: dict[str, Any], key: str, at: str) -> str:
        text: str = self.get(value, key, str, at)
        if not text.strip():
            raise self.error(at, f'"{key}" is blank')
        return text

    def get(self, value: dict[str, Any], key: str, kind: type, at: str) -> Any:
        if key not in value:
            raise self.error(at, f'"{key}" is missing')
        found = value[key]
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise self.error(at, f'"{key}" must be {_KINDS[kind]}, not {type(found).__name__}')
        if kind is str and not is_text(found):
            raise self.error(at, f'"{key}" is no valid Unicode')
        return found

    def require(self, value: Any, kind: type, at: str) -> None:
        if not isinstance(value, kind):
            raise EvalError(f"{self.where}: {at} must be {_KINDS[kind]}, not {type(value).__name__}", _REMEDY)

    def error(self, at: str, problem: str) -> EvalError:
        return EvalError(f"{self.where}: {at}: {problem}" if at else f"{self.where}: {problem}", _REMEDY)
