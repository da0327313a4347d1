"""SQuAD-format files as training examples, with the titles of their articles.

Spans that are not in their context are counted, and named on demand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rag.errors import InputError
from rag.text import counted, one_line
from rag.training.data.corpus import Example, Span

__all__ = ["read_squad"]

_REMEDY = "name a SQuAD-format file"
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number"}


def read_squad(path: Path, *, strict: bool = False) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Return the examples of a SQuAD-format file, and notes about what was left out.

    An answer whose ``answer_start`` does not point at its text is left out, a question that loses all of its answers
    too, and a blank one. With ``strict`` the first such answer is an error. A question with no ``answers``, or one
    that ``is_impossible``, has none. Raises :class:`~rag.errors.InputError` naming the key and place.
    """
    try:
        tree = json.loads(path.read_bytes().decode("utf-8-sig"))
    except RecursionError:
        raise InputError(f"{path} cannot be read as JSON: it is nested too deeply", _REMEDY) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}", _REMEDY) from None
    reader = _Reader(path)
    reader.read(tree)
    wrong = reader.wrong
    if wrong and strict:
        raise InputError(
            f"{path}: {wrong[0]} ({counted(len(wrong), 'such answer')})", "correct the file, or read it not strictly"
        )
    notes = []
    if wrong:
        are = counted(len(wrong), f"answer of {path.name} is", f"answers of {path.name} are")
        notes.append(f"{are} not where answer_start says, first {wrong[0]}: left out")
    if reader.blank:
        blank = (
            f"question of {path.name} is blank, or its context is",
            f"questions of {path.name} are blank, or their context is",
        )
        notes.append(f"{counted(reader.blank, *blank)}: left out")
    return tuple(reader.examples), tuple(notes)


class _Reader:
    """The examples of a file, and what was left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.examples: list[Example] = []
        self.wrong: list[str] = []
        self.blank = 0
        self.title = ""  # of the article that is being read

    def read(self, tree: Any) -> None:
        for a, article in enumerate(self.get(tree, "data", list, "")):
            title = self.get(article, "title", str, f"data[{a}]") if "title" in article else ""
            self.title = one_line(title.replace("_", " "))
            for p, paragraph in enumerate(self.get(article, "paragraphs", list, f"data[{a}]")):
                where = f"data[{a}].paragraphs[{p}]"
                context = self.get(paragraph, "context", str, where)
                for q, asked in enumerate(self.get(paragraph, "qas", list, where)):
                    self.question(asked, context, f"{where}.qas[{q}]")

    def question(self, asked: Any, context: str, where: str) -> None:
        question = self.get(asked, "question", str, where).strip()
        identity = asked.get("id")
        if not isinstance(identity, str | int):
            identity = self.get(asked, "id", str, where)
        impossible = "is_impossible" in asked and self.get(asked, "is_impossible", bool, where)
        answers = [] if impossible else self.get(asked, "answers", list, where)
        spans = [self.answer(a, context, f"{where}.answers[{n}]", identity) for n, a in enumerate(answers)]
        found = tuple(span for span in spans if span is not None)
        if not question or not context.strip():
            self.blank += 1
        elif found or not answers:
            self.examples.append(Example(str(identity), question, context, found, self.title))

    def answer(self, answer: Any, context: str, where: str, identity: str | int) -> Span | None:
        text = self.get(answer, "text", str, where)
        start = self.get(answer, "answer_start", int, where)
        if not text.strip() or start < 0 or not context.startswith(text, start):
            self.wrong.append(f"question {identity}: {text[:60]!r} does not stand at {start}")
            return None
        start += len(text) - len(text.lstrip())  # no token contains the space around an answer
        return start, start + len(text.strip())

    def get(self, node: Any, key: str, kind: type, where: str) -> Any:
        place = where or "the top"
        if not isinstance(node, dict):
            raise InputError(f"{self.path}: {place} is no object", _REMEDY)
        if key not in node:
            raise InputError(f"{self.path}: {place} has no key {key!r}", _REMEDY)
        found = node[key]
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise InputError(f"{self.path}: {key!r} of {place} must be {_KINDS[kind]}, not {_name(found)}", _REMEDY)
        return found


def _name(value: Any) -> str:
    return _KINDS.get(type(value), "a number" if isinstance(value, float) else "null")
