"""Retrieval: filters, fusion, notes, and batches that equal single questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import pytest
from pydantic import ValidationError
from rag_project import Project

from rag.config import RetrievalConfig
from rag.embedding.base import Float32
from rag.embedding.fake import FakeEmbedder
from rag.errors import InputError
from rag.retrieval.filters import Filter
from rag.retrieval.fusion import FUSIONS, Fusion
from rag.retrieval.rerankers import RERANKERS
from rag.retrieval.retriever import MAX_QUESTION_CHARS, Retriever, check_question

WORDS = ["mast", "net", "cup", "lamp", "quay", "boat", "letter", "oil", "hood", "bolt"]


@pytest.fixture
def many(project: Project) -> Project:
    """Thirty notes in two folders."""
    project.write({
        f"{'even' if n % 2 == 0 else 'odd'}/{n:02}.txt": f"note {n}: the {WORDS[n % 10]} and the {WORDS[n // 3]}\n"
        for n in range(30)
    }).ingest()  # fmt: skip
    return project


def sources(
    project: Project, question: str, *assignments: str, glob: str | None = None, k: int | None = None
) -> list[str]:
    retrieved = project.retriever(*assignments).retrieve(
        question, only=None if glob is None else Filter(sources=(glob,)), k=k
    )
    return [passage.source for passage in retrieved.passages]


def test_a_passage_tells_where_it_stands(fog: Project) -> None:
    best = fog.retriever().retrieve("How many W does the heater need?").passages[0]
    assert (best.source, best.title, best.headings, best.page) == (
        "fog.md",
        "Fog sensor",
        ("Fog sensor", "Power"),
        None,
    )
    assert fog.index.store.text("fog.md")[best.start : best.end] == best.text
    assert best.dense is not None
    assert (best.dense_rank, best.lexical_rank) == (1, 1)


def test_russian_is_found_in_other_inflections(fog: Project) -> None:
    assert sources(fog, "Какова высота мачты?", "retrieval.fusion=lexical") == ["ru/mast.txt"]


@pytest.mark.parametrize("fusion", ["zscore", "rrf"])
def test_the_only_text_that_holds_the_word_of_a_question_comes_first(many: Project, fusion: str) -> None:
    # A single lexical hit is strong evidence: it must not count for nothing because it is all there is.
    many.write({"gull.txt": "A gull sits on the hood and looks at the net, the cup and the lamp.\n"}).ingest()
    assert sources(many, "gulls", "retrieval.fusion=lexical") == ["gull.txt"]
    assert sources(many, "gulls", "retrieval.fusion=dense")[0] != "gull.txt"
    assert sources(many, "gulls", f"retrieval.fusion={fusion}")[0] == "gull.txt"


def test_passages_come_best_first_and_no_more_than_k(many: Project) -> None:
    for k in (1, 3, 7):
        passages = many.retriever().retrieve("the lamp and the oil", k=k).passages
        assert len(passages) == k
        assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)


def test_asking_for_more_than_there_is_gives_all_there_is(many: Project) -> None:
    assert len(sources(many, "the net", k=1000)) == 30


@pytest.mark.parametrize("fusion", ["dense", "lexical", "zscore", "rrf"])
def test_k_reaches_beyond_the_candidates_that_were_configured(many: Project, fusion: str) -> None:
    asked = (f"retrieval.fusion={fusion}", "retrieval.candidates=5", "retrieval.k=5")
    assert len(sources(many, "the net", *asked, k=20)) == 20


def test_a_passage_is_less_prominent_among_more_candidates(many: Project) -> None:
    many.write({"gull.txt": "A gull sits on the hood.\n"}).ingest()
    found = many.retriever("retrieval.rerank=off").retrieve("gull", k=100).passages
    standing = np.array([passage.prominence for passage in found])
    scores = standing + np.log(len(found))  # every text is a candidate
    assert scores == pytest.approx([passage.score for passage in found])
    assert (scores.mean(), scores.max()) == (pytest.approx(0.0, abs=1e-9), scores[0])
    assert many.retriever("retrieval.fusion=rrf").retrieve("gull").passages[0].prominence is None


def test_reranking_leaves_the_prominence(many: Project) -> None:
    before, after = (
        {p.id: p.prominence for p in many.retriever(f"retrieval.rerank={by}").retrieve("lamp", k=30).passages}
        for by in ("off", "reader")
    )
    assert before == after


def test_an_empty_index_finds_nothing(project: Project) -> None:
    retrieved = project.retriever().retrieve("fog")
    assert (retrieved.passages, retrieved.relevance, retrieved.generation) == ((), 0.0, 0)


def test_no_questions_no_answers(fog: Project) -> None:
    assert fog.retriever().retrieve_batch([]) == []


@pytest.mark.parametrize("fusion", ["zscore", "rrf", "dense", "lexical"])
def test_a_filter_holds_for_every_fusion(many: Project, fusion: str) -> None:
    found = sources(many, "the lamp", f"retrieval.fusion={fusion}", glob="odd/*", k=30)
    assert found
    assert all(source.startswith("odd/") for source in found)


def test_a_filter_that_matches_nothing_finds_nothing(many: Project) -> None:
    assert sources(many, "the lamp", glob="none/*") == []


@pytest.mark.parametrize("fusion", ["zscore", "rrf", "dense", "lexical"])
def test_every_fusion_finds_the_right_note(fog: Project, fusion: str) -> None:
    assert sources(fog, "lentil soup on Mondays", f"retrieval.fusion={fusion}")[0] == "canteen.txt"


def test_dense_alone_reports_no_lexical_scores_and_the_other_way_round(fog: Project) -> None:
    dense = fog.retriever("retrieval.fusion=dense").retrieve("soup").passages[0]
    assert (dense.lexical, dense.lexical_rank) == (None, None)
    assert dense.score == dense.dense
    lexical = fog.retriever("retrieval.fusion=lexical").retrieve("soup").passages[0]
    assert (lexical.dense, lexical.dense_rank) == (None, None)
    assert lexical.score == lexical.lexical


def test_the_relevance_is_the_best_cosine(fog: Project) -> None:
    retrieved = fog.retriever().retrieve("lentil soup on Mondays")
    assert retrieved.relevance == pytest.approx(max(p.dense for p in retrieved.passages if p.dense is not None))


def test_an_unknown_fusion_lists_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="zscore, rrf, dense, lexical"):
        RetrievalConfig(fusion="magic")


def test_every_setting_reaches_a_retriever_with_other_settings(fog: Project) -> None:
    settings = RetrievalConfig(k=1, candidates=7, fusion="rrf", dense_weight=0.1, rrf_k=3, collapse_duplicates="off")
    other = fog.retriever().with_settings(settings)
    assert other.settings == settings
    assert other.retrieve("fog sensor") == replace(
        Retriever(other.reader, FakeEmbedder(), settings).retrieve("fog sensor"), timings=ANY
    )


def test_a_dummy_fusion_needs_only_a_row_in_the_table(fog: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUSIONS, "worst-first", Fusion(lambda dense, _, __: -dense, uses_lexical=False))
    dense = fog.retriever("retrieval.fusion=dense").retrieve("fog sensor", k=30).passages
    found = fog.retriever("retrieval.fusion=worst-first").retrieve("fog sensor", k=30).passages
    assert [p.id for p in found] == [p.id for p in reversed(dense)]


def test_a_dummy_reranker_needs_only_a_row_in_the_table(fog: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shortest:
        weight = 100.0

        def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [-float(len(pair.passage)) for pair in pairs]

    monkeypatch.setitem(RERANKERS, "shortest", lambda retrieval, reader: Shortest())
    found = fog.retriever("retrieval.rerank=shortest").retrieve("fog sensor").passages
    assert [len(p.text) for p in found] == sorted(len(p.text) for p in found)


def test_a_batch_equals_its_questions_one_by_one(many: Project) -> None:
    retriever = many.retriever()
    questions = [f"the {word}?" for word in WORDS] * 3
    together = retriever.retrieve_batch(questions)
    assert [r.question for r in together] == questions
    for question, batched in zip(questions, together, strict=True):
        single = retriever.retrieve(question)
        assert [p.id for p in batched.passages] == [p.id for p in single.passages]
        scores = np.array([[p.score for p in r.passages] for r in (batched, single)])
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_a_retriever_sees_what_is_ingested_later(fog: Project) -> None:
    retriever = fog.retriever()
    assert retriever.retrieve("gull").generation == 1
    fog.write({"gull.txt": "A gull sits on the hood.\n"}).ingest()
    later = retriever.retrieve("gull")
    assert (later.generation, later.passages[0].source) == (2, "gull.txt")


class _Deleting(FakeEmbedder):
    """Removes a document in the middle of a retrieval: after the snapshot, before the chunks are read."""

    def __init__(self, project: Project, source: str) -> None:
        self._project, self._source = project, source

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        self._project.index.store.commit(removals=[self._source])
        return super().embed_queries(texts)


def test_a_chunk_deleted_between_search_and_reading_is_passed_over(many: Project) -> None:
    question = "note 4: the quay and the net"
    first, second, third, *_ = sources(many, question, k=3)
    retriever = many.retriever(embedder=_Deleting(many, first))
    assert [p.source for p in retriever.retrieve(question, k=2).passages] == [second, third]


# Scripts ------------------------------------------------------------------------------------------------------


class _LatinOnly(FakeEmbedder):
    """Cannot read Cyrillic: all such questions are nearest to the canteen."""

    latin_only = True

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        return super().embed_queries([text if text.isascii() else "lentil soup on mondays" for text in texts])


def test_a_question_that_the_embedder_cannot_read_is_searched_for_by_its_words(fog: Project) -> None:
    found = fog.retriever(embedder=_LatinOnly()).retrieve("Какой высоты мачта?", k=3)
    assert [p.source for p in found.passages] == ["ru/mast.txt"]
    assert (found.passages[0].dense, found.relevance) == (None, 1.0)
    both = fog.retriever(embedder=FakeEmbedder()).retrieve("Какой высоты мачта?", k=3)
    assert len(both.passages) == 3, "any other embedder's candidates count"


def test_without_a_word_in_common_the_nearest_passages_are_better_than_none(fog: Project) -> None:
    found = fog.retriever(embedder=_LatinOnly()).retrieve("雾有多重", k=1)
    assert [p.source for p in found.passages] == ["canteen.txt"]
    assert found.passages[0].dense is not None


def test_a_question_in_latin_script_uses_both_rankings(fog: Project) -> None:
    found = fog.retriever(embedder=_LatinOnly()).retrieve("fog sensor", k=1)
    assert found.passages[0].dense is not None


# Questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["", " ", "\n\t\u00a0\u2003"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(InputError, match="empty"):
        check_question(question)


@pytest.mark.parametrize("length", [MAX_QUESTION_CHARS + 1, 100_000])
def test_an_endless_question_is_refused_with_its_length(length: int) -> None:
    with pytest.raises(InputError, match=f"{length:,} characters"):
        check_question("x" * length)


def test_a_question_loses_only_the_space_around_it() -> None:
    assert check_question("  What \n is it? ") == "What \n is it?"
    assert len(check_question(" " * 9999 + "x" * MAX_QUESTION_CHARS)) == MAX_QUESTION_CHARS


def test_a_question_that_is_no_unicode_text_is_refused() -> None:
    with pytest.raises(InputError):
        check_question("soup \ud83d")


@pytest.mark.parametrize(
    ("question", "noted"),
    [("fog " * 254, False), ("fog " * 255, True), ("?" * 254, False), ("?" * 255, True), ("fog", False)],
    ids=["words that fit", "a word too many", "marks that fit", "a mark too many", "short"],
)
def test_a_question_longer_than_the_embedder_reads_gets_a_note(fog: Project, question: str, noted: bool) -> None:
    notes = fog.retriever().retrieve(question.strip()).notes
    assert all("257 tokens" in note.text and "first 256" in note.text for note in notes)
    assert [note.values for note in notes] == [{"n": 257, "most": 256}] * noted


def test_words_alone_need_no_note(fog: Project) -> None:
    assert fog.retriever("retrieval.fusion=lexical").retrieve("fog " * 400).notes == ()
