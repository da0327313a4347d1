"""Running the ``rag`` command: in this process for its exit code and output, in another where processes matter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ENTRY_POINT", "EXAMPLES", "PROCESS", "Rag", "Ran", "environment", "error_of", "process"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "docs"
ENTRY_POINT = str(Path(sys.executable).with_name("rag"))
# Whoever started the tests may ignore SIGINT, and a child would inherit that.
PROCESS = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom rag.__main__ import run; run()",
]


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The whole of stdout as one JSON value."""
        return json.loads(self.out)


Rag = Callable[..., Ran]


def environment(**more: str) -> dict[str, str]:
    """Return the environment for another process: the configuration without models, UTF-8, and buffered output."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return inherited | {"RAG_CONFIG": "test", "PYTHONIOENCODING": "utf-8"} | more


def process(*arguments: str, prefix: Sequence[str] = (), **more: str) -> Ran:
    """Run a command to its end in a process of its own."""
    done = subprocess.run(
        [*prefix, *PROCESS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**more),
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def error_of(ran: Ran) -> tuple[str, str]:
    """Assert that stderr is one sentence and one remedy and stdout is empty; return the sentence and the remedy."""
    assert "Traceback" not in ran.out + ran.err
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert len(lines) == 2, ran.err
    assert lines[0].startswith("error: "), ran.err
    assert lines[1].startswith("  "), ran.err
    sentence, remedy = lines[0].removeprefix("error: "), lines[1].strip()
    assert sentence
    assert remedy
    return sentence, remedy
