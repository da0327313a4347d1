"""Work in a process of its own: its input comes as JSON on stdin, its result is one line of JSON on stdout.

A closed engine does not free everything that the next one needs, so each engine gets a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["call", "serve"]


def call(module: str, value: Any, *, stderr: int | None = None) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """Run a module that calls :func:`serve`; return its result, None if it has failed, and the finished process."""
    child = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(value),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return (None if child.returncode else json.loads(child.stdout.strip().splitlines()[-1])), child


def serve(work: Callable[[Any], Any]) -> None:
    """Read the input, do the work and write its result. What engines print to stdout goes to stderr."""
    result = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(result, "w", encoding="utf-8") as handle:
        handle.write(json.dumps(work(json.load(sys.stdin))) + "\n")
