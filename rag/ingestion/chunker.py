"""Documents to chunks: spans of a section with exact character offsets, sized in the embedder's own tokens.

langchain-text-splitters chooses where to split. It returns pieces that lose nothing and do not overlap, so their
offsets are running sums. (Its own ``add_start_index`` searches for the text of each chunk; with sizes in tokens it
starts too late to find a repeated or overlapping one.) Overlaps are added here, by moving the start of a chunk back to
an earlier word or, in a table, an earlier row. Source code is split where langchain knows that definitions of its
language begin. Small sections are packed first (:mod:`rag.ingestion.packing`).

A table that is too long for one chunk is cut between rows. Its later chunks have its caption and its column names as
their last headings, for Markdown as for the tables that loaders write. A chunk together with its context line (title,
words of the file's name, and headings) never exceeds what the embedder reads.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from indexes import NewChunk, Section
from rag.embedding.base import Embedder
from rag.ingestion.loaders.formats import language_of
from rag.ingestion.packing import join_across_pages, pack_sections
from rag.ingestion.script_borders import CLAUSE_END, SENTENCE_END, middle_border, units_backwards
from rag.ingestion.table_spans import TableSpan, row_start, rows_label, table_at, tables_in
from rag.text import columns_before, context_before
from rag.types import Document

__all__ = ["CHUNKING_RULES", "Chunker", "ChunkerSettings", "EmbeddedText"]

CHUNKING_RULES = 3
"""The version of how texts are chunked and of what is embedded; an index records it. Version 1 recorded none."""

# Paragraph, line, sentence, clause, word: the first that occurs is tried first. Longer words are cut at characters.
_SEPARATORS = [r"\n\s*\n", r"\n", SENTENCE_END, CLAUSE_END, r"\s+"]
_HEADING_SEPARATOR = " > "
_LONGEST_CONTEXT = 0.25  # of what the embedder reads; the larger part is for the text
_LONGEST_TABLE_CONTEXT = 0.4  # the same where the context has the column names of the rows
_CHARACTERS_OF_A_TOKEN = 20  # at most; prose has four or five
_CACHED_LENGTH = 1000  # characters; the counts of longer texts are not cached
_STRETCH = 20_000  # characters that the tokenizer reads at once
_COUNTED_ROWS = 256  # rows of a table that it reads at once


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """Sizes are in tokens, special tokens excluded. ``embed_headings`` embeds a context line too.

    ``size`` is the most in a chunk, ``overlap`` what neighbors share, ``pack`` the most to which small sections are
    merged; 0 merges none.
    """

    size: int = 200
    overlap: int = 32
    pack: int = 150
    embed_headings: bool = True


class EmbeddedText(NamedTuple):
    """What the embedder reads of a chunk, ``str()`` of it: the context line (may be empty) and the chunk's text.

    The two are joined only for embedding: a second copy of a large document's text would fill the memory.
    """

    context: str
    text: str

    def __str__(self) -> str:
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def length(self) -> int:
        """Its number of characters."""
        return len(self.context) + len(self.text) + bool(self.context)


class Chunker:
    """Splits documents into chunks. Raises ``ValueError`` for impossible settings."""

    def __init__(self, embedder: Embedder, settings: ChunkerSettings | None = None) -> None:
        settings = settings or ChunkerSettings()
        if settings.overlap >= settings.size:
            raise ValueError(
                f"chunking.overlap is {settings.overlap} and must be less than chunking.size, {settings.size}"
            )
        self._special = embedder.count_tokens([""])[0]
        readable = embedder.max_tokens - self._special
        if settings.size > readable:
            raise ValueError(f"chunking.size is {settings.size}, but the embedder reads only {readable} tokens")
        self._embedder = embedder
        self._settings = settings
        self.seconds_counting = 0.0  # spent counting tokens so far, which takes most of the time
        # The splitter counts pieces twice, to split and to merge, and words repeat.
        self._count_short = lru_cache(maxsize=65536)(self._count_one)

    def chunk(self, document: Document) -> tuple[NewChunk, ...]:
        """Return the document's chunks in order; ``document.text[c.start:c.end] == c.text`` for each.

        Raises ``ValueError`` for a text that cannot be split.
        """
        chunks = []
        language = language_of(document.media_type)
        pages = _Pages(document.sections)
        for section in self._sections(document):
            tables = tables_in(document.text, section.start, section.end)
            room = self._room(document, section, tables)
            for start, end in self._section_spans(document.text, section, tables, room, language):
                text = document.text[start:end]
                headings = _headings(section, tables, start, end)
                key = hashlib.sha256(str(EmbeddedText(self._context(document, headings, text), text)).encode()).digest()
                chunks.append(NewChunk(start, end, text, key, pages.at(start, section.page), headings))
        return tuple(chunks)

    def embedded_texts(self, document: Document, chunks: Sequence[NewChunk]) -> list[EmbeddedText]:
        """Return what the embedder reads of each chunk; ``vector_key`` is its SHA-256."""
        contexts: dict[tuple[tuple[str, ...], bool], str] = {}
        texts = []
        for chunk in chunks:
            key = chunk.headings, bool(columns_before(chunk.headings, chunk.text))
            if key not in contexts:
                contexts[key] = self._context(document, chunk.headings, chunk.text)
            texts.append(EmbeddedText(contexts[key], chunk.text))
        return texts

    def _sections(self, document: Document) -> Iterable[Section]:
        """Return the document's sections, joined where a paragraph crosses a page, small ones packed."""
        most = min(self._settings.pack, self._settings.size)
        sections = join_across_pages(document.text, document.sections)
        return pack_sections(document.text, sections, self._count, most) if most else sections

    def _room(self, document: Document, section: Section, tables: Sequence[TableSpan]) -> int:
        """Return the most tokens of a chunk of this section, whichever context line it gets."""
        paths = {(section.headings, ""), *(((*section.headings, *t.headings(t.end - 1)), "|") for t in tables)}
        contexts = filter(None, (self._context(document, *path) for path in paths))
        longest = max((self._count(context + "\n") for context in contexts), default=0)
        return min(self._settings.size, self._embedder.max_tokens - self._special - longest)

    def _context(self, document: Document, headings: tuple[str, ...], text: str) -> str:
        """Return what is embedded before a chunk's text.

        If it would leave too little room for the text, its headings are left out from the left, then its title, then
        the last column names.
        """
        if not self._settings.embed_headings:
            return ""
        line, _, row = context_before(document.source, document.title, headings, text).partition("\n")
        if not row and columns_before(headings, text):
            line, row = "", line
        most = int(self._embedder.max_tokens * (_LONGEST_TABLE_CONTEXT if row else _LONGEST_CONTEXT))
        while row and self._count(row) > most:
            row = row[: max(row.rfind("|", 0, len(row) - 2), len(row) // 2)].rstrip()
        parts = line.split(_HEADING_SEPARATOR)
        while parts and self._count("\n".join(filter(None, (_HEADING_SEPARATOR.join(parts), row)))) > most:
            parts.pop(1 if len(parts) > 2 else 0)
        return "\n".join(filter(None, (_HEADING_SEPARATOR.join(parts), row)))

    def _count(self, text: str) -> int:
        """Count a text's tokens; a number above what any chunk may have if there are more.

        A long text is counted stretch by stretch, only as far as necessary: the tokenizer would take 670 MB of memory
        for 5 MB of text. There is at least one for :data:`_CHARACTERS_OF_A_TOKEN` characters, because white space has
        none: so a chunk has a limit in characters, too, for everything that reads it.
        """
        if len(text) <= _CACHED_LENGTH:
            return max(self._count_short(text), len(text) // _CHARACTERS_OF_A_TOKEN)
        least = len(text) // _CHARACTERS_OF_A_TOKEN
        if least > self._embedder.max_tokens:
            return least
        count = start = 0
        while start < len(text) and count <= self._embedder.max_tokens:
            end = _end_of_stretch(text, start)
            count += self._count_one(text[start:end])
            start = end
        return max(count, least)

    def _count_one(self, text: str) -> int:
        if not text:
            return 0
        started = time.perf_counter()
        tokens = self._embedder.count_tokens([text])[0]
        self.seconds_counting += time.perf_counter() - started
        # At least one: the splitter loses pieces of no length, such as characters that the tokenizer ignores.
        return max(tokens - self._special, 1)

    def _section_spans(
        self, text: str, section: Section, tables: Sequence[TableSpan], room: int, language: str | None
    ) -> list[tuple[int, int]]:
        """Return the spans of a section, in characters of the whole text.

        If the section is split, its heading line is left out: its words are in every chunk's heading path.
        """
        begin = section.start
        if self._count(text[begin : section.end]) > room:
            begin += _heading_length(text[begin : section.end], section.headings)
        spans: list[tuple[int, int]] = []
        for table in tables:
            if self._count(text[table.top : table.end]) > room:
                spans += self._spans(text, (begin, table.top), tables, room, language)
                spans += self._table_spans(text, table, room, language)
                begin = table.end
        spans += self._spans(text, (begin, section.end), tables, room, language)
        return self._merged(text, spans, tables, room)

    def _merged(
        self, text: str, spans: list[tuple[int, int]], tables: Sequence[TableSpan], room: int
    ) -> list[tuple[int, int]]:
        """Merge the text before and after a long table with its parts where both fit into one chunk."""
        merged: list[tuple[int, int]] = []
        for start, end in spans:
            if merged:
                above = merged[-1][0]
                in_table = table_at(tables, start) is not None or table_at(tables, above) is not None
                if (in_table or any(table.top == start for table in tables)) and self._count(text[above:end]) <= room:
                    merged[-1] = (above, end)
                    continue
            merged.append((start, end))
        return merged

    def _table_spans(self, text: str, table: TableSpan, room: int, language: str | None) -> list[tuple[int, int]]:
        """Return spans of whole rows of a table; the first begins with its caption and header.

        Rows do not overlap. A row that is too long by itself is split as text.
        """
        lines = list(zip(table.rows, [*table.rows[1:], table.end], strict=True))
        counts = self._row_counts([text[begin:end] for begin, end in lines])
        head = (table.top, table.rows[0] if table.rows else table.end)
        spans: list[tuple[int, int]] = []
        begin, tokens = head[0], 0
        numbers = [self._count(text[slice(*head)]), *counts]
        even = sum(numbers) / math.ceil(sum(numbers) / room)  # parts of one size, not a last one of one row
        for place, ((start, end), count) in enumerate(zip([head, *lines], numbers, strict=True)):
            full = tokens + count > room or (tokens + count / 2 > even and place > 1)
            if full and begin < start:
                spans += self._fitting(text, begin, start, room, language)
                begin, tokens = start, 0
            tokens += count
            if tokens > room:
                spans += self._spans(text, (start, end), (), room, language)
                begin, tokens = end, 0
        return spans + self._fitting(text, begin, table.end, room, language)

    def _fitting(self, text: str, start: int, end: int, room: int, language: str | None) -> list[tuple[int, int]]:
        """Return the span as one if it fits: joined rows can have more tokens than the sum of their counts."""
        span = _trim(text, start, end)
        return (
            [span]
            if span and self._count(text[slice(*span)]) <= room
            else self._spans(text, (start, end), (), room, language)
        )

    def _row_counts(self, rows: Sequence[str]) -> Iterator[int]:
        for first in range(0, len(rows), _COUNTED_ROWS):
            batch = rows[first : first + _COUNTED_ROWS]
            short = [row for row in batch if len(row) <= _CACHED_LENGTH]
            started = time.perf_counter()
            counts = iter(self._embedder.count_tokens(short) if short else ())
            self.seconds_counting += time.perf_counter() - started
            for row in batch:
                yield next(counts) - self._special if len(row) <= _CACHED_LENGTH else self._count(row)

    def _spans(
        self, text: str, part: tuple[int, int], tables: Sequence[TableSpan], room: int, language: str | None
    ) -> list[tuple[int, int]]:
        """Return spans of at most ``room`` tokens that cover every character of a part except white space."""
        position, end = part
        if self._count(text[position:end]) <= room:
            whole = _trim(text, position, end)
            return [whole] if whole else []
        spans: list[tuple[int, int]] = []
        overlap = min(self._settings.overlap, room // 2)
        for piece in self._pieces(text[position:end], max(room - overlap, 1), language):
            span = _trim(text, position, position + len(piece))
            position += len(piece)
            if span:
                spans.append(span)
        return [
            (self._earlier_start(text, tables, spans[n - 1][0], (start, end), overlap, room) if n else start, end)
            for n, (start, end) in enumerate(spans)
        ]

    def _pieces(self, text: str, room: int, language: str | None) -> list[str]:
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        separators = _separators_of_code(language) if language else None
        splitter = RecursiveCharacterTextSplitter(
            separators=separators or _SEPARATORS,
            is_separator_regex=True,
            keep_separator="start" if separators else "end",  # the separator begins a definition
            strip_whitespace=False,
            chunk_size=room,
            chunk_overlap=0,
            length_function=self._count,
        )
        pieces = splitter.split_text(text)
        if "".join(pieces) != text:
            raise ValueError("the splitter lost or changed text")
        return [part for piece in pieces for part in self._halve(piece, room)]

    def _halve(self, piece: str, room: int) -> list[str]:
        """Split a piece that is still too long, such as a word, between characters with all of their marks."""
        if self._count(piece) <= room:
            return [piece]
        middle = middle_border(piece)
        if not middle:
            return [piece]
        return [*self._halve(piece[:middle], room), *self._halve(piece[middle:], room)]

    def _earlier_start(
        self, text: str, tables: Sequence[TableSpan], previous: int, span: tuple[int, int], overlap: int, room: int
    ) -> int:
        """Move a chunk's start back to the earliest word start that adds at most ``overlap`` tokens.

        Where no spaces part words, it is the earliest start of a sentence or a clause, or else of a character. In a
        table it is the start of a row.
        """
        start, end = span
        if not overlap:
            return start
        best, inside, tokens = start, start, 0
        for unit in units_backwards(text, previous + 1, start):
            # Counting word by word uses the cache. The sum is at least the count of the whole stretch.
            tokens += self._count(text[unit.start : unit.end])
            if tokens > overlap:
                break
            if unit.begins_word:
                best = unit.start
            else:
                inside = unit.start
        best = row_start(tables, best if best < start else inside, start)
        return best if self._count(text[best:end]) <= room else start


class _Pages:
    """Where the pages of a document begin."""

    def __init__(self, sections: Sequence[Section]) -> None:
        starts = [(section.start, section.page) for section in sections if section.page is not None]
        self._starts = [start for start, _ in starts]
        self._pages = [page for _, page in starts]

    def at(self, position: int, page: int | None) -> int | None:
        """Return the page of a position in a section that begins on ``page``."""
        if page is None:
            return None
        n = bisect_right(self._starts, position) - 1
        return self._pages[n] if n >= 0 else page


def _headings(section: Section, tables: Sequence[TableSpan], start: int, end: int) -> tuple[str, ...]:
    """Return the headings of a chunk: those of its section, and what it lacks of the table in which it begins."""
    headings = section.headings
    if headings:
        headings = (*headings[:-1], rows_label(headings[-1], tables, start, end))
    table = table_at(tables, start)
    return (*headings, *(part for part in table.headings(start) if part not in headings)) if table else headings


@lru_cache(maxsize=64)
def _separators_of_code(language: str) -> list[str] | None:
    """Return where langchain splits a language, None for a language that it does not know."""
    from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

    try:
        return RecursiveCharacterTextSplitter.get_separators_for_language(Language(language))
    except ValueError:
        return None


def _heading_length(text: str, headings: tuple[str, ...]) -> int:
    """Return the length of a section's heading line, 0 if the line has more than the heading's words."""
    if not headings:
        return 0
    line = re.match(rf"\s*#{{1,6}}[ \t]+{re.escape(headings[-1])}[ \t]*#*[ \t]*(?:\n|$)", text)
    return line.end() if line else 0


def _end_of_stretch(text: str, start: int) -> int:
    """Return where a stretch of a long text ends: before a space if possible, so that no word is counted twice."""
    most = start + _STRETCH
    if most >= len(text):
        return len(text)
    space = max(text.rfind(" ", start, most), text.rfind("\n", start, most))
    return space if space > start else most


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the span without white space at its ends, None if it has nothing else."""
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(stripped)
