"""The phrases of invented documents, read from ``synthetic.yaml``: attributes, definitions, tables and words.

The file's first lines describe its notation. It is part of the package, so a fault in it is a bug, not a user's error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

__all__ = ["WHOLE_PHRASES", "Attribute", "Column", "Domain", "Phrases", "Table", "load_phrases"]

WHOLE_PHRASES = frozenset({"yesno", "why", "how", "list", "definition"})
"""Kinds of attribute whose answer is marked in the statement; all others have a value as their answer."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that a document states: ``kind`` is a kind of value or one of :data:`WHOLE_PHRASES`."""

    name: str
    kind: str
    heading: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the first question in telegram style, which also labels a ``key: value`` line, or ""."""
        words = {"how", "what", "who", "when", "where", "can", "which", "why", "is", "do", "after", "whose"}
        for question in self.questions:
            if not question.endswith("?") and not words & set(question.lower().split()):
                return question
        return ""


@dataclass(frozen=True, slots=True)
class Domain:
    """A kind of document. ``suffixes`` name the entity at the end of a question, ``openings`` before a statement."""

    name: str
    entity: str
    titles: tuple[str, ...]
    suffixes: tuple[str, ...]
    openings: tuple[str, ...]
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, with questions about it: ``{r}`` is the row and ``{r2}`` its second key."""

    header: str
    kind: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows are identified by one or two key columns."""

    name: str
    keys: tuple[Column, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The whole file. ``older[kind]`` are sentences about a value that was replaced, with ``{w}`` for it."""

    domains: tuple[Domain, ...]
    anywhere: tuple[Attribute, ...]
    boilerplate: tuple[str, ...]
    older: Mapping[str, tuple[str, ...]]
    definitions: tuple[tuple[str, str], ...]
    define_statements: tuple[str, ...]
    define_questions: tuple[str, ...]
    tables: tuple[Table, ...]
    table_questions: tuple[str, ...]
    two_key_questions: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]


@cache
def load_phrases() -> Phrases:
    """Read the file once."""
    raw = yaml.safe_load((resources.files(__package__) / "synthetic.yaml").read_text(encoding="utf-8"))
    terms = [line.split(" = ", 1) for line in raw["definitions"]]
    return Phrases(
        domains=tuple(_domain(name, fields) for name, fields in raw["domains"].items()),
        anywhere=_attributes(raw["any"]),
        boilerplate=tuple(raw["boilerplate"]),
        older={kind: tuple(lines) for kind, lines in raw["older"].items()},
        definitions=tuple((term, meaning) for term, meaning in terms),
        define_statements=tuple(raw["define"]["say"]),
        define_questions=tuple(raw["define"]["ask"]),
        tables=tuple(_table(key, lines) for key, lines in raw["tables"].items()),
        table_questions=tuple(raw["asktable"]),
        two_key_questions=tuple(raw["asktwo"]),
        words={kind: tuple(line.split("|")) for kind, line in raw["words"].items()},
    )


def _domain(name: str, fields: Mapping[str, Any]) -> Domain:
    return Domain(
        name=name,
        entity=fields["entity"],
        titles=tuple(fields["titles"].split("; ")),
        suffixes=tuple(fields["of"].split("; ")),
        openings=tuple(fields["at"].split(";")),
        attributes=_attributes(fields["facts"]),
    )


def _attributes(blocks: Mapping[str, str]) -> tuple[Attribute, ...]:
    found = []
    for key, block in blocks.items():
        name, kind, heading = _head(key)
        lines = [line.strip().replace("\\n", "\n") for line in block.strip().split("\n")]
        found.append(
            Attribute(
                name,
                kind,
                heading,
                tuple(line for line in lines if not line.startswith("? ")),
                tuple(line[2:] for line in lines if line.startswith("? ")),
            )
        )
    return tuple(found)


def _head(key: str) -> tuple[str, str, str]:
    """Split "name | kind | heading", where a kind may contain bars itself."""
    name, rest = key.split(" | ", 1)
    kind, heading = rest.rsplit(" | ", 1)
    return name, kind, heading


def _table(key: str, block: str) -> Table:
    name, keys = key.split(" | ")
    return Table(
        name,
        tuple(_column(part) for part in keys.removesuffix(": ").rstrip(":").split(" + ")),
        tuple(_column(line.strip()) for line in block.strip().split("\n")),
    )


def _column(text: str) -> Column:
    head, *questions = text.split(" ? ")
    header, kind = head.split(" = ")
    # "What…? ? Who…?" splits at the mark before the second question, so its first question keeps its own mark.
    return Column(header.strip(), kind.strip(), tuple(question.strip() for question in questions))
