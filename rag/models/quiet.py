"""Keeps native libraries quiet: what they print while they load is shown only if loading fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]


@contextmanager
def quiet_libraries() -> Iterator[None]:
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
        except BaseException:  # an interruption too shows what was printed before it
            log.seek(0)
            os.write(2, log.read())
            raise


@contextmanager
def _unproxied() -> Iterator[None]:
    """Replace rich's proxies of ``sys.stdout`` and ``sys.stderr`` by the streams themselves for a while.

    While its spinner turns, rich writes what Python code prints to the terminal by a descriptor of its own, so that
    warnings, logs and progress bars of libraries would be shown.
    """
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (getattr(stream, "rich_proxied_file", stream) for stream in saved)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved


@contextmanager
def _onto(descriptor: int, target: int) -> Iterator[None]:
    """Redirect a file descriptor to another one for a while."""
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
