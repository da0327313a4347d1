"""Counts in English sentences: ``1 chunk``, ``2,000 chunks``. Other languages are the page's catalogue's."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["counted", "documents_told"]


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun; ``many`` is the plural where an added ``s`` does not make it."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def documents_told(counts: Mapping[str, int]) -> str:
    """Say how many documents an index has ready, how many in an older version only, and how many failed."""
    told = [f"{counted(counts['ready'], 'document')} ready"]
    told += [f"{counts['stale']:,} in an older version"] if counts["stale"] else []
    told += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    return ", ".join(told)
