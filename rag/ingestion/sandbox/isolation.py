"""What a worker does to itself before it reads untrusted files: limits that the kernel enforces, and no network.

It relies on Linux. docs/formats.md states what is guaranteed: this contains a parser that misbehaves, not an attacker
who runs code in it.
"""

from __future__ import annotations

import ctypes
import fcntl
import math
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

from rag.ingestion.loaders.limits import MIB
from rag.ingestion.sandbox.protocol import Limits

__all__ = ["OUT_OF_MEMORY", "allow_more", "allow_one_file", "end_with", "isolate", "resident_bytes", "stop_timer"]

OUT_OF_MEMORY = 77  # the exit code of a worker that ran out of memory and could not reply
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_GRACE_SECONDS = 5.0
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.")


def end_with(lifeline: int) -> None:
    """Have the kernel end this process when the other end of a pipe closes, whatever the process is doing.

    ``PR_SET_PDEATHSIG`` does not work here: it watches the thread that started the process, and the pool's threads end.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)  # the default ends the process
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(lifeline, select.POLLHUP)
    if poll.poll(0):  # closed before F_SETFL
        os._exit(1)


def isolate(limits: Limits) -> str:
    """Limit this process for good. Return what keeps it from the network: ``namespace`` or ``python``."""
    network = "namespace" if _leave_network() else "python"
    sys.addaudithook(_refuse)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    most = _address_space() + limits.memory_mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return network


def allow_one_file(limits: Limits) -> None:
    """Grant processor and wall-clock time for the next file. The kernel ends the process when either is used up.

    The parent kills it sooner if it can.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + limits.cpu_seconds, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds + _GRACE_SECONDS)


def allow_more(limits: Limits, seconds: float) -> None:
    """Grant more processor time for the current file, or take it back, and begin its wall-clock time again.

    The wall-clock time includes twice the seconds: other processes may be busy.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    whole = math.ceil(seconds)  # a page must not cost the file more than it took
    least = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (max(soft + whole, least), hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds + 2 * max(seconds, 0.0) + _GRACE_SECONDS)


def stop_timer() -> None:
    """Stop the timer that :func:`allow_one_file` started."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def resident_bytes() -> int:
    """Return how much memory the process holds."""
    return _statm(1)


def _address_space() -> int:
    return _statm(0)


def _statm(field: int) -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[field]) * resource.getpagesize()


def _leave_network() -> bool:
    """Move to a network namespace without devices. Needs root, or a kernel that lets users create namespaces."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))
    except (OSError, AttributeError):
        return False


def _refuse(event: str, arguments: object) -> None:
    del arguments
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a parser may not use {event}")
