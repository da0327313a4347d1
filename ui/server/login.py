"""One password for the whole page, checked before Streamlit sees a request: pages, uploads, media and WebSockets.

The password is stored only as its scrypt hash. A user who enters it gets a cookie with a random token; only hashes of
the tokens are stored, in memory, so a restart logs everyone out. After a few wrong passwords an address has to
wait, longer each time; the passwords of all addresses are checked one after the other.

A password is no identity: chats belong to browsers, not to users (:mod:`ui.storage.chats`). For users with names
there is OpenID Connect, which is Streamlit's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ui.i18n import LANGUAGES, Texts
from ui.server.security import cookie, cookies_of, header, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["PasswordLogin", "Passwords"]

COOKIE = "rag_login"
SESSION_S = 12 * 3600
FREE_ATTEMPTS = 5
MOST_BODY = 4096
MOST_ADDRESSES = 10_000
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
main {{ max-width: 20rem; margin: 20vh auto 0; padding: 0 1rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin-top: .6rem }}
</style></head><body><main><h1>{title}</h1><p role="status">{message}</p><form method="post" action="/login">
<label>{label}<input type="password" name="password" autocomplete="current-password" required autofocus></label>
<button>{button}</button></form></main></body></html>"""


class Passwords:
    """Checks passwords and issues tokens. ``clock`` returns seconds. Safe to call from many threads."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._salt = secrets.token_bytes(16)
        self._hash = self._hashed(password)
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, float] = {}
        self._wrong: dict[str, tuple[int, float]] = {}  # by address: how many, and when the next may come

    def wait_s(self, address: str) -> float:
        """Return how long the next attempt from an address has to wait."""
        return max(0.0, self._wrong.get(address, (0, 0.0))[1] - self._clock())

    def log_in(self, password: str, address: str) -> str | None:
        """Return a new session's token, or None for a wrong password or one that comes too soon."""
        with self._lock:  # a hash takes some 50 ms: many at once would be a way to starve the page
            if self.wait_s(address) > 0:
                return None
            now = self._clock()
            if not hmac.compare_digest(self._hashed(password), self._hash):
                self._count_wrong(address, now)
                return None
            self._wrong.pop(address, None)
            self._sessions = {key: until for key, until in self._sessions.items() if until > now}
            token = secrets.token_urlsafe(32)
            self._sessions[_key(token)] = now + SESSION_S
            return token

    def _count_wrong(self, address: str, now: float) -> None:
        wrong = self._wrong.pop(address, (0, 0.0))[0] + 1
        wait = min(2.0 ** min(wrong - FREE_ATTEMPTS, 9), 300.0) if wrong >= FREE_ATTEMPTS else 0.0
        self._wrong[address] = (wrong, now + wait)
        if len(self._wrong) > MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def knows(self, token: str) -> bool:
        """Return whether a session's token is good."""
        return self._sessions.get(_key(token), 0.0) > self._clock()

    def log_out(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(_key(token), None)

    def _hashed(self, password: str) -> bytes:
        return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=self._salt, n=2**14, r=8, p=1)


class PasswordLogin:
    """ASGI middleware that lets only those through who know the password; others get a form."""

    def __init__(self, app: ASGIApp, *, passwords: Passwords) -> None:
        self._app, self._passwords = app, passwords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        kind = scope["type"]
        token = cookies_of(scope).get(COOKIE, "") if kind in ("http", "websocket") else ""
        if kind == "http" and scope["path"] == "/login" and scope["method"] == "POST":
            await self._log_in(scope, receive, send)
        elif kind == "http" and scope["path"] == "/logout" and self._passwords.knows(token):
            self._passwords.log_out(token)
            await _redirect(scope, receive, send, cookie(scope, COOKIE, "", 0))
        elif kind not in ("http", "websocket") or self._passwords.knows(token):
            await self._app(scope, receive, send)
        elif kind == "http" and scope["method"] == "GET" and "text/html" in (header(scope, "accept") or ""):
            await _form(scope, receive, send, "login.protected", 401)
        else:
            await refuse(scope, receive, send, 401, "log in first")

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MOST_BODY or message["type"] == "http.disconnect":
                await refuse(scope, receive, send, 413, "that is no password")
                return
            if not message.get("more_body"):
                break
        typed = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
        address = str((scope.get("client") or ("",))[0])
        if self._passwords.wait_s(address) > 0:
            await _form(scope, receive, send, "login.wait", 429)
            return
        token = await asyncio.to_thread(self._passwords.log_in, typed, address)
        if token is None:
            await _form(scope, receive, send, "login.wrong", 401)
        else:
            await _redirect(scope, receive, send, cookie(scope, COOKIE, token, SESSION_S))


async def _form(scope: Scope, receive: Receive, send: Send, message: str, status: int) -> None:
    from starlette.responses import HTMLResponse

    wanted = (header(scope, "accept-language") or "en")[:2].lower()
    t = Texts(wanted if wanted in LANGUAGES else "en")
    texts = {"title": t("app.title"), "message": t(message), "label": t("login.password"), "button": t("login.log_in")}
    page = _PAGE.format(language=t.language, **{name: escape(text) for name, text in texts.items()})
    await HTMLResponse(page, status, {"Cache-Control": "no-store"})(scope, receive, send)


async def _redirect(scope: Scope, receive: Receive, send: Send, setting: tuple[bytes, bytes]) -> None:
    from starlette.responses import RedirectResponse

    response = RedirectResponse("/", 303)
    response.raw_headers.append(setting)
    await response(scope, receive, send)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
