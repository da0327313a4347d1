"""Why a passage was, or was not, in an answer: its rank at every stage, and what each shown passage contributed.

:func:`why` follows one expected document through retrieval, fusion and the prompt's budget, and looks for the smallest
change of settings that would show it; every change it names was tried. :func:`leave_one_out` answers again without each
passage in turn, all variants in one batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.answering.answerer import Answerer
from rag.config import Config
from rag.errors import InputError
from rag.generation.prompt_builder import Packed, Packer
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved, Retriever
from rag.types import Answer, Passage

__all__ = ["Attribution", "Change", "Standing", "Why", "leave_one_out", "why"]

_DEEPEST = 20_000  # chunks looked through for a rank beyond the candidates
_WEIGHTS = tuple(n / 20 for n in range(21))
_BUDGETS = (512, 1024, 2048, 4096, 8192)

MakePacker = Callable[[Config], Packer]


@dataclass(frozen=True)
class Standing:
    """Where the best expected chunk stands; ranks count from 1, None where it is not in that list.

    ``dense`` and ``lexical`` are ranks in the whole index as far as it was looked through, ``fused`` the rank among
    the candidates, ``shown`` whether it is in the prompt, and ``dropped`` why not, where it was retrieved. A question
    is ``turned_away`` where nothing at all was found relevant (retrieval.min_relevance).
    """

    passage: Passage
    dense: int | None
    lexical: int | None
    candidate: bool
    fused: int | None
    retrieved: bool
    shown: bool
    dropped: str | None
    turned_away: bool = False


@dataclass(frozen=True)
class Change:
    """Settings, by dotted key, that were tried and show the expected chunk."""

    settings: dict[str, int | float]


@dataclass(frozen=True)
class Why:
    """The answer to "why is it not there?": ``changes`` are alternatives, the smallest first."""

    question: str
    standing: Standing
    lost_at: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Attribution:
    """What the answer becomes without one passage; ``similarity`` of the two texts' words is 0 to 1."""

    passage: Passage
    without: str
    abstained: bool
    similarity: float


def why(
    question: str,
    expected: str,
    page: int | None,
    config: Config,
    retriever: Retriever,
    make_packer: MakePacker,
    only: Filter | None = None,
) -> Why:
    """Follow the best chunk of the document ``expected`` (its name or the end of its path).

    Of a document that the filter ``only`` keeps out, no more is said than that. Raises
    :class:`~rag.errors.InputError` if the index has no such document or page.
    """
    ids = _expected_chunks(retriever, expected, page)
    if only is not None and ids.isdisjoint(
        retriever.reader.store.chunk_ids(only.selection(retriever.reader.store)).tolist()
    ):
        kept_out = Standing(_unfound(retriever, ids), None, None, False, None, False, False, None)
        return Why(question, kept_out, "filter", ())
    search = _Search(question, ids, retriever if only is None else retriever.filtered(only), make_packer)
    standing = search.standing(config)
    changes: tuple[Change, ...] = ()
    if not standing.shown:
        tried = search.candidates(standing, config)
        changes = tuple(_one_of_each(c for c in tried if search.shows(_with(config, c.settings))))
    return Why(question, standing, _lost_at(standing), changes)


def leave_one_out(answerer: Answerer, answer: Answer) -> list[Attribution]:
    """Answer again without each passage that was shown, in one batch; the least similar answers come first."""
    shown = answer.passages
    variants = [Retrieved(answer.question, tuple(p for p in shown if p is not left_out), 1.0, 0) for left_out in shown]
    attributions = [
        Attribution(passage, other.text, other.abstained, _similarity(answer.essence, other.essence))
        for passage, other in zip(shown, answerer.answer_batch(variants), strict=True)
    ]
    return sorted(attributions, key=lambda attribution: attribution.similarity)


def _expected_chunks(retriever: Retriever, expected: str, page: int | None) -> set[int]:
    store = retriever.reader.store
    sources = [s for s in store.content_hashes() if s == expected or s.endswith("/" + expected)]
    if not sources:
        raise InputError(f"the index has no document {expected!r}", "`rag documents list` lists them; ingest it")
    rows = []
    for source in sources:
        rows += store.chunks_of(source)
    ids = {row.id for row in rows if page is None or row.page == page}
    if not ids:
        where = f"page {page} of {expected}" if page is not None else expected
        raise InputError(f"{where} has no text in the index", "check the page, or `rag documents show SOURCE`")
    return ids


