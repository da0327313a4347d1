"""Memory that was freed, given back to the system.

glibc keeps what is freed below the last block in use, for the next who asks. After a large file that is some hundred
megabytes in pieces too small for what comes next, and the process looks as large as it once was.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

__all__ = ["give_back"]


def give_back() -> None:
    """Give back what can be given back, which takes milliseconds; where the C library is another one, do nothing."""
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of musl there is none
    return found
