"""Replies that come from no passage: the list of documents, small talk, and summaries; filters are respected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import rag
from indexes import DocumentRow
from rag.answering.replies import MOST_LISTED, documents_reply, language_of, small_talk_reply
from rag.knowledge_base import KnowledgeBase

KEEPER = """# The Keeper of Harrow Point

From: Ada Brandt
Subject: the lighthouse

The lighthouse at Harrow Point was built in 1861 after three ships were lost on the reef. Its first keeper was
Jonas Brandt, who lived there with his family for thirty years. He lit the lamp every evening and wrote down the
weather in a book. In 1894 a storm broke the windows of the lamp room and the keeper was hurt. The lamp was made
electric in 1931 and since then no keeper has lived on the point. Today the house is a small museum that is open on
Sundays in summer.

| Year | Visitors |
|---|---|
| 2023 | 1,200 |
"""
CANTEEN = """# Canteen rules

Lentil soup is served on Mondays and costs four tokens a bowl. Guests of the house pay one token more than members do.
Trays have to be returned to the rack at the door before two o'clock. Whoever breaks a plate tells the cook about it.
The canteen is closed for cleaning on the last Friday of each month.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    docs = tmp_path_factory.mktemp("special")
    (docs / "keeper.md").write_text(KEEPER)
    (docs / "rules [2025].md").write_text(CANTEEN)
    (docs / "mast.txt").write_text("Датчик тумана стоит на мачте. Мачта высотой 31 метр.\n")
    with rag.open(docs / ".rag", config="cpu", settings=["retrieval.rerank=off"]) as kb:
        kb.ingest(docs)
    return docs


@pytest.fixture(scope="module")
def kb(folder: Path) -> Iterator[KnowledgeBase]:
    with rag.open(folder / ".rag", config="cpu", settings=["retrieval.rerank=off"]) as opened:
        yield opened


def test_the_documents_are_listed_with_their_titles(kb: KnowledgeBase) -> None:
    answer = kb.ask("What documents do you have?")
    assert (answer.kind, answer.generator, answer.confidence, answer.abstained) == (
        "collection", "documents", None, False,
    )  # fmt: skip
    lines = answer.text.splitlines()
    assert lines[0] == "You can ask about 3 documents: 2 markdown, 1 text."
    assert lines[2:] == ["- The Keeper of Harrow Point (keeper.md)", "- mast.txt", "- Canteen rules (rules [2025].md)"]
    assert answer.citations == () and answer.passages == ()


def test_a_filter_restricts_the_list_and_the_summary(kb: KnowledgeBase) -> None:
    listed = kb.ask("What documents do you have?", filter="source=keeper.md").text
    assert "keeper.md" in listed and "mast" not in listed and "Canteen" not in listed
    answer = kb.ask("Summarise the canteen rules", filter="source=keeper.md")
    assert {citation.source for citation in answer.citations} <= {"keeper.md"}


def test_nothing_to_list_takes_the_usual_way(kb: KnowledgeBase) -> None:
    answer = kb.ask("What documents do you have?", filter="source=nowhere/*")
    assert answer.abstained
    assert "source_unmatched" in {note.kind for note in answer.notes}


def test_languages_of_replies(kb: KnowledgeBase) -> None:
    assert kb.ask("Какие у тебя есть документы?").text.startswith("Можно спрашивать по документам (3 документа)")
    assert kb.ask("Welche Dokumente hast du?").text.startswith("Hier gibt es 3 Dokumente")
    assert kb.ask("Привет!").text.startswith("Рад помочь")
    assert kb.ask("hello").text.startswith("Happy to help. Ask a question about your 3 documents")


def test_small_talk_streams_in_one_piece(kb: KnowledgeBase) -> None:
    stream = kb.stream("Thanks, that helped!")
    assert "".join(stream) == stream.answer.text
    assert (stream.answer.kind, stream.answer.generator) == ("small_talk", "documents")
    assert stream.retrieved.passages == () and not stream.answer.abstained


def test_a_batch_keeps_its_order(kb: KnowledgeBase) -> None:
    questions = ["hello", "How high is the mast?", "What documents do you have?", "When was the lighthouse built?"]
    answers = kb.ask_batch(questions)
    assert [answer.question for answer in answers] == questions
    assert [bool(answer.passages) for answer in answers] == [False, True, False, True]


def test_a_summary_quotes_the_document_that_is_named(kb: KnowledgeBase) -> None:
    answer = kb.ask("Summarise The Keeper of Harrow Point")
    assert (answer.kind, answer.generator, answer.confidence, answer.band) == ("summary", "summary", None, "")
    head, _, rest = answer.text.partition("\n\n")
    assert head == "Sentences chosen from The Keeper of Harrow Point (not rewritten):"
    assert len(answer.citations) == 5 and "From a table (rows: 1):\n- Year: 2023; Visitors: 1,200" in rest
    assert [citation.start for citation in answer.citations] == sorted(c.start for c in answer.citations)
    for sentence, citation in zip(answer.sentences, answer.citations, strict=True):
        assert citation.source == "keeper.md"
        shown = answer.text[sentence.start : sentence.end]
        assert " ".join(citation.quote.split()) == shown or citation.quote == "| 2023 | 1,200 |"
        assert KEEPER[citation.start : citation.end] == citation.quote
    assert "Subject:" not in answer.text


def test_a_language_model_gets_passages_of_the_document_alone(folder: Path) -> None:
    settings = ["generator.type=fake", "generator.model=fake", "retrieval.rerank=off", "retrieval.min_relevance=-1"]
    with rag.open(folder / ".rag", config="cpu", settings=settings) as kb:
        answer = kb.ask("Summarise the canteen rules")
    assert answer.kind == "summary"
    assert {passage.source for passage in answer.passages} == {"rules [2025].md"}


def document(source: str, title: str = "", pages: int | None = None) -> DocumentRow:
    return DocumentRow(
        id=1, source=source, content_sha256=None, media_type="application/pdf", title=title, state="ready", size=1,
        pages=pages, chunks=1, generation=1, committed_at=None, reason=None, message=None, remedy=None, modified_ns=0,
    )  # fmt: skip


def test_long_lists_are_cut_with_a_count() -> None:
    text = documents_reply([document(f"{n}.pdf", pages=n) for n in range(MOST_LISTED + 2)], "en")
    assert text.splitlines()[-1] == "- and 2 more"
    assert "- 1.pdf (1 page)" in text and "- 2.pdf (2 pages)" in text
    russian = documents_reply([document("a.pdf", "Отчёт", 21), document("b.pdf", "Смета", 3)], "ru")
    assert "- Отчёт (a.pdf, 21 страница)" in russian and "- Смета (b.pdf, 3 страницы)" in russian


def test_small_talk_names_a_title() -> None:
    assert "“Summarise The Lease”" in small_talk_reply([document("a.pdf"), document("b.pdf", "The Lease")], "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hello", "en"),
        ("Привет", "ru"),
        ("Guten Tag", "de"),
        ("Was kannst du?", "de"),
        ("", "en"),
        ("Was it you?", "en"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


def test_a_file_name_of_two_lines_is_one_entry() -> None:
    reply = documents_reply([document("a\n- forged.md")], "en")
    assert reply.splitlines()[-1] == "- a - forged.md"
