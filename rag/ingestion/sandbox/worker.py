"""The worker process: reads files, and draws pages of them, one after the other, as it is told over a pipe.

Run as ``python -m rag.ingestion.sandbox.worker FD`` by :mod:`rag.ingestion.sandbox.worker_process`, never by hand. Its
standard input and output are the pipe; whatever a parser prints goes nowhere. It imports no model library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import MIB
from rag.ingestion.loaders.pdf_page import PageImage, render_page
from rag.ingestion.sandbox.isolation import OUT_OF_MEMORY, allow_one_file, die_with, resident_bytes, rest, shut_in
from rag.ingestion.sandbox.limits import Limits, out_of_memory
from rag.ingestion.sandbox.protocol import read_frame, write_frame
from rag.types import Document

__all__ = ["main"]


def main(lifeline: int) -> None:
    """Serve until the pipe closes."""
    die_with(lifeline)
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    first = read_frame(requests)
    if first is None:
        return
    limits = Limits.from_dict(first[0])
    network = shut_in(limits)
    write_frame(replies, {"network": network, "resident": resident_bytes()})
    os.dup2(nothing, 2)
    while (request := read_frame(requests)) is not None:
        allow_one_file(limits)
        head, body = _answer(request[0], request[1], limits)
        del request
        write_frame(replies, {**head, "resident": resident_bytes()}, body)
        del body
        rest()


def _answer(request: dict[str, Any], data: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    try:
        if request["path"] is not None:
            data = _read(Path(os.fsdecode(bytes.fromhex(request["path"]))), limits)
        if "page" in request:
            return _packed_page(render_page(data, **request["page"]))
        return _packed(load_bytes(data, request["source"], limits.bounds))
    except DocumentError as error:
        return _refusal(error.reason, error.message, error.remedy)
    except MemoryError:
        spent = out_of_memory(limits)
        return {**_refusal(spent.reason, spent.message, spent.remedy)[0], "worn": True}, b""
    except RecursionError:
        return _refusal("nested", "it is nested too deeply to be read", "export it again, with less nesting")
    except Exception as error:  # noqa: BLE001 - whatever a parser trips over, the other files must go on
        told = " ".join(str(error).split())[:200]
        return _refusal("parser", f"its parser failed: {type(error).__name__}: {told}", "report the file")


def _packed(document: Document) -> tuple[dict[str, Any], bytes]:
    head = {
        "source": document.source,
        "media_type": document.media_type,
        "title": document.title,
        "pages": document.pages,
        "sections": [[s.start, s.end, s.page, s.headings] for s in document.sections],
    }
    return {"document": head}, document.text.encode()


def _packed_page(page: PageImage) -> tuple[dict[str, Any], bytes]:
    return {"image": {"width": page.width, "height": page.height, "boxes": page.boxes}}, page.png


def _refusal(reason: str, message: str, remedy: str) -> tuple[dict[str, Any], bytes]:
    return {"error": [reason, message, remedy]}, b""


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
    except MemoryError:  # outside a parser: while the file comes in, or what was read goes out
        os._exit(OUT_OF_MEMORY)
