"""Output: data to stdout, everything else to stderr. Control characters of documents never reach the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TextIO

import typer

from rag.errors import RagError, UsageError
from rag.ingestion.loaders.formats import has_slides
from rag.text import one_line

if TYPE_CHECKING:
    from indexes import DocumentRow
    from rag.ops.explain import Attribution
    from rag.types import Answer, Citation, Duplicate, Passage

__all__ = [
    "checked_stream",
    "clean",
    "document_json",
    "documents_json",
    "note",
    "out",
    "out_json",
    "out_text",
    "page_of",
    "place",
    "print_attribution",
    "print_passage",
    "print_sources",
]

_MAX_SHOWN = 5
_NEAREST = 3  # passages shown with their text where there is no answer
# JSON has these only inside strings, where an escape means the same.
_INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return the text without control characters, with which a document could move the cursor or set colours."""
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() or c in "\u00a0\u202f\u00ad\u200b"))


def out(text: str = "", *, newline: bool = True) -> None:
    """Write text to stdout."""
    _write(clean(text) + ("\n" if newline else ""))


def out_json(value: Any, *, indent: int | None = 2) -> None:
    """Write one JSON value to stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    _write(_INVISIBLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text) + "\n")


def out_text(text: str) -> None:
    """Write a document's text to stdout: to a pipe or file as it is, in UTF-8, to a terminal as :func:`out` does."""
    stream = sys.stdout
    if stream is None or not isinstance(stream, io.TextIOWrapper) or stream.isatty():
        out(text, newline=not text.endswith("\n"))
        return
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "surrogatepass"))
    stream.buffer.flush()


def _write(text: str) -> None:
    if sys.stdout is None:
        raise UsageError("stdout is closed", "leave out `>&-`, or write to a file")
    sys.stdout.write(text)
    sys.stdout.flush()


class _CheckedFile(io.FileIO):
    """The file of stdout or stderr. After a write has failed, everything later is discarded.

    A failure of stdout raises :class:`~rag.errors.RagError`, or ends the command silently if the reader of a pipe is
    gone, as in ``rag search … | head``. A failure of stderr cannot be reported anywhere.
    """

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.fileno() != 1:
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(0) from None
            raise RagError(
                f"stdout cannot be written: {error.strerror}", "free disk space, or write to another place"
            ) from None


def checked_stream(stream: TextIO) -> TextIO:
    """Return stdout or stderr so that a failed write is reported once, and missing characters are escaped."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_CheckedFile(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def note(text: str) -> None:
    """Write one line to stderr."""
    typer.echo(clean(text).replace("\n", " "), err=True)


def place(passage: Passage) -> str:
    """Return the place of a passage: file, page and headings."""
    parts = [passage.source]
    if passage.page is not None:
        parts.append(page_of(passage.source, passage.page))
    if passage.headings:
        parts.append(" > ".join(passage.headings))
    return " ".join(" · ".join(parts).splitlines())


def page_of(source: str, page: int) -> str:
    """Return the name of a page or slide."""

    return f"{'slide' if has_slides(source) else 'page'} {page}"


def _also_in(passage: Passage) -> str:
    """Return the places of a passage's duplicates."""
    places = [_at(copy) for copy in passage.duplicates[:_MAX_SHOWN]]
    more = len(passage.duplicates) - len(places)
    near = "" if all(copy.similarity == 1.0 for copy in passage.duplicates) else " or nearly so"
    return f"the same{near} in {', '.join(places)}{f' and {more} more' if more else ''}"


def _at(copy: Duplicate) -> str:
    where = copy.source if copy.page is None else f"{copy.source} {page_of(copy.source, copy.page)}"
    return " ".join(where.splitlines())


def document_json(row: DocumentRow) -> dict[str, Any]:
    """Return a document of the index as JSON values."""
    return {**asdict(row), "content_sha256": row.content_sha256.hex() if row.content_sha256 else None}


