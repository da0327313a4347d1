"""Questions to passages: dense and lexical candidates, fused, filtered, read, collapsed and perhaps reranked.

A retriever answers whole batches: one embedding call and one dense search for all questions. It says how relevant
the best passage is, and leaves it to the pipeline to abstain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from indexes import IndexReader
from indexes.search.protocols import Hits, no_hits
from indexes.store.rows import ChunkRow, Int64
from rag.embedding.base import Embedder
from rag.errors import InputError
from rag.retrieval.dedup import Collapsed
from rag.retrieval.filters import Filter
from rag.retrieval.fusion import FUSIONS, ranks, reciprocal_rank, zscore_sum
from rag.retrieval.rerankers import Reranker
from rag.text import counted
from rag.types import Note, Passage

__all__ = ["MAX_QUESTION_CHARS", "Retrieved", "Retriever", "check_question"]

MAX_QUESTION_CHARS = 4000
Fusion = Literal["zscore", "rrf", "dense", "lexical"]


@dataclass(frozen=True)
class Retrieved:
    """The passages for one question, best first. ``relevance`` is the best cosine among all candidates, 0 if none.

    Lexical retrieval alone has no cosine: there it is 1 if any passage shares a word with the question.
    """

    question: str
    passages: tuple[Passage, ...]
    relevance: float
    generation: int
    notes: tuple[Note, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


def check_question(question: str) -> str:
    """Return the question without white space at its ends. Raises :class:`~rag.errors.InputError`."""
    stripped = question.strip()
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the question is not valid Unicode text", "type it again, as UTF-8") from None
    if not stripped:
        raise InputError("the question is empty", 'ask something: rag ask "What is …?"')
    if len(stripped) > MAX_QUESTION_CHARS:
        raise InputError(
            f"the question has {len(stripped):,} characters, and at most {MAX_QUESTION_CHARS:,} are read",
            "ask something shorter; a text to search in belongs in a document: `rag ingest FILE`",
        )
    return stripped


class Retriever:
    """Hybrid retrieval over one index. ``candidates`` are taken from each index, ``k`` passages are returned."""

    def __init__(
        self,
        reader: IndexReader,
        embedder: Embedder,
        *,
        k: int = 5,
        candidates: int = 100,
        fusion: Fusion = "zscore",
        dense_weight: float = 0.5,
        rrf_k: int = 60,
        reranker: Reranker | None = None,
        rerank_candidates: int = 20,
        collapse_duplicates: Literal["off", "exact", "near"] = "exact",
    ) -> None:
        if fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {fusion!r}: choose one of {', '.join(FUSIONS)}")
        self._reader = reader
        self._embedder = embedder
        self._k, self._candidates = k, candidates
        self._fusion, self._dense_weight, self._rrf_k = fusion, dense_weight, rrf_k
        self._reranker, self._rerank_candidates = reranker, rerank_candidates
        self._collapse = collapse_duplicates
        self._always: Filter | None = None

    def filtered(self, only: Filter) -> Retriever:
        """Return a retriever over the same index and models that searches only what passes, unless told otherwise."""
        other = copy(self)
        other._always = only
        return other

    @property
    def reader(self) -> IndexReader:
        """The index being searched."""
        return self._reader

    def varied(
        self,
        *,
        k: int,
        candidates: int,
        fusion: Fusion,
        dense_weight: float,
        rrf_k: int,
        reranker: Reranker | None,
        rerank_candidates: int,
    ) -> Retriever:
        """Return a retriever over the same index and embedder with other settings; nothing is loaded for it."""
        other = Retriever(
            self._reader, self._embedder, k=k, candidates=candidates, fusion=fusion, dense_weight=dense_weight,
            rrf_k=rrf_k, reranker=reranker, rerank_candidates=rerank_candidates,
        )  # fmt: skip
        other._always = self._always
        return other

    def retrieve(
        self, question: str, *, only: Filter | None = None, k: int | None = None, depth: int | None = None
    ) -> Retrieved:
        """Answer one question; see :meth:`retrieve_batch`."""
        return self.retrieve_batch([question], only=only, k=k, depth=depth)[0]

    def retrieve_batch(
        self,
        questions: Sequence[str],
        *,
        only: Filter | None = None,
        k: int | None = None,
        depth: int | None = None,
    ) -> list[Retrieved]:
        """Return the best passages for each question, from the documents that pass the filter if one is given.

        ``depth`` is how many candidates each index gives, by default as configured and at least ``k``.
        """
        if not questions:
            return []
        clock = [time.monotonic()]
        depth = depth or max(self._candidates, k or self._k)
        snapshot = self._reader.snapshot()
        only = only or self._always
        allowed = None if only is None or only.empty else self._reader.store.chunk_ids(only.selection())
        dense = lexical = [no_hits()] * len(questions)
        if self._fusion != "lexical":
            vectors = self._embedder.embed_queries(questions)
            clock.append(time.monotonic())
            dense = snapshot.dense.search(vectors, depth, allowed=allowed)
        else:
            clock.append(time.monotonic())
        if self._fusion != "dense":
            lexical = snapshot.lexical.search(questions, depth, allowed=allowed)
        results = []
        wanted = max(k or self._k, max(self._k, self._rerank_candidates) if self._reranker else 0)
        nothing = self._nothing_to_search(only, allowed)
        notes = [(*told, *nothing) for told in self._notes(questions)]
        for question, dense_hits, lexical_hits, told in zip(questions, dense, lexical, notes, strict=True):
            passages = self._fuse(dense_hits, lexical_hits, wanted, depth)
            if self._fusion == "lexical":  # BM25 scores have no scale: a shared word is all there is to go by
                relevance = float(len(lexical_hits) > 0)
            else:
                relevance = float(dense_hits.scores[0]) if len(dense_hits) else 0.0
            results.append(Retrieved(question, passages, relevance, snapshot.generation, told))
        clock.append(time.monotonic())
        share = {
            "embed": (clock[1] - clock[0]) / len(questions),
            "search": (clock[2] - clock[1]) / len(questions),
        }
        if self._reranker is not None:
            results = self._rerank(results, self._reranker, k or self._k)
            share["rerank"] = (time.monotonic() - clock[2]) / len(questions)
        for result in results:
            result.timings.update(share)
        return results

    def _rerank(self, results: Sequence[Retrieved], reranker: Reranker, k: int) -> list[Retrieved]:
        """Order the best candidates by fused score and reranker together; those further down keep their places."""
        # All that is shown is read: beside passages that were not, those that were would have another scale.
        heads = [found.passages[: max(self._k, self._rerank_candidates)] for found in results]
        pairs = [(found.question, p.text) for found, head in zip(results, heads, strict=True) for p in head]
        scores = iter(reranker.scores(pairs))
        reranked = []
        for found, head in zip(results, heads, strict=True):
            told = [(passage, next(scores)) for passage in head]
            moved = [
                replace(p, score=p.score + reranker.weight * score, reranked=score, fused_rank=n)
                for n, (p, score) in enumerate(told, start=1)
            ]
            moved.sort(key=lambda p: -p.score)
            reranked.append(replace(found, passages=(*moved, *found.passages[len(head) :])[:k]))
        return reranked

    def _fuse(self, dense: Hits, lexical: Hits, k: int, depth: int) -> tuple[Passage, ...]:
        ids = np.union1d(dense.ids, lexical.ids)
        dense_scores, lexical_scores = _aligned(ids, dense), _aligned(ids, lexical)
        # A list that was not cut off names every text that shares a word: the others' BM25 score is 0, not unknown.
        fusible = lexical_scores if len(lexical) >= depth else np.nan_to_num(lexical_scores, nan=0.0)
        if self._fusion == "rrf":
            scores = reciprocal_rank(dense_scores, lexical_scores, self._dense_weight, self._rrf_k)
        elif self._fusion == "zscore":
            scores = zscore_sum(dense_scores, fusible, self._dense_weight)
        else:
            scores = dense_scores if self._fusion == "dense" else lexical_scores
        order = np.lexsort((ids, -scores))
        dense_ranks, lexical_ranks = ranks(dense_scores), ranks(lexical_scores)
        collapsed, looked_at = Collapsed(self._collapse), len(ids)
        for place, row in self._rows(ids[order], 2 * k):
            if place >= looked_at:
                break
            n = order[place]
            collapsed.add(
                _passage(row, scores[n], dense_scores[n], lexical_scores[n], dense_ranks[n], lexical_ranks[n])
            )
            if len(collapsed.kept) == k and looked_at == len(ids):
                # What says the same scores nearly the same: further copies stand close behind.
                looked_at = place + 1 + (0 if self._collapse == "off" else k)
        return tuple(collapsed.kept[:k])

    def _rows(self, ids: Int64, at_once: int) -> Iterator[tuple[int, ChunkRow]]:
        """Yield the place and row of each chunk that still exists, read as they are asked for."""
        for start in range(0, len(ids), at_once):
            part = ids[start : start + at_once].tolist()
            rows = self._reader.chunks(part)
            yield from ((start + n, rows[i]) for n, i in enumerate(part) if i in rows)

    def _nothing_to_search(self, only: Filter | None, allowed: Int64 | None) -> tuple[Note, ...]:
        """Say why nothing can be found, whatever is asked."""
        if not self._reader.store.counts()["chunks"] and (allowed is None or not len(allowed)):
            return (Note("the index holds no documents: `rag ingest PATH` takes some in", "nothing_ingested"),)
        if allowed is not None and not len(allowed):
            told = f"no document of the index matches the filter {only}: `rag documents list` shows their names"
            return (Note(told, "nothing_filtered", {"filter": str(only)}),)
        return ()

    def _notes(self, questions: Sequence[str]) -> list[tuple[Note, ...]]:
        """Say of each question whether the embedder could not read all of it."""
        if self._fusion == "lexical":
            return [()] * len(questions)
        most = self._embedder.max_tokens
        counts = self._embedder.count_tokens(questions)
        return [(_cut(tokens, most),) if tokens > most else () for tokens in counts]


def _cut(tokens: int, most: int) -> Note:
    told = f"the question has {counted(tokens, 'token')}; dense retrieval read the first {most} of them"
    return Note(told, "question_cut", {"n": tokens, "most": most})


def _aligned(ids: Int64, hits: Hits) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    scores = np.full(len(ids), np.nan)
    scores[np.searchsorted(ids, hits.ids)] = hits.scores
    return scores


def _passage(row: ChunkRow, score: float, dense: float, lexical: float, dense_rank: int, lexical_rank: int) -> Passage:
    return Passage(
        id=row.id,
        source=row.source,
        title=row.title,
        page=row.page,
        headings=row.headings,
        start=row.start,
        end=row.end,
        text=row.text,
        score=float(score),
        dense=None if np.isnan(dense) else float(dense),
        lexical=None if np.isnan(lexical) else float(lexical),
        dense_rank=int(dense_rank) or None,
        lexical_rank=int(lexical_rank) or None,
    )
