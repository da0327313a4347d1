"""Whose chats these are: a user who logged in, else the browser, by a cookie that nothing but this server reads.

The cookie is 32 random bytes that the server sets with the first page (HttpOnly, same site only). The chats store its
hash, so that a reader of the chats' file cannot impersonate a browser. A browser that takes no cookies has no
owner: its chats live as long as its tab.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping

__all__ = ["COOKIE", "new_token", "owner_of"]

COOKIE = "rag_browser"
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return the value of a new browser's cookie."""
    return secrets.token_urlsafe(32)


def owner_of(user: Mapping[str, object], cookies: Mapping[str, str]) -> str | None:
    """Return the owner of a session: 64 hex digits, or None where nothing identifies it.

    ``user`` is what an OpenID provider said: its issuer and subject are who it is, whatever name or mail it shows.
    """
    subject, issuer = user.get("sub"), user.get("iss")
    if user.get("is_logged_in") and subject:
        return _hashed("user", str(issuer), str(subject))
    token = cookies.get(COOKIE, "")
    return _hashed("browser", token) if _FORM.fullmatch(token) else None


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
