"""Questions to passages: dense and lexical candidates, filtered, fused, deduplicated and optionally reranked.

A retriever works on batches: one embedding call and one dense search for all questions. It reports how relevant the
best passage is and leaves abstaining to the answerer.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from indexes import IndexReader
from indexes.search.protocols import NO_HITS, Hits
from indexes.store.rows import ChunkRow, Int64
from rag.embedding.base import Embedder
from rag.errors import InputError, StorageError, storage_errors
from rag.evidence.stretch import Neighbors
from rag.extractive_qa.record import is_latin
from rag.extractive_qa.windows import Pair
from rag.retrieval.filters import Filter
from rag.retrieval.fusion import FUSIONS, FusionWeights, ranks
from rag.retrieval.rerankers import Reranker
from rag.text import counted, one_line
from rag.types import Duplicate, Note, Passage, QuestionKind

if TYPE_CHECKING:
    from rag.config import RetrievalConfig

__all__ = ["MAX_QUESTION_CHARS", "Retrieved", "Retriever", "check_question"]

MAX_QUESTION_CHARS = 4000
_NEAR = 0.85  # the least similarity of duplicates
_COMPARED = 100  # best passages; comparing thousands with each other would take seconds
_NUMBER = re.compile(r"\S*\d\S*")
_MOST_UNMATCHED = 3  # notes on sources of a filter that match nothing
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Retrieved:
    """The passages for one question, best first. ``relevance`` is the best cosine among all candidates, 0 if none.

    Lexical retrieval alone has no cosine: its relevance is 1 if any passage shares a word with the question. ``kind``
    is what the question asks for (:mod:`rag.answering.question_kinds`), empty if it was not classified. ``neighbors``
    reads the chunks around a passage from the index, None where there is none.
    """

    question: str
    passages: tuple[Passage, ...]
    relevance: float
    generation: int
    notes: tuple[Note, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    kind: QuestionKind = ""
    neighbors: Neighbors | None = field(default=None, compare=False, repr=False)


def check_question(question: str) -> str:
    """Return the question without leading and trailing white space. Raises :class:`~rag.errors.InputError`."""
    if not isinstance(question, str):
        raise InputError(f"a question is a text, not {type(question).__name__}", "pass a string")
    stripped = question.strip()
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the question is not valid Unicode text", "type it again as UTF-8") from None
    if not stripped:
        raise InputError("the question is empty", 'ask something: rag ask "What is …?"')
    if len(stripped) > MAX_QUESTION_CHARS:
        raise InputError(
            f"the question has {len(stripped):,} characters; the maximum is {MAX_QUESTION_CHARS:,}",
            "ask a shorter question; put a text to search in into a document and run `rag ingest FILE`",
        )
    return stripped


class Retriever:
    """Hybrid retrieval over one index. Safe to call from many threads.

    ``settings`` is the ``retrieval`` part of the configuration: ``candidates`` come from each index, ``k`` passages are
    returned.
    """

    def __init__(
        self, reader: IndexReader, embedder: Embedder, settings: RetrievalConfig, reranker: Reranker | None = None
    ) -> None:
        self.reader = reader
        self.settings = settings
        self._embedder = embedder
        self._reranker = reranker
        self._fusion = FUSIONS[settings.fusion]
        self._weights = FusionWeights(settings.dense_weight, settings.rrf_k)
        self._reranked = max(settings.k, settings.rerank_candidates) if reranker else 0
        self._default_filter: Filter | None = None

    def filtered(self, only: Filter) -> Retriever:
        """Return a retriever over the same index and models that applies this filter unless a call names another."""
        other = copy(self)
        other._default_filter = only
        return other

    def with_settings(self, settings: RetrievalConfig, reranker: Reranker | None = None) -> Retriever:
        """Return a retriever over the same index and models with other settings. Nothing is loaded for it.

        ``reranker`` is used unless ``settings.rerank`` is ``off``, by default this retriever's own.
        """
        reranker = None if settings.rerank == "off" else reranker or self._reranker
        other = Retriever(self.reader, self._embedder, settings, reranker)
        other._default_filter = self._default_filter
        return other

    def retrieve(
        self, question: str, *, only: Filter | None = None, k: int | None = None, depth: int | None = None
    ) -> Retrieved:
        """Retrieve for one question; see :meth:`retrieve_batch`."""
        return self.retrieve_batch([question], only=only, k=k, depth=depth)[0]

    def retrieve_batch(
        self,
        questions: Sequence[str],
        *,
        only: Filter | None = None,
        k: int | None = None,
        depth: int | None = None,
    ) -> list[Retrieved]:
        """Return the best passages for each question, only from documents that pass the filter if one is given.

        ``depth`` is the number of candidates from each index, by default as configured and at least ``k``.
        """
        if not questions:
            return []
        k = k or self.settings.k
        depth = depth or max(self.settings.candidates, k)
        snapshot = self.reader.snapshot()
        only = only or self._default_filter
        allowed = None if only is None or only.empty else self.reader.store.chunk_ids(only.selection(self.reader.store))
        clock = [time.monotonic()]
        vectors = self._embedder.embed_queries(questions) if self._fusion.uses_dense else None
        clock.append(time.monotonic())
        none = [NO_HITS] * len(questions)
        dense = none if vectors is None else snapshot.dense.search(vectors, depth, allowed=allowed)
        lexical = snapshot.lexical.search(questions, depth, allowed=allowed) if self._fusion.uses_lexical else none
        nothing = (*self._unmatched(only), *self._nothing_to_search(only, allowed, [*dense, *lexical]))
        results = []
        for question, hits, words, notes in zip(questions, dense, lexical, self._notes(questions), strict=True):
            hits = hits if self._can_read(question) or not len(words) else NO_HITS
            passages = self._fuse(hits, words, max(k, self._reranked), depth)
            relevance = self._relevance(hits, words)
            notes = (*notes, *nothing)
            results.append(
                Retrieved(question, passages, relevance, snapshot.generation, notes, neighbors=self._neighbors)
            )
        clock.append(time.monotonic())
        share = {"embed": clock[1] - clock[0], "search": clock[2] - clock[1]}
        if self._reranker is not None:
            results = self._rerank(results, self._reranker, k)
            share["rerank"] = time.monotonic() - clock[2]
        for result in results:
            result.timings.update((stage, seconds / len(questions)) for stage, seconds in share.items())
        return results

    def _neighbors(self, passage: Passage, reach: int) -> list[Passage]:
        """Return the chunks of a passage's document that hold something within ``reach`` characters of it.

        There are none if the index cannot be read now: an answer does not fail for the context of its quotation.
        """
        try:
            with storage_errors():
                rows = self.reader.store.chunks_between(passage.source, passage.start - reach, passage.end + reach)
        except StorageError:
            return []
        return [_passage(row, 0.0, np.nan, np.nan, 0, 0) for row in rows]

    def _can_read(self, question: str) -> bool:
        """Return whether the embedder can read the question: else its words alone decide, if they find anything."""
        return not self._embedder.latin_only or is_latin(question)

    def _relevance(self, dense: Hits, lexical: Hits) -> float:
        if self._fusion.uses_dense and (len(dense) or not len(lexical)):
            return float(max(dense.scores[:1], default=0.0))
        return float(len(lexical.ids) > 0)  # BM25 scores have no scale

    def _rerank(self, results: Sequence[Retrieved], reranker: Reranker, k: int) -> list[Retrieved]:
        """Order the best candidates by the sum of fused and reranker score. Lower candidates keep their places."""
        # Every returned passage is scored: a list with some reranked scores would mix two scales.
        heads = [found.passages[: self._reranked] for found in results]
        pairs = [
            Pair(found.question, p.text, p.context) for found, head in zip(results, heads, strict=True) for p in head
        ]
        scores = iter(reranker.scores(pairs))
        reranked = []
        for found, head in zip(results, heads, strict=True):
            moved = [
                replace(p, score=p.score + reranker.weight * score, reranked=score, fused_rank=n)
                for n, (p, score) in enumerate([(passage, next(scores)) for passage in head], start=1)
            ]
            moved.sort(key=lambda p: -p.score)
            reranked.append(replace(found, passages=(*moved, *found.passages[len(head) :])[:k]))
        return reranked

    def _fuse(self, dense: Hits, lexical: Hits, k: int, depth: int) -> tuple[Passage, ...]:
        ids = np.union1d(dense.ids, lexical.ids)
        dense_scores, lexical_scores = _aligned(ids, dense), _aligned(ids, lexical)
        # A BM25 list that was not cut off names every text that shares a word: the other texts score 0.
        complete = self._fusion.zero_if_absent and len(lexical.ids) < depth
        fusible = np.nan_to_num(lexical_scores, nan=0.0) if complete else lexical_scores
        weights = self._weights if len(dense) else replace(self._weights, dense_weight=0.0)
        scores = self._fusion.fuse(dense_scores, fusible, weights)
        order = np.lexsort((ids, -scores))
        dense_ranks, lexical_ranks = ranks(dense_scores), ranks(lexical_scores)
        unique, looked_at = _Unique(self.settings.collapse_duplicates), len(ids)
        for place, row in self._rows(ids[order], 2 * k):
            if place >= looked_at:
                break
            n = order[place]
            passage = _passage(row, scores[n], dense_scores[n], lexical_scores[n], dense_ranks[n], lexical_ranks[n])
            if self._fusion.standardised:
                passage = replace(passage, prominence=passage.score - math.log(len(ids)))
            unique.add(passage)
            if len(unique.passages) == k and looked_at == len(ids):
                # Duplicates score nearly the same: further copies follow closely.
                looked_at = place + 1 + (0 if self.settings.collapse_duplicates == "off" else k)
        return tuple(unique.passages[:k])

    def _rows(self, ids: Int64, at_once: int) -> Iterator[tuple[int, ChunkRow]]:
        """Yield the place and row of each chunk that still exists, reading ``at_once`` rows at a time."""
        for start in range(0, len(ids), at_once):
            part = ids[start : start + at_once].tolist()
            rows = self.reader.store.chunks(part)
            yield from ((start + n, rows[i]) for n, i in enumerate(part) if i in rows)

    def _nothing_to_search(self, only: Filter | None, allowed: Int64 | None, found: Sequence[Hits]) -> tuple[Note, ...]:
        """Return a note where no question can find anything."""
        if any(len(hits.ids) for hits in found):
            return ()
        if not self.reader.store.counts()["chunks"] and (allowed is None or not len(allowed)):
            return (Note("The index holds no documents. Run `rag ingest PATH` first.", "nothing_ingested"),)
        if only is not None and allowed is not None and not len(allowed) and not self._unmatched(only):
            text = f"No document matches the filter {only}. `rag documents list` shows the names."
            return (Note(text, "nothing_filtered", {"filter": str(only)}),)
        return ()

    def _unmatched(self, only: Filter | None) -> tuple[Note, ...]:
        """Return a note for each source of the filter that no document matches: the first few, then their number."""
        if only is None or not only.sources:
            return ()
        unmatched = only.unmatched(self.reader.store)
        notes = [_unmatched_note(text, near) for text, near in list(unmatched.items())[:_MOST_UNMATCHED]]
        if len(unmatched) > _MOST_UNMATCHED:
            more = len(unmatched) - _MOST_UNMATCHED
            text = f"{counted(more, 'more source')} of the filter match no document."
            notes.append(Note(text, "more_unmatched", {"n": more}))
        return tuple(notes)

    def _notes(self, questions: Sequence[str]) -> list[tuple[Note, ...]]:
        """Return a note for each question that is too long for the embedder."""
        if not self._fusion.uses_dense:
            return [()] * len(questions)
        limit = self._embedder.max_tokens
        counts = self._embedder.count_tokens(questions)
        return [(_cut(tokens, limit),) if tokens > limit else () for tokens in counts]


@dataclass
class _Unique:
    """Takes passages best first; ``passages`` are those that remain.

    ``mode`` is ``off``, ``exact`` (folds passages whose texts differ only in white space) or ``near``, which also folds
    passages whose shingles are nearly the same (:mod:`indexes.minhash`), unless their numbers differ: two versions of a
    contract with different rents are two facts. A folded passage is recorded with the one that represents it.
    """

    mode: str
    passages: list[Passage] = field(default_factory=list)
    _by_text: dict[str, int] = field(default_factory=dict)

    def add(self, passage: Passage) -> bool:
        """Add the next passage; return whether it is a new one."""
        position, similarity = self._find(passage)
        if position is None:
            self.passages.append(passage)
            return True
        first = self.passages[position]
        copy = Duplicate(
            passage.id, passage.source, passage.page, passage.headings, passage.start, passage.end, similarity
        )
        self.passages[position] = replace(first, duplicates=(*first.duplicates, copy))
        return False

    def _find(self, passage: Passage) -> tuple[int | None, float]:
        """Return the position and similarity of an equal passage, (None, 0) if there is none."""
        if self.mode == "off":
            return None, 0.0
        text = " ".join(passage.text.split())
        known = self._by_text.setdefault(text, len(self.passages))
        if known < len(self.passages):
            return known, 1.0
        if self.mode == "near":
            from indexes.minhash import jaccard

            for n, other in enumerate(self.passages[:_COMPARED]):
                if _numbers(other.text) == _numbers(text):
                    similarity = jaccard(other.text, text)
                    if similarity >= _NEAR:
                        self._by_text[text] = n
                        return n, similarity
        return None, 0.0


def _numbers(text: str) -> Counter[str]:
    return Counter(_NUMBER.findall(text))


def _unmatched_note(text: str, near: Sequence[str]) -> Note:
    shown = one_line(text, _LONGEST_NAME)
    start = f"No document matches the filter source={shown}."
    if not near:
        return Note(f"{start} `rag documents list` shows the names.", "source_unmatched", {"source": shown})
    names = ", ".join(one_line(name, _LONGEST_NAME) for name in near)
    return Note(f"{start} Similar names: {names}.", "source_unmatched_near", {"source": shown, "names": names})


def _cut(tokens: int, limit: int) -> Note:
    text = f"The question has {counted(tokens, 'token')}; dense retrieval read only the first {limit}."
    return Note(text, "question_cut", {"n": tokens, "most": limit})


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
