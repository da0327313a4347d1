"""Messages over pipes: eight bytes of length, a line of JSON, then raw bytes. What they mean is not known here.

Nothing is unpickled, so a compromised worker can send text but no code. The side that must not hang gives a deadline.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

__all__ = ["OverdueError", "OversizedError", "read_frame", "write_frame"]

_LENGTH = struct.Struct(">Q")
_AT_ONCE = 1 << 16


class OverdueError(Exception):
    """The other side took too long."""


class OversizedError(Exception):
    """The other side announces more than it may send."""


def write_frame(fd: int, head: dict[str, Any], body: bytes = b"", deadline: float | None = None) -> None:
    """Write a message. Raises ``BrokenPipeError`` if the other side has closed, and :class:`OverdueError`."""
    line = json.dumps(head).encode() + b"\n"
    for part in (_LENGTH.pack(len(line) + len(body)) + line, body):
        view = memoryview(part)
        while view:
            _wait(fd, select.POLLOUT, deadline)
            try:
                view = view[os.write(fd, view[:_AT_ONCE]) :]
            except BlockingIOError:
                continue


def read_frame(fd: int, deadline: float | None = None, most: int | None = None) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; return None if the other side has closed.

    Raises :class:`OverdueError` and :class:`OversizedError`.
    """
    prefix = _read(fd, _LENGTH.size, deadline)
    if prefix is None:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if most is not None and length > most:
        raise OversizedError
    message = _read(fd, length, deadline)
    if message is None:
        return None
    head, _, body = message.partition(b"\n")
    return json.loads(head), body


def _read(fd: int, length: int, deadline: float | None) -> bytes | None:
    parts: list[bytes] = []
    while length:
        _wait(fd, select.POLLIN, deadline)
        try:
            part = os.read(fd, min(length, _AT_ONCE))
        except BlockingIOError:
            continue
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _wait(fd: int, event: int, deadline: float | None) -> None:
    if deadline is None:
        return
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        raise OverdueError
