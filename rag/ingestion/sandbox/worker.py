"""The worker process: reads files and draws pages, one after the other, as requests come over a pipe.

:mod:`rag.ingestion.sandbox.worker_process` starts it as ``python -m rag.ingestion.sandbox.worker FD``. Its standard
input and output are the pipe; what a parser prints is discarded. It imports no model library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders import FORMATS, Format, load_bytes
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.loaders.pdf_page import PageImage, render_page
from rag.ingestion.sandbox.isolation import (
    OUT_OF_MEMORY,
    allow_one_file,
    end_with,
    isolate,
    resident_bytes,
    stop_timer,
)
from rag.ingestion.sandbox.limits import Limits, out_of_memory
from rag.ingestion.sandbox.protocol import read_frame, write_frame
from rag.text import one_line
from rag.types import Document

__all__ = ["main"]


def main(lifeline: int) -> None:
    """Serve until the pipe closes."""
    end_with(lifeline)
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    settings = read_frame(requests)
    if settings is None:
        return
    limits = Limits.from_dict(settings[0]["limits"])
    FORMATS.update({row["media_type"]: Format.from_dict(row) for row in settings[0]["formats"]})
    network = isolate(limits)
    write_frame(replies, {"network": network, "resident": resident_bytes()})
    os.dup2(null, 2)
    while (request := read_frame(requests)) is not None:
        allow_one_file(limits)
        head, body = _answer(request[0], request[1], limits)
        del request
        write_frame(replies, {**head, "resident": resident_bytes()}, body)
        del body
        stop_timer()


def _answer(request: dict[str, Any], data: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    try:
        if request["path"] is not None:
            data = _read(Path(os.fsdecode(bytes.fromhex(request["path"]))), limits)
        if "page" in request:
            return _pack_page(render_page(data, **request["page"]))
        return _pack(load_bytes(data, request["source"], limits.bounds))
    except DocumentError as error:
        return _refusal(error), b""
    except MemoryError:
        return {**_refusal(out_of_memory(limits)), "worn": True}, b""
    except RecursionError:
        message = "it is nested too deeply to be read"
        return _refusal(DocumentError("nested", message, "export it again, with less nesting")), b""
    except Exception as error:  # noqa: BLE001 - a parser may raise anything, and the other files must be read
        message = f"its parser failed: {type(error).__name__}: {one_line(str(error), 200)}"
        return _refusal(DocumentError("parser", message, "report the file")), b""


def _pack(document: Document) -> tuple[dict[str, Any], bytes]:
    head = {
        "source": document.source,
        "media_type": document.media_type,
        "title": document.title,
        "pages": document.pages,
        "sections": [[s.start, s.end, s.page, s.headings] for s in document.sections],
    }
    return {"document": head}, document.text.encode()


def _pack_page(page: PageImage) -> tuple[dict[str, Any], bytes]:
    return {"image": {"width": page.width, "height": page.height, "boxes": page.boxes}}, page.png


def _refusal(error: DocumentError) -> dict[str, Any]:
    return {"error": [error.reason, error.message, error.remedy]}


def _read(path: Path, limits: Limits) -> bytes:
    try:
        if not path.is_file():
            raise DocumentError("not a file", "it is neither a file nor a folder", "name a regular file")
        with path.open("rb") as file:
            data = file.read(limits.file_mb * MIB + 1)
    except OSError as error:
        raise DocumentError("unreadable", f"it cannot be read: {error.strerror}", "check its permissions") from None
    if len(data) > limits.file_mb * MIB:
        raise DocumentError("too large", f"it is larger than {limits.file_mb} MiB", "split it, or raise the limit")
    return data


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except MemoryError:  # outside a parser: while a request is read or a reply written
        os._exit(OUT_OF_MEMORY)
