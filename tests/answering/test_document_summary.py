"""Summaries of one document: which one is meant, what its pieces are, which are chosen, and how they are cited."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from indexes import ChunkRow, DocumentRow
from rag.answering.document_summary import MOST, MOST_UNITS, MOST_WORDS, Summary, summarise
from rag.answering.summary_choice import choose_document, focus_of
from rag.answering.summary_units import Unit, units_of
from rag.embedding.fake import FakeEmbedder
from rag.types import Passage

MINUTES = """Lockside Swimming Club
Minutes of the spring meeting

Present: 21 members. In the chair: Ada Brandt.

1. Opening
The chair welcomes everybody. She thanks Jonas Vale for the cake.

2. Motions
a) A second lane on Fridays: accepted with 14 to 7.
b) A fee of 40 pounds for guests: rejected with 5 to 16.

3. Heating
This is what we do:

- The boiler is replaced in May. It costs 9,400 pounds.
- Until then the water has 21 degrees.
"""
MAIL = """From: Ada Brandt <ada@example.org>
Subject: Re: the boiler

Dear all,

the boiler arrives on 4 May. Thanks for waiting.

On Tue, 3 Mar 2026 at 15:20, Jonas Vale wrote:
> Hello Ada,
>
> the old one leaks since Monday and has lost
> 80 litres.
"""
TABLE = """# Fees of the pool

