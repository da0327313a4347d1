"""One password or token for the whole page, checked before Streamlit sees a request, on WebSockets as on HTTP.

The password is stored only as its scrypt hash. A user who enters it gets a cookie with a random token; only hashes of
the tokens are stored, in memory, so a restart logs everyone out. After a few wrong passwords an address has to
wait, longer each time; the passwords of all addresses are checked one after the other.

Without a login, ``rag ui`` makes a token and prints it as part of its address, as other accounts of the machine reach
the same port. The first visit exchanges it for the cookie. A session that ends also ends its open WebSockets.

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
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from ui.i18n import LANGUAGES, Texts
from ui.server.security import cookie, cookies_of, header, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PasswordLogin", "Passwords"]

COOKIE = "rag_login"
SESSION_S = 12 * 3600
CHECKED_EVERY_S = 1.0
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
    """Checks passwords and issues tokens. ``clock`` returns seconds. Safe to call from many threads.

    With ``is_random`` the password cannot be guessed: its hash is a quick one, and nobody has to wait.
    """

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic, *, is_random: bool = False) -> None:
        self._is_random = is_random
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
        if self._is_random:
            return
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
        secret = password.encode("utf-8", "surrogatepass")
        if self._is_random:
            return hashlib.sha256(self._salt + secret).digest()
        return hashlib.scrypt(secret, salt=self._salt, n=2**14, r=8, p=1)


class PasswordLogin:
    """ASGI middleware that lets only those through who know the password; others get a form.

    With ``is_token``, it is a token, which may also come as ``?token=`` of a page's address. Cookies do not know ports,
    so the token's one has the port in its name: several servers on one machine do not log each other out.
    """

    def __init__(self, app: ASGIApp, *, passwords: Passwords, is_token: bool = False) -> None:
        self._app, self._passwords, self._is_token = app, passwords, is_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        kind = scope["type"]
        name = self._cookie(scope)
        token = cookies_of(scope).get(name, "") if kind in ("http", "websocket") else ""
        asks_for_page = kind == "http" and scope["method"] == "GET"
        if self._is_token and asks_for_page and (given := _token_in(scope)):
            if self._passwords.knows(token):
                await _redirect(scope, receive, send, None, _without_token(scope))
            else:
                await self._enter(given, scope, receive, send, _without_token(scope))
        elif kind == "http" and scope["path"] == "/login" and scope["method"] == "POST":
            await self._log_in(scope, receive, send)
        elif kind == "http" and scope["path"] == "/logout" and self._passwords.knows(token):
            self._passwords.log_out(token)
            await _redirect(scope, receive, send, cookie(scope, name, "", 0))
        elif kind == "websocket" and self._passwords.knows(token):
            await self._while_known(token, scope, receive, send)
        elif kind not in ("http", "websocket") or self._passwords.knows(token):
            await self._app(scope, receive, send)
        elif asks_for_page and "text/html" in (header(scope, "accept") or ""):
            await self._form(scope, receive, send, "login.token_needed" if self._is_token else "login.protected", 401)
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
        await self._enter(typed.strip() if self._is_token else typed, scope, receive, send, "/")

    async def _enter(self, typed: str, scope: Scope, receive: Receive, send: Send, target: str) -> None:
        """Log in and go on to a page, or show the form again."""
        address = str((scope.get("client") or ("",))[0])
        if self._passwords.wait_s(address) > 0:
            await self._form(scope, receive, send, "login.wait", 429)
            return
        token = await asyncio.to_thread(self._passwords.log_in, typed, address)
        if token is None:
            await self._form(scope, receive, send, "login.token_wrong" if self._is_token else "login.wrong", 401)
        else:
            await _redirect(scope, receive, send, cookie(scope, self._cookie(scope), token, SESSION_S), target)

    async def _while_known(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket until its session ends; then it is closed, and the application learns that it is gone."""
        waiting: asyncio.Task[Message] | None = None

        async def receive_while_known() -> Message:
            nonlocal waiting
            waiting = waiting or asyncio.ensure_future(receive())
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=CHECKED_EVERY_S)
                if not self._passwords.knows(token):
                    break
            if self._passwords.knows(token):
                message, waiting = waiting.result(), None
                return message
            await send({"type": "websocket.close", "code": 1008, "reason": "the session has ended"})
            return {"type": "websocket.disconnect", "code": 1008}

        try:
            await self._app(scope, receive_while_known, send)
        finally:
            if waiting is not None:
                waiting.cancel()

    def _cookie(self, scope: Scope) -> str:
        server = scope.get("server")
        return f"{COOKIE}_{server[1]}" if self._is_token and server else COOKIE

    async def _form(self, scope: Scope, receive: Receive, send: Send, message: str, status: int) -> None:
        from starlette.responses import HTMLResponse

        wanted = (header(scope, "accept-language") or "en")[:2].lower()
        t = Texts(wanted if wanted in LANGUAGES else "en")
        label = t("login.token" if self._is_token else "login.password")
        texts = {"title": t("app.title"), "message": t(message), "label": label, "button": t("login.log_in")}
        page = _PAGE.format(language=t.language, **{name: escape(text) for name, text in texts.items()})
        await HTMLResponse(page, status, {"Cache-Control": "no-store"})(scope, receive, send)


async def _redirect(
    scope: Scope, receive: Receive, send: Send, setting: tuple[bytes, bytes] | None, target: str = "/"
) -> None:
    from starlette.responses import RedirectResponse

    response = RedirectResponse(target, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    if setting is not None:
        response.raw_headers.append(setting)
    await response(scope, receive, send)


def _token_in(scope: Scope) -> str:
    return str(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0])


def _without_token(scope: Scope) -> str:
    """Return the address of a page on this server without its token."""
    left = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
    path = "/" + quote(scope["path"].lstrip("/\\"))  # two slashes would begin another host
    return f"{path}?{urlencode(left)}" if left else path


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
