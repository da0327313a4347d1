"""Read SQuAD's JSON into a :class:`~eval.datasets.Dataset`; every error names the key and the place.

The format: ``{"version", "data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}], "is_impossible"}]}]}]}``. ``version``, ``title``, ``answer_start`` and ``is_impossible`` are optional.
As in the official script, a question without ``answers`` is unanswerable.
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

_REMEDY = "correct the file; docs/evaluation.md shows SQuAD's format"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)$")  # names that Windows reserves
_KINDS = {str: "a text", list: "a list", dict: "an object", bool: "true or false", int: "a whole number"}


def squad_dataset(value: Any, where: str) -> Dataset:
    """Return the dataset with an empty name and digest. ``where`` names the file in errors.

    Raises :class:`~eval.errors.EvalError` for a missing key or a wrong type.
    """
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
    """Collects the questions and paragraphs of one file."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.questions: list[Question] = []
        self.paragraphs: list[Paragraph] = []
        self.misplaced = 0
        self.flagged = False  # whether any question has is_impossible
        self.unanswered: str | None = None  # the place of the first question without answers and without is_impossible
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
        answers = [self.answer(answer, below, context) for answer, below in self.items(value, "answers", at)]
        if "is_impossible" in value:
            self.flagged = True
            # Without answers the flag is ignored: the official script uses the answers, and rebuilt files set it to
            # false everywhere.
            if self.get(value, "is_impossible", bool, at) and answers:
                raise self.error(at, '"is_impossible" is true, but "answers" is not empty')
        elif not answers and self.unanswered is None:
            self.unanswered = at
        texts, starts = tuple(text for text, _ in answers), tuple(start for _, start in answers)
        identity, question = self.identity(value, at), self.filled(value, "question", at)
        self.questions.append(Question(identity, question, texts, starts, len(self.paragraphs) - 1, source))

    def answer(self, value: dict[str, Any], at: str, context: str) -> tuple[str, int]:
        text = self.get(value, "text", str, at)
        start = self.get(value, "answer_start", int, at) if value.get("answer_start") is not None else -1
        if start < 0 or not context.startswith(text, start):
            start = context.find(text)
            self.misplaced += start < 0
        return text, start

    def version(self, stated: Any) -> Version:
        """Return the stated version; without one, 2.0 if a question has ``is_impossible`` or no answers, else 1.1.

        Some files that state 1.1 have ``"is_impossible": false`` in every question; they remain 1.1.
        """
        number = str(stated).strip().lower().removeprefix("v")
        if number.startswith("2") or (self.flagged and not number.startswith("1")):
            return "2.0"
        if self.unanswered is not None:
            raise self.error(self.unanswered, '"answers" is empty, and the file is not of version 2')
        return "2.0" if any(not question.answers for question in self.questions) else "1.1"

    def slug(self, title: str) -> str:
        """Return a folder name for an article, unique also on file systems that ignore case."""
        plain = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", title)).strip("_")[:60] or "article"
        plain = f"{plain}_" if _RESERVED.match(plain) else plain
        slug, number = plain, 2
        while slug.casefold() in self.slugs:
            slug, number = f"{plain}-{number}", number + 1
        self.slugs.add(slug.casefold())
        return slug

    def items(self, value: dict[str, Any], key: str, at: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the objects of a list, each with its place in the file."""
        for index, item in enumerate(self.get(value, key, list, at)):
            below = f"{at}.{key}[{index}]" if at else f"{key}[{index}]"
            self.require(item, dict, below)
            yield item, below

    def filled(self, value: dict[str, Any], key: str, at: str) -> str:
        text: str = self.get(value, key, str, at)
        if not text.strip():
            raise self.error(at, f'"{key}" is blank')
        return text

    def identity(self, value: dict[str, Any], at: str) -> str:
        """Return the id. Some files number their questions; prediction files are keyed by text all the same."""
        number = value.get("id")
        if isinstance(number, int) and not isinstance(number, bool):
            return str(number)
        return self.filled(value, "id", at)

    def get(self, value: dict[str, Any], key: str, kind: type, at: str) -> Any:
        if key not in value:
            raise self.error(at, f'"{key}" is missing')
        member = value[key]
        if not isinstance(member, kind) or (kind is int and isinstance(member, bool)):
            raise self.error(at, f'"{key}" must be {_KINDS[kind]}, not {type(member).__name__}')
        if kind is str and not is_text(member):
            raise self.error(at, f'"{key}" is not valid Unicode')
        return member

    def require(self, value: Any, kind: type, at: str) -> None:
        if not isinstance(value, kind):
            raise EvalError(f"{self.where}: {at} must be {_KINDS[kind]}, not {type(value).__name__}", _REMEDY)

    def error(self, at: str, problem: str) -> EvalError:
        return EvalError(f"{self.where}: {at}: {problem}" if at else f"{self.where}: {problem}", _REMEDY)
