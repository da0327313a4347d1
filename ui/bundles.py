"""Streamlit's own scripts and styles, out of memory.

A first visit fetches a hundred of them, and they are in the way of everything else. Starlette asks the file system in a
thread about every one and reads it in pieces, in a thread each; here a file is read once in the life of the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ui.security import header

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Bundles"]

_KINDS = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8", ".woff2": b"font/woff2"}


class Bundles:
    """ASGI middleware that answers a plain GET of a file in Streamlit's static folder; all else goes on.

    Their names carry a hash of their content, so that what is kept never grows old.
    """

    def __init__(self, app: ASGIApp) -> None:
        import streamlit

        self._app = app
        root = Path(streamlit.__file__).parent / "static"
        self._files = {
            f"/{p.relative_to(root).as_posix()}": p for p in (root / "static").rglob("*") if p.suffix in _KINDS
        }
        self._kept: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] != "GET" or path not in self._files or header(scope, "range"):
            await self._app(scope, receive, send)
            return
        body = self._kept.get(path)
        if body is None:
            body = self._kept[path] = self._files[path].read_bytes()
        headers = [
            (b"content-type", _KINDS[self._files[path].suffix]),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"public, immutable, max-age=31536000"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