def documents_json(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of documents that can be found, of stale ones among them, and of failed ones."""
    return {"documents": counts["ready"] + counts["stale"], "stale": counts["stale"], "failed": counts["failed"]}


def print_passage(number: int, passage: Passage) -> None:
    """Print one retrieved passage."""
    scores = [f"score {passage.score:.3f}"]
    if passage.dense is not None:
        scores.append(f"dense {passage.dense:.3f} (rank {passage.dense_rank})")
    if passage.lexical is not None:
        scores.append(f"lexical {passage.lexical:.2f} (rank {passage.lexical_rank})")
    if passage.reranked is not None:
        scores.append(f"reranked {passage.reranked:+.2f} (rank {passage.fused_rank} before)")
    out(f"[{number}] {place(passage)}")
    out(f"    {', '.join(scores)}")
    if passage.duplicates:
        out(f"    {_also_in(passage)}")
    _print_text(passage)
    out()


def _print_text(passage: Passage) -> None:
    for line in passage.text.splitlines():
        if line.strip():
            out(f"    {line}")


_WHY = {
    "nothing relevant": "no passage is similar enough to the question",
    "low confidence": "its confidence is below the threshold",
    "stop": "it found none in the passages",
    "not calculated": "it only extracts; a language model calculates (--generator vllm)",
    "unknown script": "it reads only Latin script, and no passage has the question's words; see --generator vllm",
}


def print_sources(answer: Answer) -> None:
    """Print numbered citations, the claims that were not found, or the nearest passages, and what answered."""
    out()
    if answer.citations:
        out("Sources")
        for number, citation in enumerate(answer.citations, start=1):
            _print_citation(number, citation)
    for claim in answer.claims:
        text = one_line(answer.text[claim.start : claim.end])
        if claim.outcome == "contradicted":
            numbers = "".join(f" [{n + 1}]" for n in claim.citations)
            out(f"Contradicted: “{text}”: the source says {claim.instead}{numbers}")
        elif claim.outcome == "not_found":
            out(f"Not found in the passages: “{text}”")
    if not answer.citations and answer.passages:
        if answer.sentences:
            out()
        _print_passages(answer)
    out()
    if answer.abstained:
        nothing = answer.finish_reason == "nothing relevant" and not answer.passages
        why = "there is no passage" if nothing else _WHY.get(answer.finish_reason, answer.finish_reason)
        out(f"No answer by {answer.generator}: {why}")
    else:
        sure = "not rated" if answer.confidence is None else f"confidence {answer.confidence:.2f}"
        out(f"Answered by {answer.generator}, {sure}")
    for remark in answer.notes:
        note(f"note: {remark.text}")


def _print_passages(answer: Answer) -> None:
    """Print where an answer without a citation may be checked; for an abstention, with the passages' text."""
    out("Nearest passages" if answer.abstained else "Passages read")
    for number, passage in enumerate(answer.passages[: _NEAREST if answer.abstained else _MAX_SHOWN], start=1):
        out(f"[{number}] {place(passage)}")
        if answer.abstained:
            _print_text(passage)


def print_attribution(attributions: Sequence[Attribution]) -> None:
    """Print the answer without each passage, the largest change first."""
    out("\nThe answer without each passage, the largest change first")
    for attribution in attributions:
        same = "the same" if attribution.similarity == 1.0 else f"similarity {attribution.similarity:.2f}"
        out(f"- {place(attribution.passage)}")
        out(f"    {same}: {one_line(attribution.without)}")


def _print_citation(number: int, citation: Citation) -> None:
    out(f"[{number}] {place(replace(citation.passage, page=citation.page))}")
    out(f"    “{one_line(citation.quote)}” (characters {citation.start}-{citation.end})")
    if citation.around and citation.around != citation.quote:
        out(f"    in: {one_line(citation.around)}")
    if citation.passage.duplicates:
        out(f"    {_also_in(citation.passage)}")
