"""Addresses of web pages as names of documents: one form for each, and a reason for those that are refused.

``https://Example.com:443/a b#part`` becomes ``https://example.com/a%20b``. It opens no connection.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from rag.errors import InputError
from rag.text import one_line, without_userinfo

__all__ = ["file_name_of", "is_url", "joined", "normal_url"]

_WEB = re.compile(r"https?://", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2_000
_SAFE = "%/:@!$&'()*+,;=~-._[]"
_MORE = "?"
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_EXAMPLE = "for example: rag ingest https://example.com/page"


def is_url(text: str) -> bool:
    """Return whether a text is the address of a web page, and not a path."""
    return _WEB.match(text) is not None


def normal_url(text: str) -> str:
    """Return an address in its normal form: without fragment and usual port, in ASCII.

    Raises :class:`~rag.errors.InputError` for one that is malformed, too long, or has a user name or password.
    """
    shown = one_line(without_userinfo(text), 200)
    if len(text) > _LONGEST:
        raise InputError(f"the address {shown}… has {len(text):,} characters", f"at most {_LONGEST:,} are possible")
    if _CONTROL.search(text.strip().replace(" ", "")):
        raise InputError(f"the address {shown} has control characters", _EXAMPLE)
    try:
        parts = urlsplit(text.strip())
        port, host = parts.port, parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            message = f"the address {shown} has a user name or password"
            raise InputError(message, "leave it out; pages that need a login are not fetched: save them as files")
        ascii_host = host if ":" in host else host.encode("idna").decode("ascii")
    except (UnicodeError, ValueError):
        raise InputError(f"the address {shown} is malformed", _EXAMPLE) from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not ascii_host or not re.fullmatch(r"[\w.:-]+", ascii_host):
        raise InputError(f"the address {shown} is malformed", _EXAMPLE)
    place = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    if port is not None and port != _PORTS[scheme]:
        place += f":{port}"
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE + _MORE)
    return urlunsplit((scheme, place, path, query, ""))


def joined(base: str, location: str) -> str:
    """Return where a redirection from ``base`` leads, in normal form. Raises :class:`~rag.errors.InputError`."""
    try:
        target = urljoin(base, location.strip())
    except ValueError:
        raise InputError(f"the address {one_line(location, 200)} is malformed", _EXAMPLE) from None
    if not is_url(target):
        raise InputError(f"the address {one_line(target, 200)} is not of the web", _EXAMPLE)
    return normal_url(target)


def file_name_of(url: str, extension: str = "") -> str:
    """Return a file name for a page: the last part of its path, or its host, with ``extension`` in place of its own.

    An empty ``extension`` leaves that of the path.
    """
    parts = urlsplit(url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2], errors="replace").replace("/", " ")
    last = one_line(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", last), 120)
    if not last.strip("."):
        return f"{parts.hostname or 'page'}{extension or '.html'}"
    return f"{PurePosixPath(last).stem}{extension}" if extension else last
