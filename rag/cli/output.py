"""Where output goes: data to stdout, everything else to stderr, and nothing from a document that drives a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from rag.errors import UsageError
from rag.ingestion.loaders.formats import has_slides
from rag.types import Answer, Citation, Duplicate, Passage

if TYPE_CHECKING:
    from rag.ops.explain import Attribution

__all__ = [
    "clean",
    "note",
    "out",
    "out_json",
    "page_of",
    "place",
    "print_attribution",
    "print_passage",
    "print_sources",
    "status",
]


_NEAREST = 5
# In JSON these stand only inside strings, where an escape means the same.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return the text without control characters: a document must not be able to move the cursor or set colours."""
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() or c in "\u00a0\u202f\u00ad\u200b"))


def out(text: str = "", *, newline: bool = True) -> None:
    """Write text to stdout."""
    _write(clean(text) + ("\n" if newline else ""))


def out_json(value: Any, *, indent: int | None = 2) -> None:
    """Write one JSON value to stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    _write(_UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text) + "\n")


def _write(text: str) -> None:
    if sys.stdout is None:
        raise UsageError("stdout is closed, and the output has nowhere to go", "leave out `>&-`, or write to a file")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has gone, which is no error: `rag search … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(0) from None


def note(text: str) -> None:
    """Write one line to stderr, whatever is in the text."""
    typer.echo(clean(text).replace("\n", " "), err=True)


@contextmanager
def status(text: str, *, told: str | None = None) -> Iterator[None]:
    """Show that something slow is going on, where stderr is a terminal; elsewhere write ``told``, once."""
    from rich.console import Console

    if sys.stderr is None or not sys.stderr.isatty():
        if told:
            note(told)
        yield
        return
    # Its own descriptor, because what is loaded meanwhile is kept quiet by redirecting the usual one.
    with os.fdopen(os.dup(2), "w") as terminal, Console(file=terminal).status(text):
        yield


def place(passage: Passage) -> str:
    """Say where a passage stands: file, page and headings."""
    parts = [passage.source]
    if passage.page is not None:
        parts.append(page_of(passage.source, passage.page))
    if passage.headings:
        parts.append(" > ".join(passage.headings))
    return " ".join(" · ".join(parts).splitlines())


def page_of(source: str, page: int) -> str:
    """Name a page, or a slide."""
    return f"{'slide' if has_slides(source) else 'page'} {page}"


def also_in(passage: Passage) -> str:
    """Say where else a passage stands, nothing where it stands nowhere else."""
    if not passage.duplicates:
        return ""
    places = [_at(copy) for copy in passage.duplicates[:_NEAREST]]
    more = len(passage.duplicates) - len(places)
    near = "" if all(copy.similarity == 1.0 for copy in passage.duplicates) else " or nearly so"
    return f"the same{near} in {', '.join(places)}{f' and {more} more' if more else ''}"


def _at(copy: Duplicate) -> str:
    where = copy.source if copy.page is None else f"{copy.source} {page_of(copy.source, copy.page)}"
    return " ".join(where.splitlines())


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
        out(f"    {also_in(passage)}")
    for line in passage.text.splitlines():
        if line.strip():
            out(f"    {line}")
    out()


_WHY = {
    "nothing relevant": "no passage is near the question",
    "low confidence": "its confidence is below the threshold",
    "stop": "it found none in the passages",
    "unknown script": "it reads questions in Latin letters alone; --generator vllm reads others",
}


def print_sources(answer: Answer) -> None:
    """Print what stands behind an answer: numbered citations, unsupported sentences, or the nearest passages."""
    out()
    if answer.citations:
        out("Sources")
        for number, citation in enumerate(answer.citations, start=1):
            _print_citation(number, citation)
    for sentence in answer.sentences:
        if not sentence.supported:
            out(f"Unsupported: no passage says “{answer.text[sentence.start : sentence.end]}”")
    if not answer.citations and answer.passages:
        if answer.sentences:
            out()
        out("Nearest passages" if answer.abstained else "Passages that were read")
        for number, passage in enumerate(answer.passages[:_NEAREST], start=1):
            out(f"[{number}] {place(passage)}")
    out()
    if answer.abstained:
        nothing = answer.finish_reason == "nothing relevant" and not answer.passages
        why = "there is no passage to look in" if nothing else _WHY.get(answer.finish_reason, answer.finish_reason)
        out(f"No answer by {answer.generator}: {why}")
    else:
        out(f"Answered by {answer.generator}, confidence {answer.confidence:.2f}")
    for told in answer.notes:
        note(f"note: {told.text}")


def print_attribution(attributions: Sequence[Attribution]) -> None:
    """Print what the answer becomes without each passage."""
    out("\nWithout each passage, the one that changes most first")
    for attribution in attributions:
        text = " ".join(attribution.without.split())
        same = "the same" if attribution.similarity == 1.0 else f"similarity {attribution.similarity:.2f}"
        out(f"- {place(attribution.passage)}")
        out(f"    {same}: {text}")


def _print_citation(number: int, citation: Citation) -> None:
    out(f"[{number}] {place(citation.passage)}")
    quote = " ".join(citation.quote.split())
    out(f"    “{quote}” (characters {citation.start}-{citation.end})")
    if citation.around and citation.around != citation.quote:
        out(f"    in: {' '.join(citation.around.split())}")
    if citation.passage.duplicates:
        out(f"    {also_in(citation.passage)}")
