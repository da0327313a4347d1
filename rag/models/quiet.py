"""Keeping native libraries quiet: what they print while they load is held back, and shown only if loading fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["held_back"]


@contextmanager
def held_back() -> Iterator[None]:
    """Hold back what the process writes to stdout and stderr, also below Python; replay it to stderr on an error.

    Set ``RAG_VERBOSE=1`` to see everything at once.
    """
    if os.environ.get("RAG_VERBOSE") == "1":
        with _onto(1, 2):
            yield
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with tempfile.TemporaryFile() as log:
        try:
            with _unproxied(), _onto(1, log.fileno()), _onto(2, log.fileno()):
                yield
        except BaseException:
            log.seek(0)
            os.write(2, log.read())
            raise


@contextmanager
def _unproxied() -> Iterator[None]:
    """Take rich's proxies off ``sys.stdout`` and ``sys.stderr`` for a while.

    While its spinner turns, rich hands on what Python code writes to the terminal itself, on a descriptor of its own:
    library warnings, logs and progress bars would be shown.
    """
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (getattr(stream, "rich_proxied_file", stream) for stream in saved)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved


@contextmanager
def _onto(descriptor: int, target: int) -> Iterator[None]:
    """Let a file descriptor stand for another one for a while."""
    saved = os.dup(descriptor)
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os.dup2(saved, descriptor)
        os.close(saved)
