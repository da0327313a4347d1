"""The server that forks a process for each fault, and a place for its indexes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fault_script
import pytest

Server = Callable[..., list[int]]
FIGURES: list[str] = []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what was counted: the figures of docs/reliability.md."""
    for line in FIGURES:
        terminalreporter.write_line(line)


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Add a line to what is shown at the end."""
    return FIGURES.append


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Send requests (dictionaries) to run at once; get their exit statuses."""
    command = [sys.executable, str(Path(__file__).with_name("fault_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def ask(*requests: dict[str, Any]) -> list[int]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([r | {"folder": str(r["folder"])} for r in requests]) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert isinstance(answer, list)
            return answer

        yield ask
        process.stdin.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory: these tests wait for a disk thousands of times."""
    with fault_script.temporary_folder() as folder:
        yield folder
