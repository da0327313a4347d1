"""Small helpers for text that people read: counts with nouns, one-line messages, addresses without passwords.

A leaf: every package of ``rag`` may import it. English only; the page's catalogue has the other languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["counted", "documents_by_state", "error_line", "one_line", "without_userinfo"]

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 chunk``, ``2,000 chunks``. ``many`` is an irregular plural."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def documents_by_state(counts: Mapping[str, int]) -> str:
    """Return how many documents of an index are ready, answered from an older version only, and failed."""
    parts = [f"{counted(counts['ready'], 'document')} ready"]
    parts += [f"{counts['stale']:,} in an older version"] if counts["stale"] else []
    parts += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    return ", ".join(parts)


def one_line(text: str, limit: int | None = None) -> str:
    """Return a text with each run of white space as one space, cut to ``limit`` characters."""
    return " ".join(text.split())[:limit]


def error_line(error: BaseException, limit: int = 500) -> str:
    """Return an error's message on one line, or the name of its class where it has none."""
    return one_line(str(error), limit) or type(error).__name__


def without_userinfo(text: str) -> str:
    """Return a text with ``***`` in place of the user name and password of each address in it."""
    return _USERINFO.sub("***@", text)
