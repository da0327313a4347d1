"""What the search lab shows: passages of several retrievers side by side, their places in the others, words marked.

Pure functions over what retrieval returned. All foreign text that leaves here is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from rag.evidence.token_match import content_stems
from rag.ops.explain import Change, Standing, Why
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved
from rag.types import Passage
from ui.i18n import Texts
from ui.text.safe import escape, marked
from ui.views.documents import name_of
from ui.views.words import place

__all__ = [
    "Card",
    "Column",
    "asked_terms",
    "card_html",
    "columns",
    "expected_page",
    "matched",
    "settings_of",
    "why_lines",
]

_WORD = re.compile(r"[^\W_]+")
_BEFORE = {"hybrid": "dense", "reranked": "hybrid"}  # what a column's ranks are compared with


@dataclass(frozen=True)
class Card:
    """A passage in one column. ``moved`` is how many places it rose against the column before, None where it is new
    there or nothing is compared; ``ranks`` are its places in all columns.
    """

    rank: int
    passage: Passage
    moved: int | None
    new: bool
    ranks: Mapping[str, int]


@dataclass(frozen=True)
class Column:
    """One retriever's passages; ``seconds`` is what its own work took."""

    name: str
    cards: tuple[Card, ...]
    seconds: float


def columns(found: Mapping[str, Retrieved], k: int) -> list[Column]:
    """Return the first ``k`` passages of each retriever, with their places in all of them."""
    places: dict[int, dict[str, int]] = {}
    for name, retrieved in found.items():
        for rank, passage in enumerate(retrieved.passages, start=1):
            places.setdefault(passage.id, {})[name] = rank
    made = []
    for name, retrieved in found.items():
        before = _BEFORE.get(name) if _BEFORE.get(name) in found else None
        cards = []
        for rank, passage in enumerate(retrieved.passages[:k], start=1):
            was = places[passage.id].get(before) if before else None
            moved = None if was is None else was - rank
            cards.append(Card(rank, passage, moved, before is not None and was is None, places[passage.id]))
        made.append(Column(name, tuple(cards), sum(retrieved.timings.values())))
    return made


def asked_terms(question: str, stems: Callable[[str], list[str]]) -> set[str]:
    """Return the stems that are marked: those of the question's words that carry meaning, of all if none does."""
    words = [word.group() for word in _WORD.finditer(question)]
    telling = [word for word in words if content_stems(word)] or words
    return {stem for word in telling for stem in stems(word)}


def matched(text: str, terms: Collection[str], stems: Callable[[str], list[str]]) -> list[tuple[int, int]]:
    """Return where the words stand whose stems are among ``terms``; each different word is looked at once."""
    known: dict[str, bool] = {}
    spans = []
    for word in _WORD.finditer(text):
        key = word.group().lower()
        if key not in known:
            known[key] = not set(stems(key)).isdisjoint(terms)
        if known[key]:
            spans.append(word.span())
    return spans


def card_html(
    card: Card, spans: list[tuple[int, int]], t: Texts, *, expected: bool = False, among: Collection[str] = ()
) -> str:
    """Return a card as HTML: place and name, where it stands in the other columns, and the text with words marked."""
    passage = card.passage
    if card.new:
        move = t("lab.new")
    elif card.moved:
        move = f"↑ {t.number(card.moved)}" if card.moved > 0 else f"↓ {t.number(-card.moved)}"
    else:
        move = "=" if card.moved == 0 else ""
    ranks = [f"{t(f'lab.{name}')} {card.ranks.get(name, '–')}" for name in among]
    return (
        f'<div class="lab-card{" lab-expected" if expected else ""}">'
        f'<div class="lab-head">{card.rank}. {escape(name_of(passage.source))} {escape(move)}</div>'
        f'<div class="lab-place">{escape(place(t, passage))}</div>'
        f'<div class="lab-text">{marked(passage.text, spans)}</div>'
        f'<div class="lab-ranks">{escape(" · ".join(ranks))}</div></div>'
    )


def expected_page(text: str) -> int | None:
    """Read a page number; None where none is given. Raises ``ValueError`` for what is no number."""
    stripped = text.strip()
    if not stripped:
        return None
    page = int(stripped)
    if page < 1:
        raise ValueError(page)
    return page


def why_lines(found: Why, k: int, candidates: int, only: Filter | None, t: Texts) -> list[str]:
    """Say where the expected passage stands and where it was lost, a sentence a line; plain text."""
    at = found.standing
    if found.lost_at == "filter":
        return [t("lab.lost_filter", filter=str(only or ""))]
    lines = [
        t("lab.standing_dense", rank=_rank(at.dense, t)),
        t("lab.standing_lexical", rank=_rank(at.lexical, t)),
        *_together(at, k, t),
    ]
    if found.lost_at is None:
        return [*lines, t("lab.shown")]
    lines.append(t(f"lab.lost_{found.lost_at}", candidates=candidates, k=k))
    return lines if found.changes else [*lines, t("lab.no_change")]


def _together(at: Standing, k: int, t: Texts) -> list[str]:
    """Say the place of both together, and where a model read the passage again, the one that it has then."""
    before = at.passage.fused_rank
    if before is None:
        return [t("lab.standing_fused", rank=_rank(at.fused, t), k=k)]
    return [t("lab.standing_hybrid", rank=_rank(before, t)), t("lab.standing_reranked", rank=_rank(at.fused, t), k=k)]


def settings_of(change: Change) -> dict[str, int | float]:
    """Return what the sliders have to show for a change, nothing where it takes more than the sliders."""
    sliders = {"retrieval.k": "lab_k", "retrieval.dense_weight": "lab_weight"}
    values = {sliders[key]: value for key, value in change.settings.items() if key in sliders}
    return values if len(values) == len(change.settings) and values.get("lab_k", 1) <= 50 else {}


def _rank(rank: int | None, t: Texts) -> str:
    return t("lab.not_found") if rank is None else t.number(rank)
