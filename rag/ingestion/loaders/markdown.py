"""Markdown: the unchanged text, split into sections at its headings, each with its heading path.

A parser (markdown-it) finds the headings, so a ``#`` inside a code block is none. YAML front matter is a section of
its own; its ``title`` becomes the document's if it is text, a number or a date. Untrusted YAML can take for ever to
parse, so front matter that is longer than a few screens or uses aliases is not parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

import yaml

from rag.ingestion.loaders.text import decode, title_from
from rag.types import Document, Section

__all__ = ["heading_marks", "load_markdown", "markdown_document"]

Path = tuple[tuple[int, str], ...]
"""The headings above a place, each with its depth."""

_LONGEST_FRONT_MATTER = 16_384
_TITLE_TYPES = (str, int, float, date)


@lru_cache(maxsize=2)
def _parser(*, front_matter: bool) -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.front_matter import front_matter_plugin

    parser = MarkdownIt("commonmark")
    return parser.use(front_matter_plugin) if front_matter else parser.enable("table")


def load_markdown(data: bytes, source: str) -> Document:
    """Read Markdown bytes."""
    return markdown_document(decode(data), source, "text/markdown")


def markdown_document(text: str, source: str, media_type: str, title: str = "") -> Document:
    """Split Markdown text into sections. Other formats are converted to Markdown and read by this, too."""
    if media_type == "text/markdown":
        tokens, begin, own_title = _parse_original(text)
        title = title or own_title
    else:  # converted from another format
        tokens, begin = _parser(front_matter=False).parse(text), 0
    marks = [(begin, ()), *((start, tuple(n for _, n in path)) for start, path in _marks(text, tokens, ()))]
    if begin:  # of the text behind front matter
        marks.insert(0, (0, ()))
    ends = [start for start, _ in marks[1:]] + [len(text)]
    sections = tuple(
        Section(start, end, None, headings)
        for (start, headings), end, deeper in zip(marks, ends, [h for _, h in marks[1:]] + [()], strict=True)
        if text[start:end].strip() and not _only_introduces(text[start:end], headings, deeper)
    )
    title = title or next((s.headings[0] for s in sections if s.headings), "") or title_from(source)
    return Document(source, media_type, title, text, sections)


def _parse_original(text: str) -> tuple[list[Any], int, str]:
    """Return the tokens of Markdown that may begin with front matter, where its text begins, and its title."""
    tokens = _parser(front_matter=True).parse(text)
    if not tokens or tokens[0].type != "front_matter":
        return tokens, 0, ""
    title = _title_in(tokens[0].content)
    if title is None:  # only text between two rules
        return _parser(front_matter=False).parse(text), 0, ""
    return tokens, _line_starts(text)[tokens[0].map[1]], title


def heading_marks(text: str, above: Path) -> list[tuple[int, Path]]:
    """Return where the sections of a Markdown text begin, and their heading paths, below the headings ``above``."""
    return [(0, above), *_marks(text, _parser(front_matter=False).parse(text), above)]


def _marks(text: str, tokens: list[Any], path: Path) -> Iterator[tuple[int, Path]]:
    """Yield where a section begins: at a heading."""
    lines = _line_starts(text)
    for token, inline in pairwise([*tokens, None]):
        # Only headings at the top level begin a section; one inside a quote or a list belongs to it.
        if token.level != 0:
            continue
        if token.type == "heading_open":
            depth, name = int(token.tag[1]), _plain(inline)
            path = tuple((d, n) for d, n in path if d < depth)
            if name:
                path = (*path, (depth, name))
            yield lines[token.map[0]], path


def _only_introduces(text: str, headings: tuple[str, ...], deeper: tuple[str, ...]) -> bool:
    """Return whether a section is a heading without text, which the heading path of the next section contains."""
    bare = bool(headings) and len([line for line in text.splitlines() if line.strip()]) == 1
    return bare and len(deeper) > len(headings) and deeper[: len(headings)] == headings


def _plain(inline: Any) -> str:
    """Return a heading's words without its markup."""
    shown = ("text", "code_inline", "softbreak", "hardbreak")
    parts = (child.content or " " for child in inline.children or () if child.type in shown)
    return " ".join("".join(parts).split())


def _line_starts(text: str) -> list[int]:
    """Return the offset at which each line begins, and the end of the text."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(min(starts[-1] + len(line) + 1, len(text)))
    return starts


def _title_in(front_matter: str) -> str | None:
    """Return the title in front matter, an empty string if it has none; None if it is only text between two rules."""
    looks_like_yaml = re.match(r"\s*[\w-]+:", front_matter) is not None
    try:
        if len(front_matter) > _LONGEST_FRONT_MATTER or _has_aliases(front_matter):
            return "" if looks_like_yaml else None
        values = yaml.safe_load(front_matter)
        if not isinstance(values, dict):
            return None
        title = values.get("title")
        return str(title).strip() if isinstance(title, _TITLE_TYPES) and not isinstance(title, bool) else ""
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: an impossible date or a too long number
        return "" if looks_like_yaml else None


def _has_aliases(content: str) -> bool:
    return "*" in content and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content))
