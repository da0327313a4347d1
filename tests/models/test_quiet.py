"""Keeping libraries quiet: whatever they write, below Python or through rich's proxies, is held back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
from rich.console import Console

from rag.models.quiet import quiet_libraries

WRITERS: dict[str, Callable[[], object]] = {
    "descriptor 1": lambda: os.write(1, b"noise"),
    "descriptor 2": lambda: os.write(2, b"noise"),
    "stdout": lambda: sys.stdout.write("noise\n"),
    "stderr": lambda: sys.stderr.write("noise\n"),
}


@contextmanager
def real_streams() -> Iterator[None]:
    """Let ``sys.stdout`` and ``sys.stderr`` be what they are outside pytest: buffers before descriptors 1 and 2."""
    saved = sys.stdout, sys.stderr
    with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as sys.stderr:
        try:
            yield
        finally:
            sys.stdout, sys.stderr = saved


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("spinning", [True, False], ids=["spinner", "no spinner"])
def test_noise_is_held_back(capfd: pytest.CaptureFixture[str], write: Callable[[], object], spinning: bool) -> None:
    terminal = io.StringIO()
    spinner = Console(file=terminal, force_terminal=True).status("starting") if spinning else nullcontext()
    with real_streams():
        streams = sys.stdout, sys.stderr
        with spinner:
            before = sys.stdout, sys.stderr
            assert (before != streams) is spinning, "rich replaces both"
            with quiet_libraries():
                write()
            assert (sys.stdout, sys.stderr) == before
    assert "noise" not in "".join(capfd.readouterr()) + terminal.getvalue()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_noise_before_an_error_is_shown(capfd: pytest.CaptureFixture[str], write: Callable[[], object]) -> None:
    def fail() -> None:
        with quiet_libraries():
            write()
            raise RuntimeError

    with real_streams(), pytest.raises(RuntimeError):
        fail()
    assert "noise" in capfd.readouterr().err


def test_everything_is_shown_in_verbose_mode(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_VERBOSE", "1")
    with real_streams(), quiet_libraries():
        os.write(1, b"noise")
    assert capfd.readouterr() == ("", "noise")
