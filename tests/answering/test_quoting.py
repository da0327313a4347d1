"""What is shown around the marked words: rows of a whole table, whole lists, and where each of them comes from."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from rag_project import Project

from indexes.store.rows import ChunkRow
from rag.answering.answerer import AnswererSettings, ExtractingAnswerer
from rag.answering.quoting import CHECKED, MOST_ROWS, checked_rows, quote
from rag.generation.base import Evidence, Extraction, ExtractionTask
from rag.ops.serialize import answer_from_json, answer_json
from rag.retrieval.retriever import Retrieved
from rag.types import Answer, Passage, QuestionKind, Usage

BOATS = "Mooring,Boat,Owner,Length m\n" + "".join(
    f"M{n},Boat {n},{'Ada Moor' if n % 10 == 3 else 'Kim Lee'},{n / 2}\n" for n in range(1, 60)
)
LIST = "# Bring\n\nWhat to bring to the sleep laboratory:\n\n" + "".join(
    f"- thing number {n}, which is of use in the night\n" for n in range(12)
)


class Marking:
    """Marks the first of some words that a passage holds."""

    name = "marking"
    alive = True
    threshold = 0.0
    high_threshold = 1.0

    def __init__(self, *words: str, confidence: float = 0.7) -> None:
        self._words = words
        self._confidence = confidence

    def extract(self, tasks: list[ExtractionTask]) -> list[Extraction]:
        return [self._extract(task) for task in tasks]

    def _extract(self, task: ExtractionTask) -> Extraction:
        for word in self._words:
            for n, passage in enumerate(task.passages):
                if (place := passage.text.find(word)) >= 0:
                    evidence = (Evidence(n, place, place + len(word)),)
                    return Extraction(word, "stop", Usage(), self._confidence, evidence=evidence)
        return Extraction("", "stop", Usage(), 0.0)

    def close(self) -> None:
        pass


def ask(retrieved: Retrieved, kind: QuestionKind, *words: str, confidence: float = 0.7) -> Answer:
    answerer = ExtractingAnswerer(Marking(*words, confidence=confidence), AnswererSettings(min_relevance=-1.0))
    (answer,) = answerer.answer_batch([replace(retrieved, kind=kind)])
    assert answerer.stream(replace(retrieved, kind=kind)).answer.text == answer.text
    assert answer.text[answer.short_start : answer.short_start + len(answer.short)] == answer.short
    return answer


@pytest.fixture
def boats(project: Project) -> Project:
    project.write({"boats.csv": BOATS, "bring.md": LIST}).ingest()
    return project


def retrieve(project: Project, question: str, k: int = 1) -> Retrieved:
    return project.retriever("retrieval.fusion=lexical").retrieve(question, k=k)


def test_all_matching_rows_of_the_stored_table_are_listed(boats: Project) -> None:
    answer = ask(retrieve(boats, "Which boats does Ada Moor own?"), "list", "Ada Moor")
    assert answer.text.split("\n") == [
        f"- Mooring: M{n}; Boat: Boat {n}; Owner: Ada Moor; Length m: {n / 2}" for n in range(3, 60, 10)
    ]
    assert answer.short == "Ada Moor" and answer.confidence == 0.7 and not answer.notes
    assert len(answer.citations) == len(answer.sentences) == 6
    for n, (sentence, citation) in enumerate(zip(answer.sentences, answer.citations, strict=True)):
        assert sentence.citation == n
        assert answer.text[sentence.start : sentence.end].startswith("Mooring")
        assert boats.index.store.text(citation.source)[citation.start : citation.end] == citation.quote
        assert citation.quote.startswith(f"| M{n}3 |") or n == 0
        assert citation.passage in answer.passages
    read = answer_from_json(answer_json(answer, "")).citations
    assert [(c.passage.id, c.start, c.quote) for c in read] == [
        (c.passage.id, c.start, c.quote) for c in answer.citations
    ]


def test_without_the_index_only_retrieved_rows_are_listed_and_a_note_says_so(boats: Project) -> None:
    found = retrieve(boats, "Which boats does Ada Moor own?", k=60)
    held = tuple(p for p in found.passages if "| M13 " in p.text or "| M23 " in p.text)
    answer = ask(replace(found, passages=held, neighbors=None), "list", "Ada Moor")
    assert set(answer.text.split("\n")) < set(ask(found, "list", "Ada Moor").text.split("\n"))
    assert [note.kind for note in answer.notes] == ["table_cut"]


@pytest.mark.parametrize("kind", ["number", "date", "yes_no", "person"])
def test_a_question_for_one_thing_gets_the_marked_row(boats: Project, kind: QuestionKind) -> None:
    found = retrieve(boats, "How long is the boat of Ada Moor at M13?", k=60)
    answer = ask(found, kind, "6.5")
    assert answer.text == "Mooring: M13; Boat: Boat 13; Owner: Ada Moor; Length m: 6.5"
    assert answer.short == "6.5"


def test_a_limit_is_checked_and_needs_no_marked_words(boats: Project) -> None:
    question = "Which boats are longer than 28 metres?"
    answer = ask(retrieve(boats, question, k=60), "list", "Ada Moor", confidence=0.1)
    assert [line.split("; ")[1] for line in answer.text.split("\n")] == [
        "Boat: Boat 57",
        "Boat: Boat 58",
        "Boat: Boat 59",
    ]
    assert answer.confidence == CHECKED
    compared = ask(retrieve(boats, question, k=60), "comparison")
    assert (compared.text, compared.abstained) == (answer.text, False)
    assert checked_rows(replace(retrieve(boats, question), kind="number")) is None
    assert checked_rows(replace(retrieve(boats, "Which boats are older than 28 years?"), kind="list")) is None


def test_too_many_rows_are_cut(boats: Project) -> None:
    answer = ask(retrieve(boats, "Which boats does Kim Lee own?"), "list", "Kim Lee")
    assert len(answer.citations) == MOST_ROWS
    assert [(note.kind, note.values["n"]) for note in answer.notes] == [("rows_cut", 53)]


def test_a_list_over_two_chunks_is_quoted_whole(tmp_path: Path) -> None:
    project = Project(tmp_path / "small", "chunking.size=60", "chunking.overlap=8")
    project.write({"bring.md": LIST}).ingest()
    chunks = project.index.store.chunks_of("bring.md")
    assert len(chunks) > 1
    found = retrieve(project, "sleep laboratory", k=9)
    assert found.neighbors is not None
    stored = found.neighbors(found.passages[0], len(LIST))
    holding = [passage for passage in stored if "which is of use" in passage.text]
    assert len(holding) > 1
    for passage in holding:
        answer = ask(replace(found, passages=(passage,)), "list", "which is of use")
        assert answer.text.startswith("What to bring to the sleep laboratory:\n- thing number 0, ")
        assert answer.text.count("\n- ") == 12
        assert {citation.passage.id for citation in answer.citations} >= {p.id for p in holding}
    project.close()


def test_an_index_that_fails_while_a_quotation_is_made_costs_only_its_context(
    boats: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, start: int, end: int) -> list[ChunkRow]:
        raise sqlite3.OperationalError("disk I/O error")

    retriever = boats.retriever("retrieval.fusion=lexical")
    monkeypatch.setattr(retriever.reader.store, "chunks_between", fail)
    found = retriever.retrieve("Which boats does Ada Moor own?", k=1)
    answer = ask(found, "list", "Ada Moor")
    assert "Owner: Ada Moor" in answer.text and answer.citations
    assert [note.kind for note in answer.notes] == ["table_cut"]


def test_a_list_answers_a_question_that_its_introduction_matches() -> None:
    text = "In the kiln hall everyone wears:\n\n- safety shoes\n- gloves\n- a face shield"
    found = Retrieved(
        "What does everyone wear in the kiln hall?",
        (Passage(1, "a.md", "Kiln", None, (), 0, len(text), text, 1.0),),
        1.0,
        1,
    )
    place = text.index("gloves")
    extraction = Extraction("gloves", "stop", Usage(), 0.5, evidence=(Evidence(0, place, place + 6),))
    whole = "In the kiln hall everyone wears:\n- safety shoes\n- gloves\n- a face shield"
    assert quote(replace(found, kind="fact"), extraction).text == whole
    assert quote(replace(found, kind="number"), extraction).text == "gloves"
    asked = replace(found, question="What are gloves for?", kind="fact")
    assert quote(asked, extraction).text == "gloves"
