"""What stands in front of every request: who may ask (host and origin), and the headers every response carries.

A page on another site must not reach this server through the user's browser. Its requests carry another ``Origin``;
and a name of its own that it points at this machine (DNS rebinding) stands in ``Host``. Both are refused before
Streamlit sees them, on WebSockets as on HTTP.

The policy lets the page load from its own address and nowhere else; ``blob:`` and ``data:`` are there for what
Streamlit makes in the browser itself. Inline styles are Streamlit's, not ours: without them its own bundle does not
run. The one inline script of its page is allowed by its hash, and ``blob:`` scripts are how it loads components.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import socket
from collections.abc import Collection
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ui.storage.chats import COOKIE, new_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BrowserCookie", "KnownHosts", "SecurityHeaders", "cookie", "cookies_of", "header", "is_loopback", "refuse"]

COOKIE_AGE_S = 400 * 24 * 3600  # browsers keep none longer


class KnownHosts:
    """ASGI middleware that refuses requests for other hosts, and from pages of other origins.

    ``Host`` may be an address of this machine, its own name, ``localhost`` or one of ``names``. Bound to loopback, only
    loopback addresses count. An ``Origin``, where a browser sends one, must be that same host and port.
    """

    def __init__(self, app: ASGIApp, *, bound: str, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._any_address = not is_loopback(bound)
        if self._any_address:
            self._names |= {socket.gethostname().lower(), bound.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host, origin = header(scope, "host"), header(scope, "origin")
        if not self._is_known(host):
            shown = re.sub(r"[^\w.:\[\]-]", "?", host or "")[:100]
            text = f"{shown} is not a name of this server. If it should be: rag ui --allow-host {shown}"
            await refuse(scope, receive, send, 421, text)
        elif origin and not self._is_same(origin, host or ""):
            await refuse(scope, receive, send, 403, "a page of another site asked for this")
        else:
            await self._app(scope, receive, send)

    def _is_known(self, host: str | None) -> bool:
        name = _host_name(f"//{host}") if host else None
        if name is None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return self._any_address or address.is_loopback or name in self._names

    def _is_same(self, origin: str, host: str) -> bool:
        """Return whether a request comes from our own page. Behind a proxy it may have one of the configured names."""
        parsed = urlsplit(origin)
        return parsed.netloc.lower() == host.lower() or _host_name(origin) in self._names - {"localhost"}


class SecurityHeaders:
    """ASGI middleware that adds :func:`headers` to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name.lower().encode() for name in self._headers}
                others = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in ours]
                message["headers"] = [*others, *((n.lower().encode(), v.encode()) for n, v in self._headers.items())]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BrowserCookie:
    """ASGI middleware that sets the cookie under which a browser's chats are stored (:mod:`ui.storage.chats`)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or COOKIE in cookies_of(scope):
            await self._app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                message["headers"] = [*message["headers"], cookie(scope, COOKIE, new_token(), COOKIE_AGE_S)]
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def header(scope: Scope, name: str) -> str | None:
    """Return a header's value, or None where there is none; of several of one name, nonsense that fits nothing."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name.encode()]
    return ", ".join(found) if found else None


def cookies_of(scope: Scope) -> dict[str, str]:
    """Return the cookies that came with a request."""
    jar = SimpleCookie()
    for part in (header(scope, "cookie") or "").split(";"):
        try:
            jar.load(part)
        except ValueError:  # one that is no cookie hides no other
            continue
    return {name: morsel.value for name, morsel in jar.items()}


def cookie(scope: Scope, name: str, value: str, age_s: int) -> tuple[bytes, bytes]:
    """Return the header that sets a cookie which scripts cannot read and other sites do not send."""
    secure = "; Secure" if scope.get("scheme") == "https" or header(scope, "x-forwarded-proto") == "https" else ""
    return b"set-cookie", f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}".encode("latin-1")


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    """Answer with a sentence in plain text; a WebSocket is closed before it is open."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": text[:100]})
        return
    from starlette.responses import PlainTextResponse

    await PlainTextResponse(text, status)(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def headers() -> dict[str, str]:
    """Return the headers of every response."""
    return {
        "Content-Security-Policy": _policy(),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # under "no-referrer" our own forms would come from the origin "null"
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-DNS-Prefetch-Control": "off",
    }


@cache
def _policy() -> str:
    # blob: Streamlit hands a component's script (the numbers in an answer) to the browser as one. Only a script of
    # the page can make such an address.
    scripts = " ".join(["'self'", "blob:", *_inline_script_hashes()])
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' blob: data:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'self'",
            "object-src 'none'",
        )
    )


def _inline_script_hashes() -> list[str]:
    """Return the hashes of the scripts that stand in Streamlit's own page, which change with its version."""
    import streamlit

    page = Path(streamlit.__file__).parent / "static" / "index.html"
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", text, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts]


def _is_page(message: Message) -> bool:
    return any(n.lower() == b"content-type" and v.startswith(b"text/html") for n, v in message.get("headers", ()))


def _host_name(address: str) -> str | None:
    try:
        parsed = urlsplit(address)
        if parsed.username is not None or parsed.path or parsed.query or parsed.fragment or parsed.port == 0:
            return None
        return parsed.hostname.lower().rstrip(".") if parsed.hostname else None
    except ValueError:  # no port, or no address
        return None
