"""The rows of a run, packed for a page that opens quickly: every passage text once, long runs shortened to a budget.

The packed form is read by ``report.js`` alone. Shortening never drops a question: it drops passages after the first
few and cuts texts, around the cited quote where there is one; :func:`pack_rows` says in ``shortened`` that it did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["BUDGET", "json_for_html", "pack_rows"]

BUDGET = 24_000_000  # characters of JSON; plotly.js and three-byte scripts come on top of it
_UNSAFE = re.compile("[<>&\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Level:
    passages: int
    passage_chars: int
    text_chars: int


_BITS = {1: "impossible", 2: "abstained", 4: "cached"}
_NUMBERS = ("rank", "score", "dense", "dense_rank", "lexical", "lexical_rank")
_LEVELS = (
    _Level(50, 20_000, 20_000),
    _Level(10, 1_200, 4_000),
    _Level(6, 480, 1_000),
    _Level(5, 360, 600),
    _Level(3, 280, 400),
    _Level(2, 120, 200),
    _Level(0, 0, 120),
)


def json_for_html(value: object) -> str:
    """Return JSON that cannot end a script element, open a comment, or break a line. NaN raises ``ValueError``."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def pack_rows(rows: Sequence[Mapping[str, Any]], *, budget: int = BUDGET) -> str:
    """Return ``{"rows", "texts", "shortened"}`` as JSON for HTML, at the gentlest shortening that keeps the budget."""
    packed = ""
    for number, level in enumerate(_LEVELS):
        last = number == len(_LEVELS) - 1
        if not last and _least(rows, level) > budget:
            continue
        packer = _Packer(level)
        packed_rows = [packer.row(row) for row in rows]
        cut = packer.cut
        packed = json_for_html({"rows": packed_rows, "texts": packer.texts, "shortened": cut})
        if len(packed) + _wide(packed) <= budget:
            break
    return packed


def _least(rows: Sequence[Mapping[str, Any]], level: _Level) -> int:
    """Return a lower bound of the packed size, found without encoding anything."""
    texts: dict[str, int] = {}
    for row in rows:
        for passage in _foremost(row.get("passages") or [], level.passages):
            text = str(passage.get("text") or "")
            texts[text] = min(len(text), level.passage_chars)
    return sum(texts.values())


def _foremost(passages: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Return ``count`` passages in their order: those shown to the reader or relevant before the others."""
    if len(passages) <= count:
        return list(passages)
    by_worth = sorted(passages, key=lambda passage: not (passage.get("shown") or passage.get("relevant")))[:count]
    kept = {id(passage) for passage in by_worth}
    return [passage for passage in passages if id(passage) in kept]


def _wide(text: str) -> int:
    """Return the bytes that UTF-8 needs beyond one a character."""
    return 0 if text.isascii() else len(text.encode("utf-8")) - len(text)


class _Packer:
    def __init__(self, level: _Level) -> None:
        self.level = level
        self.cut = False
        self.texts: list[list[Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that the page shows, under short names."""
        citations = [citation for citation in row.get("citations") or [] if isinstance(citation, Mapping)]
        quotes: dict[str, str] = {}
        for citation in citations:
            quotes.setdefault(str(citation.get("source") or ""), str(citation.get("quote") or ""))
        passages = row.get("passages") or []
        self.cut |= len(passages) > self.level.passages
        packed = {
            "id": self._clip(row["id"]),
            "q": self._clip(row.get("question")),
            "g": [self._clip(gold) for gold in dict.fromkeys(row.get("answers") or [])],
            "p": self._clip(row.get("prediction")),
            "em": row["em"],
            "f1": _rounded(row["f1"]),
            "c": _rounded(row.get("confidence")),
            "t": _rounded(row.get("latency_s")),
            "l": row.get("loss"),
            "s": self._clip(row.get("source")) if row.get("source") else None,
            "x": int(bool(row.get("impossible")))
            + 2 * int(bool(row.get("abstained")))
            + 4 * int(bool(row.get("cached"))),
            "ps": [self._passage(passage, quotes) for passage in _foremost(passages, self.level.passages)],
            "cs": [
                [
                    self._clip(citation.get("source")),
                    self._clip(citation.get("quote")),
                    _flag(citation.get("contains_gold")),
                    _flag(citation.get("overlaps_gold")),
                ]
                for citation in citations[:20]
            ],
        }
        if row.get("text") and row["text"] != row.get("prediction"):
            packed["a"] = self._clip(row["text"])
        return packed

    def _passage(self, passage: Mapping[str, Any], quotes: Mapping[str, str]) -> list[Any]:
        source = str(passage.get("source") or "")
        text = self._window(str(passage.get("text") or ""), quotes.get(source, ""))
        headings = " › ".join(str(heading) for heading in passage.get("headings") or ())
        key = (source, passage.get("page"), headings, text)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.texts)
            self.texts.append([self._clip(source), passage.get("page"), self._clip(headings), text])
        return [
            place,
            *(_rounded(passage.get(name)) for name in _NUMBERS),
            _flag(passage.get("shown")),
            _flag(passage.get("relevant")),
        ]

    def _window(self, text: str, quote: str) -> str:
        """Cut a passage to the limit, keeping the beginning of the quote in sight."""
        limit = self.level.passage_chars
        if len(text) <= limit:
            return text
        self.cut = True
        at = text.find(quote) if quote else -1
        start = 0 if at < limit // 2 else min(at - limit // 4, len(text) - limit)
        end = start + limit
        return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")

    def _clip(self, value: object) -> str:
        text = "" if value is None else str(value)
        if len(text) <= self.level.text_chars:
            return text
        self.cut = True
        return text[: self.level.text_chars] + "…"


def _rounded(value: object) -> float | int | None:
    """Return four significant digits: nobody reads more, and a run holds a million such numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) else float(f"{value:.4g}")


def _flag(value: object) -> int | None:
    return None if value is None else int(bool(value))
