"""One background job as a child process that reports events, one JSON object per line.

Ingestions and evaluations run this way: answers keep streaming in the page's process, a job can be cancelled at any
moment, and a crash loses only the job. This module knows nothing of what a job does: it follows the process, passes its
events on and reports how it ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Literal

__all__ = ["GRACE_S", "JobProcess", "child_environment"]

GRACE_S = 8.0
_NEEDED = frozenset(
    """
    CI CURL_CA_BUNDLE HOME LANG LANGUAGE LD_LIBRARY_PATH LOGNAME PATH PWD REQUESTS_CA_BUNDLE SHELL SSL_CERT_DIR
    SSL_CERT_FILE TERM TMPDIR TZ USER VIRTUAL_ENV HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy
    """.split()  # noqa: SIM905
)
_NEEDED_OF = (
    "CUDA_", "HF_", "HUGGINGFACE_", "LC_", "MALLOC_", "MKL_", "NCCL_", "NVIDIA_", "OMP_", "OPENBLAS_", "OV_", "PYTHON",
    "RAG_", "SENTENCE_TRANSFORMERS_", "TOKENIZERS_", "TORCH", "TRANSFORMERS_", "VLLM_", "XDG_",
)  # fmt: skip
_SECRET = re.compile(r"KEY|TOKEN(?!IZERS)|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_LINES = 40  # of other output, for an error message


def child_environment(keep: Collection[str] = ()) -> dict[str, str]:
    """Return the variables of this process that a job needs, without keys and passwords but those named in ``keep``."""
    needed = {
        name: value
        for name, value in os.environ.items()
        if (name in _NEEDED or name.startswith(_NEEDED_OF)) and not _SECRET.search(name)
    }
    named = {name: os.environ[name] for name in keep if name in os.environ}
    return needed | named | {"PYTHONIOENCODING": "utf-8"}


class JobProcess:
    """A running child process.

    ``on_event(name, values)`` gets each event, ``on_end(code, cancelled, lines)`` the exit code and the last lines that
    were no events; both are called in a thread of their own. ``message`` is written to its standard input, which stays
    open: a job can stop when it closes, because then this process is gone. ``keep`` as in :func:`child_environment`.
    Raises ``OSError`` if it cannot start.
    """

    def __init__(
        self,
        command: Sequence[str],
        on_event: Callable[[str, dict[str, Any]], None],
        on_end: Callable[[int, bool, Sequence[str]], None],
        *,
        events_on: Literal["stdout", "stderr"] = "stdout",
        message: str = "",
        keep: Collection[str] = (),
    ) -> None:
        self._on_event, self._on_end = on_event, on_end
        self._cancelled = False
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if events_on == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if events_on == "stderr" else None,
            env=child_environment(keep),
            start_new_session=True,  # so that its own children receive its signals
        )
        threading.Thread(target=self._follow, args=(message,), name="job", daemon=True).start()

    def cancel(self, *, grace_s: float = GRACE_S, wait: bool = False) -> None:
        """Interrupt the process; terminate and kill it if it does not stop within ``grace_s`` seconds each."""
        if self._process.poll() is not None:
            return
        self._cancelled = True
        stopper = threading.Thread(target=self._stop, args=(grace_s,), name="job-stop", daemon=True)
        stopper.start()
        if wait:
            stopper.join(3 * grace_s)

    def _stop(self, grace_s: float) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
                return

    def _follow(self, message: str) -> None:
        stdin, lines = self._process.stdin, deque[str](maxlen=_LINES)
        assert stdin is not None  # noqa: S101 - a pipe was requested
        with suppress(OSError):  # it may have ended already; the exit code tells
            stdin.write(message.encode() + b"\n")
            stdin.flush()
        for raw in self._process.stdout or self._process.stderr or ():
            line = raw.decode("utf-8", "replace").strip()
            event = _event(line)
            if event is None:
                lines.append(line)
            else:
                self._on_event(event.pop("event"), event)
        code = self._process.wait()
        for pipe in (stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._on_end(code, self._cancelled, lines)


def _event(line: str) -> dict[str, Any] | None:
    """Return the event of a line, None if the line is other output."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: nested deeper than Python reads
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None