| Guest | Day | Year |
|---|---|---|
| Adult | £4 | £90 |
| Child | £2 | £40 |
"""


def texts(units: Sequence[Unit]) -> list[str]:
    return [unit.span.text for unit in units]


def test_pieces_know_their_heading_and_what_introduces_them() -> None:
    units = units_of(MINUTES)
    motions = [unit for unit in units if unit.heading == "2. Motions"]
    assert texts(motions) == [
        "A second lane on Fridays: accepted with 14 to 7.",
        "A fee of 40 pounds for guests: rejected with 5 to 16.",
    ]
    assert motions[0].group == motions[1].group is not None
    heating = [unit for unit in units if unit.heading == "3. Heating"]
    assert [unit.intro and unit.intro.text for unit in heating] == ["This is what we do:"] * 2
    for unit in units:
        assert " ".join(MINUTES[unit.span.start : unit.span.end].split()) == unit.span.text


def test_a_sentence_that_leans_comes_with_the_one_before_it() -> None:
    found = texts(units_of(MINUTES))
    assert "The chair welcomes everybody. She thanks Jonas Vale for the cake." in found
    assert "The boiler is replaced in May. It costs 9,400 pounds." in found
    alone = units_of("However, it was closed for good in June.\n\nThe hall was sold to the council.")
    assert [unit.leans for unit in alone] == [True, False]


def test_quoted_mails_lose_their_marks_and_know_their_depth() -> None:
    units = units_of(MAIL)
    assert texts(units) == [
        "the boiler arrives on 4 May. Thanks for waiting.",
        "the old one leaks since Monday and has lost 80 litres.",
    ]
    assert [unit.depth for unit in units] == [0, 1]
    assert units[1].heading.endswith("Jonas Vale wrote")


def test_rows_name_their_columns() -> None:
    units = units_of(TABLE)
    assert texts(units) == ["Guest: Adult; Day: £4; Year: £90", "Guest: Child; Day: £2; Year: £40"]
    assert all(unit.row and unit.heading == "Fees of the pool" for unit in units)
    assert TABLE[units[1].span.start : units[1].span.end] == "| Child | £2 | £40 |"


def test_fragments_questions_and_repeated_lines_are_no_pieces() -> None:
    footer = "Page footer of the long report here.\n\n"
    assert texts(units_of(f"{footer}Who wrote this report?\n\nKind regards to all of you,\n\n{footer}")) == []


def chunks_of(text: str, size: int = 10_000, title: str = "") -> list[ChunkRow]:
    starts = range(0, len(text), size)
    return [
        ChunkRow(n, 1, "a.md", title, start, min(start + size, len(text)), None, (), text[start : start + size])
        for n, start in enumerate(starts)
    ]


def summary_of(text: str, question: str = "", **settings: int) -> Summary | None:
    return summarise(question, text, chunks_of(text, **settings), FakeEmbedder().embed_passages)


def test_a_short_list_is_shown_whole_below_its_heading() -> None:
    summary = summary_of(MINUTES, "Summarise which motions were accepted or rejected")
    assert summary is not None
    lines = [line.text for line in summary.lines]
    at = lines.index("2. Motions")
    assert lines[at + 1 : at + 3] == [
        "A second lane on Fridays: accepted with 14 to 7.",
        "A fee of 40 pounds for guests: rejected with 5 to 16.",
    ]
    assert summary.lines[at].citation is None


@pytest.mark.parametrize("size", [40, 10_000])
def test_citations_are_spans_of_the_document(size: int) -> None:
    summary = summary_of(MINUTES, size=size)
    assert summary is not None
    cited = [line.citation for line in summary.lines if line.citation is not None]
    assert cited and [citation.start for citation in cited] == sorted(citation.start for citation in cited)
    for citation in cited:
        assert MINUTES[citation.start : citation.end] == citation.quote != ""
        assert citation.passage.start <= citation.start < citation.end <= citation.passage.end


def test_a_table_is_announced_with_its_rows() -> None:
    summary = summary_of(TABLE)
    assert summary is not None
    assert [(line.text, line.rows) for line in summary.lines] == [
        ("", 2),
        ("Guest: Adult; Day: £4; Year: £90", 0),
        ("Guest: Child; Day: £2; Year: £40", 0),
    ]
    assert summary_of("# A heading that has quite a few words in it\n") is None


def test_a_long_document_is_read_in_part_and_says_so() -> None:
    words = ["".join(chr(97 + int(d)) for d in str(n * 7919)) for n in range(3000)]
    text = " ".join(f"In the year {n} the committee met in hall {n % 9} to speak of {w}." for n, w in enumerate(words))
    asked: list[int] = []

    def embed(texts: Sequence[str]) -> object:
        asked.append(len(texts))
        return FakeEmbedder().embed_passages(texts)

    summary = summarise("Summarise it", text, chunks_of(text), embed)  # type: ignore[arg-type]
    assert summary is not None and len(summary.lines) == MOST
    assert sum(len(line.text.split()) for line in summary.lines) <= MOST_WORDS
    assert asked[0] <= MOST_UNITS + 30 and "spread over it" in summary.notes[0].text


def test_a_request_keeps_what_it_asks_for() -> None:
    assert focus_of("Give me a summary of the fees of the pool", "Fees of the pool") == ""
    assert focus_of("Summarise what the meeting said about the boiler and heating", "Minutes of the meeting") == (
        "what the about the boiler and heating"
    )


DOCUMENTS = {
    "a.pdf": ("Annual report", "The year was good. Sales rose by a tenth."),
    "b.pdf": ("Canteen rules", "Trays have to be returned. Soup costs four tokens."),
    "c.txt": ("c.txt", "Minutes of the general meeting. The canteen stays open on Sundays."),
    "d2023.pdf": ("Visitor policy 2023", "Visitors come until 18:00."),
    "d2025.pdf": ("Visitor policy 2025", "Visitors come until 20:00."),
}


def document(source: str) -> DocumentRow:
    return DocumentRow(
        id=1, source=source, content_sha256=None, media_type="application/pdf", title=DOCUMENTS[source][0],
        state="ready", size=1, pages=None, chunks=1, generation=1, committed_at=None, reason=None, message=None,
        remedy=None, modified_ns=0,
    )  # fmt: skip


def passage(source: str, n: int = 1) -> Passage:
    return Passage(n, source, DOCUMENTS[source][0], None, (), 0, 4, "text", 1.0)


@pytest.mark.parametrize(
    ("question", "ranked", "source", "other"),
    [
        ("Summarise the canteen rules", ["a.pdf", "b.pdf"], "b.pdf", ""),  # the title outweighs the first passage
        ("Sum up the minutes of the meeting", ["b.pdf", "c.txt"], "c.txt", ""),  # the first lines say what it is
        ("Summarise the visitor policy", ["d2023.pdf", "d2025.pdf"], "d2025.pdf", "d2023.pdf"),  # the later version
        ("Summarise the visitor policy of 2023", ["d2025.pdf", "d2023.pdf"], "d2023.pdf", None),
        ("Summarise this", ["a.pdf"], "a.pdf", ""),
    ],
)
def test_the_document_that_is_meant(question: str, ranked: list[str], source: str, other: str | None) -> None:
    documents = [document(name) for name in DOCUMENTS]
    passages = [passage(name, n) for n, name in enumerate(ranked)]
    chosen = choose_document(
        question, passages, documents, lambda name: DOCUMENTS[name][1], FakeEmbedder().embed_passages
    )
    assert chosen is not None and chosen.source == source
    assert other is None or chosen.other == other


def test_nothing_to_choose_from() -> None:
    assert choose_document("Summarise", [], [], str, FakeEmbedder().embed_passages) is None
