"""Reranking in the retriever, over a reranker that is told what it likes; and the cross-encoder's refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rag_project import Project

from rag.config import RetrievalConfig
from rag.embedding.fake import FakeEmbedder
from rag.errors import ModelError
from rag.extractive_qa.engine import MarkedSpan, Reading
from rag.extractive_qa.record import Combination, ReaderRecord
from rag.extractive_qa.windows import Pair
from rag.retrieval.rerankers import CrossEncoderReranker, ReaderReranker
from rag.retrieval.retriever import Retriever


class Liking:
    """Likes passages that hold a word."""

    def __init__(self, word: str, weight: float = 1.0) -> None:
        self.word, self.weight = word, weight
        self.pairs: list[Pair] = []

    def scores(self, pairs: Sequence[Pair]) -> list[float]:
        self.pairs += pairs
        return [100.0 if self.word in passage else -100.0 for _, passage, _ in pairs]


@pytest.fixture
def notes(project: Project) -> Project:
    project.write({f"{n:02}.txt": f"The lamp number {n} burns oil.\n" for n in range(30)}).ingest()
    return project


def retriever(project: Project, reranker: Liking | None, candidates: int = 20, k: int = 5) -> Retriever:
    reader = project.index.reader()
    project._readers.append(reader)
    return Retriever(reader, FakeEmbedder(), RetrievalConfig(k=k, rerank_candidates=candidates), reranker)


def test_what_the_reranker_likes_comes_first_and_says_where_it_was(notes: Project) -> None:
    plain = retriever(notes, None, k=20).retrieve("the lamp burns oil").passages
    last = plain[-1]
    liking = Liking(last.text.strip())
    found = retriever(notes, liking, k=20).retrieve("the lamp burns oil")
    best = found.passages[0]
    assert best.id == last.id
    assert (best.fused_rank, best.reranked) == (20, 100.0)
    assert best.score == pytest.approx(last.score + 100.0)
    assert [p.score for p in found.passages] == sorted((p.score for p in found.passages), reverse=True)
    assert sorted(p.id for p in found.passages) == sorted(p.id for p in plain)
    assert found.timings["rerank"] >= 0


def test_candidates_are_looked_at_beyond_k_and_no_others(notes: Project) -> None:
    plain = [p.id for p in retriever(notes, None, k=30).retrieve("the lamp burns oil").passages]
    liking = Liking("nothing")
    found = retriever(notes, liking, candidates=7, k=3).retrieve("the lamp burns oil")
    assert len(liking.pairs) == 7
    assert [p.id for p in found.passages] == plain[:3]
    deep = retriever(notes, Liking("nothing"), candidates=7, k=3).retrieve("the lamp burns oil", k=30).passages
    assert [p.id for p in deep] == plain
    assert [p.reranked is None for p in deep] == [False] * 7 + [True] * 23


def test_a_weight_of_nothing_changes_nothing(notes: Project) -> None:
    plain = [p.id for p in retriever(notes, None).retrieve("lamp 7").passages]
    assert [p.id for p in retriever(notes, Liking("9", weight=0.0)).retrieve("lamp 7").passages] == plain


def test_batches_keep_each_question_with_its_own_passages(notes: Project) -> None:
    liking = Liking("number 3 ")
    batch = retriever(notes, liking).retrieve_batch(["lamp 3", "oil"])
    singles = [retriever(notes, liking).retrieve(q) for q in ("lamp 3", "oil")]
    assert [[p.id for p in r.passages] for r in batch] == [[p.id for p in r.passages] for r in singles]


def test_an_empty_index_has_nothing_to_rerank(project: Project) -> None:
    liking = Liking("x")
    assert retriever(project, liking).retrieve("fog").passages == ()
    assert liking.pairs == []


class _Engine:
    record = replace(ReaderRecord(), combination=Combination(rerank_relevance=2.0, rerank_margin=0.5))

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        return [Reading((MarkedSpan(0, 1, 4.0),), 3.0, 9) if p else Reading((), float("-inf"), 0) for _, p, _ in pairs]


def test_the_reader_weighs_relevance_and_span() -> None:
    reranker = ReaderReranker(_Engine())  # type: ignore[arg-type]
    read, unread = reranker.scores([Pair("q", "text"), Pair("q", "")])
    assert read == pytest.approx(2.0 * 3.0 + 0.5 * 4.0)
    assert unread < -30
    assert unread > float("-inf")


class _LatinEngine:
    record = replace(ReaderRecord(), latin_only=True, combination=Combination(rerank_coverage=1.5))

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        assert not any("к" in pair.question for pair in pairs)
        return [Reading((), 3.0, 9) for _ in pairs]


def test_only_words_count_for_a_question_that_the_reader_cannot_read() -> None:
    reranker = ReaderReranker(_LatinEngine())  # type: ignore[arg-type]
    pairs = [Pair("чистка обуви", "Чистка обуви"), Pair("чистка обуви", "Склад"), Pair("q", "text")]
    all_words, no_word, read = reranker.scores(pairs)
    assert (all_words, no_word) == (pytest.approx(1.5), 0.0)
    assert read == pytest.approx(3.0)


def test_a_folder_that_is_no_cross_encoder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no safetensors"):
        CrossEncoderReranker(str(tmp_path))


def test_all_that_is_shown_is_read(notes: Project) -> None:
    shown = retriever(notes, Liking("nothing"), candidates=2, k=6).retrieve("the lamp burns oil").passages
    assert len(shown) == 6
    assert all(p.reranked is not None for p in shown)
