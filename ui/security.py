"""The headers every response carries, and the names under which the page answers at all.

The headers say what the page may load, and that no other page may frame it.

The policy lets the page load from its own address and nowhere else; ``blob:`` and ``data:`` are there for what
Streamlit makes in the browser itself. Inline styles and evaluated scripts are Streamlit's, not ours: without them its
own bundle does not run.

A page of a stranger may have its own name lead to this machine for a moment (DNS rebinding). To a browser, and to
Streamlit, which compares a web socket's origin with the name that it was asked by, both are then one site. So what came
by a name that nobody gave this server is refused; an address in numbers cannot be led astray.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "KnownHosts", "SecurityHeaders"]

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self' blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'self'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-DNS-Prefetch-Control": "off",
}


class SecurityHeaders:
    """ASGI middleware that adds :data:`HEADERS` to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name.lower().encode() for name in HEADERS}
                kept = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in ours]
                message["headers"] = [*kept, *((n.lower().encode(), v.encode()) for n, v in HEADERS.items())]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class KnownHosts:
    """ASGI middleware that refuses requests and web sockets that were made by an unknown name of this server."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or web socket."""
        if scope["type"] not in ("http", "websocket") or self._knows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            told = (
                b"This server does not go by that name. Open it by its address, or start it with --allow-host NAME.\n"
            )
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": told})

    def _knows(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and self._is_known(hosts[0])

    def _is_known(self, host: str) -> bool:
        bracketed, bracket, _ = host.partition("]")
        name = bracketed[1:] if bracket and host.startswith("[") else host.partition(":")[0]
        name = name.lower().removesuffix(".")
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
