"""Pack the rows of a run as JSON for the HTML report: each passage text once, long runs shortened to a size budget.

``report.js`` reads the result. Shortening keeps every question; it drops passages after the first few and cuts texts,
around the cited quote if there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["BUDGET", "PackedRows", "json_for_html", "pack_rows"]

BUDGET = 24_000_000  # bytes of JSON; plotly.js adds 5 MB
_UNSAFE = re.compile("[<>&\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NUMBERS = ("rank", "score", "dense", "dense_rank", "lexical", "lexical_rank")
_MAX_CITATIONS = 20


@dataclass(frozen=True, slots=True)
class PackedRows:
    """``json`` is an object with ``rows`` and ``texts``; ``shortened`` says whether anything was left out."""

    json: str
    shortened: bool


@dataclass(frozen=True, slots=True)
class _Limits:
    passages: int
    passage_chars: int
    text_chars: int


_LIMITS = (
    _Limits(50, 20_000, 20_000),
    _Limits(10, 1_200, 4_000),
    _Limits(6, 480, 1_000),
    _Limits(5, 360, 600),
    _Limits(3, 280, 400),
    _Limits(2, 120, 200),
    _Limits(0, 0, 120),
)


def json_for_html(value: object) -> str:
    """Return JSON that cannot end a script element, open a comment, or break a line. NaN raises ``ValueError``."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def pack_rows(rows: Sequence[Mapping[str, Any]], *, budget: int = BUDGET) -> PackedRows:
    """Return the rows, shortened no more than needed to stay within ``budget`` bytes of UTF-8.

    The strongest shortening is used even if its result exceeds the budget. NaN raises ``ValueError``.
    """
    for limits in _LIMITS[:-1]:
        if _passage_chars(rows, limits) <= budget:  # a lower bound that needs no encoding
            packed = _Packer(limits).pack(rows)
            if len(packed.json.encode()) <= budget:
                return packed
    return _Packer(_LIMITS[-1]).pack(rows)


def _passage_chars(rows: Sequence[Mapping[str, Any]], limits: _Limits) -> int:
    """Return the number of characters of the distinct passage texts within the limits."""
    texts = {
        str(passage.get("text") or "")
        for row in rows
        for passage in _most_relevant(row.get("passages") or [], limits.passages)
    }
    return sum(min(len(text), limits.passage_chars) for text in texts)


def _most_relevant(passages: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Return ``count`` passages in rank order; those shown to the generator or relevant take precedence."""
    if len(passages) <= count:
        return list(passages)
    ranked = enumerate(passages)
    chosen = sorted(ranked, key=lambda item: not (item[1].get("shown") or item[1].get("relevant")))[:count]
    return [passage for _, passage in sorted(chosen, key=lambda item: item[0])]


class _Packer:
    def __init__(self, limits: _Limits) -> None:
        self.limits = limits
        self.shortened = False
        self.texts: dict[tuple[Any, ...], int] = {}  # (source, page, headings, text) to its place in the output

    def pack(self, rows: Sequence[Mapping[str, Any]]) -> PackedRows:
        packed = [self._row(row) for row in rows]
        return PackedRows(json_for_html({"rows": packed, "texts": list(self.texts)}), self.shortened)

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        citations = [citation for citation in row.get("citations") or [] if isinstance(citation, Mapping)]
        quotes = _first_quotes(citations)
        passages = row.get("passages") or []
        self.shortened |= len(passages) > self.limits.passages
        packed = {
            "id": self._clip(row["id"]),
            "question": self._clip(row.get("question")),
            "golds": [self._clip(gold) for gold in dict.fromkeys(row.get("answers") or [])],
            "prediction": self._clip(row.get("prediction")),
            "em": row["em"],
            "verdict": row.get("verdict"),
            "kind": self._clip(row.get("kind")),
            "f1": _rounded(row["f1"]),
            "confidence": _rounded(row.get("confidence")),
            "seconds": _rounded(row.get("latency_s")),
            "loss": row.get("loss"),
            "source": self._clip(row.get("source")),
            "passages": [self._passage(p, quotes) for p in _most_relevant(passages, self.limits.passages)],
            "citations": [self._citation(citation) for citation in citations[:_MAX_CITATIONS]],
        }
        packed |= {flag: True for flag in ("impossible", "abstained") if row.get(flag)}
        if row.get("text") and row["text"] != row.get("prediction"):
            packed["answer"] = self._clip(row["text"])
        return packed

    def _citation(self, citation: Mapping[str, Any]) -> list[Any]:
        texts = [self._clip(citation.get(name)) for name in ("source", "quote")]
        return texts + [_flag(citation.get(name)) for name in ("contains_gold", "overlaps_gold")]

    def _passage(self, passage: Mapping[str, Any], quotes: Mapping[str, str]) -> list[Any]:
        source = str(passage.get("source") or "")
        text = self._window(str(passage.get("text") or ""), quotes.get(source, ""))
        headings = " › ".join(str(heading) for heading in passage.get("headings") or ())
        key = (self._clip(source), passage.get("page"), self._clip(headings), text)
        place = self.texts.setdefault(key, len(self.texts))
        numbers = [_rounded(passage.get(name)) for name in _NUMBERS]
        return [place, *numbers, _flag(passage.get("shown")), _flag(passage.get("relevant"))]

    def _window(self, text: str, quote: str) -> str:
        """Cut a passage to the limit so that the beginning of the quote remains visible."""
        limit = self.limits.passage_chars
        if len(text) <= limit:
            return text
        self.shortened = True
        at = text.find(quote) if quote else -1
        start = 0 if at < limit // 2 else min(at - limit // 4, len(text) - limit)
        end = start + limit
        return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")

    def _clip(self, value: object) -> str:
        text = "" if value is None else str(value)
        if len(text) <= self.limits.text_chars:
            return text
        self.shortened = True
        return text[: self.limits.text_chars] + "…"


def _first_quotes(citations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return by source the first quote that is cited from it."""
    return {str(c.get("source") or ""): str(c.get("quote") or "") for c in reversed(citations)}


def _rounded(value: object) -> float | int | None:
    """Return a number with four significant digits, or None: a run holds a million of them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) else float(f"{value:.4g}")


def _flag(value: object) -> int | None:
    return None if value is None else int(bool(value))
