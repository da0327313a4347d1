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
from rag.generation.prompt_builder import Packer
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved, Retriever
from rag.types import Answer, Passage

__all__ = ["Attribution", "Change", "Standing", "Why", "leave_one_out", "why"]

_DEEPEST = 20_000  # chunks looked through for a rank beyond the candidates
_WEIGHTS = tuple(n / 20 for n in range(21))
_BUDGETS = (512, 1024, 2048, 4096, 8192)

MakeRetriever = Callable[[Config], Retriever]
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
    if only is not None and ids.isdisjoint(retriever.reader.store.chunk_ids(only.selection()).tolist()):
        return Why(question, _kept_out(retriever, ids), "filter", ())
    if only is not None:
        retriever = retriever.filtered(only)

    def make_retriever(changed: Config) -> Retriever:
        return retriever.with_settings(changed.retrieval)

    standing = _standing(question, ids, config, retriever, make_packer(config))
    changes: tuple[Change, ...] = ()
    if not standing.shown:
        tried = _candidates(question, ids, standing, config, make_retriever)
        found = (c for c in tried if _shows(question, ids, _with(config, c.settings), make_retriever, make_packer))
        changes = tuple(_one_of_each(found))
    return Why(question, standing, _lost_at(standing), changes)


def leave_one_out(answerer: Answerer, answer: Answer) -> list[Attribution]:
    """Answer again without each passage that was shown, in one batch; the least similar answers come first."""
    shown = answer.passages
    variants = [Retrieved(answer.question, tuple(p for p in shown if p is not left_out), 1.0, 0) for left_out in shown]
    attributions = [
        Attribution(passage, other.text, other.abstained, _similarity(answer.text, other.text))
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


def _standing(question: str, ids: set[int], config: Config, retriever: Retriever, packer: Packer) -> Standing:
    part = config.retrieval
    found = retriever.retrieve(question, k=2 * part.candidates, depth=part.candidates)
    fused = next((n for n, p in enumerate(found.passages, start=1) if p.stands_for(ids)), None)
    everything = min(len(retriever.reader.store.chunk_ids()), _DEEPEST)
    wide = retriever.retrieve(question, k=2 * everything, depth=everything).passages
    expected = [p for p in wide if p.stands_for(ids)]
    passage = found.passages[fused - 1] if fused else expected[0] if expected else _unfound(retriever, ids)
    top = found.passages[: part.k]
    relevant = found.relevance >= config.least_relevance()
    packed = packer(question, top) if top and relevant else None
    retrieved = fused is not None and fused <= part.k
    dropped = None
    if retrieved and not relevant:
        dropped = f"the best cosine, {found.relevance:.2f}, is below retrieval.min_relevance"
    elif retrieved and packed is not None:
        dropped = next((d.reason.text for d in packed.dropped if d.passage.id == passage.id), None)
    return Standing(
        passage,
        dense=min((p.dense_rank for p in expected if p.dense_rank), default=None),
        lexical=min((p.lexical_rank for p in expected if p.lexical_rank), default=None),
        candidate=fused is not None,
        fused=fused,
        retrieved=retrieved,
        shown=packed is not None and any(p.stands_for(ids) for p in packed.shown),
        dropped=dropped,
        turned_away=not relevant,
    )


def _kept_out(retriever: Retriever, ids: set[int]) -> Standing:
    return Standing(_unfound(retriever, ids), None, None, False, None, False, False, None)


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


def _candidates(
    question: str, ids: set[int], standing: Standing, config: Config, make: MakeRetriever
) -> Iterator[Change]:
    """Yield changes to try, those of one setting before those of two."""
    part = config.retrieval
    ranks = [rank for rank in (standing.dense, standing.lexical) if rank is not None]
    base: dict[str, int | float] = {}
    fused = standing.fused
    if not standing.candidate and ranks:
        base = {"retrieval.candidates": min(2000, *ranks)}
        yield Change(base)
        fused = _fused_rank(question, ids, _with(config, base), make)
    if standing.turned_away:
        # The best cosine of this question, rounded down: the gate would let it pass.
        best = make(_with(config, base)).retrieve(question).relevance
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


def _fused_rank(question: str, ids: set[int], config: Config, make: MakeRetriever) -> int | None:
    depth = config.retrieval.candidates
    found = make(config).retrieve(question, k=2 * depth, depth=depth).passages
    return next((n for n, p in enumerate(found, start=1) if p.stands_for(ids)), None)


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


def _shows(
    question: str, ids: set[int], config: Config, make_retriever: MakeRetriever, make_packer: MakePacker
) -> bool:
    found = make_retriever(config).retrieve(question)
    if found.relevance < config.least_relevance():
        return False
    return any(p.stands_for(ids) for p in make_packer(config)(question, found.passages).shown)


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
