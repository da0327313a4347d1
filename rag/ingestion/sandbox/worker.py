"""The worker process: reads files and draws pages, one after the other, as requests come over a pipe.

:mod:`rag.ingestion.sandbox.worker_process` starts it as ``python -m rag.ingestion.sandbox.worker FD``. Its standard
input and output are the pipe; what a parser prints is discarded. It imports no model library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders import FORMATS, Format, load_bytes
from rag.ingestion.loaders.pdf_page import render_page
from rag.ingestion.sandbox.isolation import (
    OUT_OF_MEMORY,
    allow_more,
    allow_one_file,
    end_with,
    isolate,
    resident_bytes,
    stop_timer,
)
from rag.ingestion.sandbox.protocol import Limits, Message, pack_document, pack_page, read_message, write_message

__all__ = ["main"]


def main(lifeline: int) -> None:
    """Serve until the pipe closes."""
    end_with(lifeline)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    settings = read_message(requests)
    if settings is None:
        return
    limits = Limits.from_dict(settings[0]["limits"])
    FORMATS.update({row["media_type"]: Format.from_dict(row) for row in settings[0]["formats"]})
    isolate(limits)
    write_message(replies, {"resident": resident_bytes()})
    os.dup2(null, 2)
    while (request := read_message(requests)) is not None:
        allow_one_file(limits)

        def more_time(seconds: float) -> None:
            if seconds > 0:
                write_message(replies, {"more_seconds": seconds})
            allow_more(limits, seconds)

        head, body = _answer(*request, limits, more_time)
        del request
        write_message(replies, {**head, "resident": resident_bytes()}, body)
        del body
        stop_timer()


def _answer(request: dict[str, Any], data: bytes, limits: Limits, more_time: Callable[[float], None]) -> Message:
    try:
        if "page" in request:
            return pack_page(render_page(data, **request["page"]))
        hints = request.get("hints", {})
        return pack_document(load_bytes(data, request["source"], limits.bounds, limits.ocr, more_time, **hints))
    except DocumentError as error:
        return {"error": [error.reason, error.message, error.remedy]}, b""


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