@dataclass(frozen=True)
class _Search:
    """The question and the ids of the expected chunks, followed under any configuration."""

    question: str
    ids: set[int]
    retriever: Retriever
    make_packer: MakePacker

    def retrieve(self, config: Config, depth: int | None = None) -> Retrieved:
        """Retrieve as configured, or all of the first ``depth`` chunks of both indexes."""
        k = None if depth is None else 2 * depth
        return self.retriever.with_settings(config.retrieval).retrieve(self.question, k=k, depth=depth)

    def expected(self, passages: Sequence[Passage]) -> list[tuple[int, Passage]]:
        """Return the expected ones of the passages, each with its rank."""
        return [(rank, p) for rank, p in enumerate(passages, start=1) if p.stands_for(self.ids)]

    def standing(self, config: Config) -> Standing:
        """Return where the best expected chunk stands."""
        part = config.retrieval
        found = self.retrieve(config, part.candidates)
        everything = min(len(self.retriever.reader.store.chunk_ids()), _DEEPEST)
        anywhere = [passage for _, passage in self.expected(self.retrieve(config, everything).passages)]
        candidates = self.expected(found.passages)
        fused = candidates[0][0] if candidates else None
        best = [*(passage for _, passage in candidates), *anywhere]
        passage = best[0] if best else _unfound(self.retriever, self.ids)
        relevant = found.relevance >= config.least_relevance()
        top = found.passages[: part.k]
        packed = self.make_packer(config)(self.question, top) if top and relevant else None
        return Standing(
            passage,
            dense=min((p.dense_rank for p in anywhere if p.dense_rank), default=None),
            lexical=min((p.lexical_rank for p in anywhere if p.lexical_rank), default=None),
            candidate=fused is not None,
            fused=fused,
            retrieved=fused is not None and fused <= part.k,
            shown=packed is not None and bool(self.expected(packed.shown)),
            dropped=_dropped(passage, top, packed, found.relevance),
            turned_away=not relevant,
        )

    def shows(self, config: Config) -> bool:
        """Return whether a configuration shows an expected chunk to the generator."""
        found = self.retrieve(config)
        if found.relevance < config.least_relevance():
            return False
        return bool(self.expected(self.make_packer(config)(self.question, found.passages).shown))

    def candidates(self, standing: Standing, config: Config) -> Iterator[Change]:
        """Yield changes to try, those of one setting before those of two."""
        part = config.retrieval
        ranks = [rank for rank in (standing.dense, standing.lexical) if rank is not None]
        base: dict[str, int | float] = {}
        fused = standing.fused
        if not standing.candidate and ranks:
            base = {"retrieval.candidates": min(2000, *ranks)}
            yield Change(base)
            wider = _with(config, base)
            fused = next(iter(self.expected(self.retrieve(wider, wider.retrieval.candidates).passages)), (None,))[0]
        if standing.turned_away:
            # The best cosine of this question, rounded down: the gate would let it pass.
            best = self.retrieve(_with(config, base)).relevance
            base = {**base, "retrieval.min_relevance": math.floor(best * 100) / 100}
            yield Change(base)
        if fused is not None and fused > part.k:
            for weight in sorted(_WEIGHTS, key=lambda w: abs(w - part.dense_weight)):
                if weight != part.dense_weight:
                    yield Change({**base, "retrieval.dense_weight": weight})
            base["retrieval.k"] = min(fused, 1000)
            yield Change(base)
        for budget in _BUDGETS:
            if budget > config.prompt.context_tokens:
                yield Change({**base, "prompt.context_tokens": budget})


def _dropped(passage: Passage, retrieved: Sequence[Passage], packed: Packed | None, relevance: float) -> str | None:
    """Return why a retrieved passage is not in the prompt; None if it is, or was not retrieved."""
    if passage not in retrieved:
        return None
    if packed is None:
        return f"the best cosine, {relevance:.2f}, is below retrieval.min_relevance"
    return next((d.reason.text for d in packed.dropped if d.passage.id == passage.id), None)


def _unfound(retriever: Retriever, ids: set[int]) -> Passage:
    row = retriever.reader.store.chunks([min(ids)])[min(ids)]
    return Passage(
        id=row.id,
        source=row.source,
        title=row.title,
        page=row.page,
        headings=row.headings,
        start=row.start,
        end=row.end,
        text=row.text,
        score=float("-inf"),
    )


def _lost_at(standing: Standing) -> str | None:
    if standing.shown:
        return None
    if not standing.candidate:
        return "candidates"
    if standing.retrieved:
        return "relevance" if standing.turned_away else "budget"
    return "fusion"


def _one_of_each(found: Iterator[Change]) -> Iterator[Change]:
    """Keep the first change of each kind, and stop at the third."""
    seen: set[tuple[str, ...]] = set()
    for change in found:
        kind = tuple(change.settings)
        if kind not in seen:
            seen.add(kind)
            yield change
        if len(seen) == 3:
            return


def _with(config: Config, settings: dict[str, int | float]) -> Config:
    tree = config.model_dump()
    for dotted, value in settings.items():
        part, _, leaf = dotted.partition(".")
        tree[part][leaf] = value
    return Config.model_validate(tree)


def _similarity(a: str, b: str) -> float:
    return SequenceMatcher(None, _words(a), _words(b), autojunk=False).ratio()


def _words(text: str) -> Sequence[str]:
    return re.findall(r"\w+", text.lower())
