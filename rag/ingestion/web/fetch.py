"""Fetch single web pages: within limits of size and time, as their ``robots.txt`` allows, from public addresses only.

No links are followed, no scripts are run, no cookies are sent or stored, and the proxies of the environment are not
used: a proxy would connect to addresses that nobody checked. Every redirection is checked like the first address.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpcore

from rag.errors import DocumentError, InputError
from rag.ingestion.file_stamps import FileContent
from rag.ingestion.web import addresses, robots
from rag.ingestion.web.urls import file_name_of, joined
from rag.text import error_line, one_line

__all__ = ["AGENT", "FetchLimits", "FetchedPage", "PageFetcher", "Stamp"]

AGENT = "rag-qa"
"""The name by which ``robots.txt`` may name this program."""

_MIB = 1 << 20
_REDIRECTIONS = 5
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_LONGEST_HEADER = 300
_EXTENSIONS = {
    "text/html": ".html", "application/xhtml+xml": ".html", "text/markdown": ".md", "text/csv": ".csv",
    "application/json": ".json", "application/ld+json": ".json", "application/xml": ".xml", "text/xml": ".xml",
    "application/rss+xml": ".xml", "application/atom+xml": ".xml", "text/vtt": ".vtt", "text/x-rst": ".rst",
}  # fmt: skip
"""The extensions that declared types stand for where content and the address leave it open."""

_REMOVE = "check the address; `rag documents rm ADDRESS` removes what was read before"
_LATER = "try again later"


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The most that one page may cost: its size, unpacked, and the seconds with robots.txt and redirections."""

    page_mb: int = 32
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is remembered of a page: how the server names this version, where it was, and when it was fetched."""

    etag: str = ""
    modified: str = ""
    final: str = ""
    fetched: str = ""

    def text(self) -> str:
        """Return it as text."""
        return json.dumps({"etag": self.etag, "modified": self.modified, "final": self.final, "fetched": self.fetched})

    @classmethod
    def parse(cls, text: str) -> Stamp:
        """Return the stamp in a text, an empty one if there is none."""
        try:
            value = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(value, dict):
            return cls()
        return cls(*(str(value.get(name, "")) for name in ("etag", "modified", "final", "fetched")))


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page: its content, and what the server says of its type. Unchanged content is empty."""

    content: FileContent
    name: str = ""
    charset: str = ""
    unchanged: bool = False


@dataclass
class _Reply:
    status: int
    headers: dict[str, str]
    data: bytes = b""


@dataclass
class PageFetcher:
    """Fetches pages; the ``robots.txt`` of each host is read once. Tests pass ``resolve`` and ``allowed``."""

    limits: FetchLimits = field(default_factory=FetchLimits)
    resolve: addresses.Resolve = addresses.resolve
    allowed: Callable[[str], bool] | None = None
    _robots: dict[str, str | DocumentError] = field(default_factory=dict)

    def fetch(self, url: str, known: Stamp | None = None, sha256: bytes = b"") -> FetchedPage:
        """Fetch a page. With a stamp, the server is asked for a newer version than the one with this hash.

        Raises :class:`~rag.errors.DocumentError`.
        """
        deadline = time.monotonic() + self.limits.seconds
        final = url
        for _ in range(_REDIRECTIONS + 1):
            self._ask_robots(final, deadline)
            conditional = known if known and final == (known.final or url) else None
            reply = self._get(final, deadline, self.limits.page_mb * _MIB, conditional)
            if reply.status not in _REDIRECTING:
                return self._page(url, final, reply, known, sha256)
            final = _target(final, reply)
        message = f"it leads through more than {_REDIRECTIONS} redirections"
        raise DocumentError("redirections", message, "name the address at which it ends")

    def _page(self, url: str, final: str, reply: _Reply, known: Stamp | None, sha256: bytes) -> FetchedPage:
        now = datetime.now(UTC)
        etag, modified = (_sendable(reply.headers.get(name, "")) for name in ("etag", "last-modified"))
        if reply.status == HTTPStatus.NOT_MODIFIED and known is not None:
            etag, modified = etag or known.etag, modified or known.modified
        stamp = Stamp(etag, modified, "" if final == url else final, now.isoformat(timespec="seconds"))
        changed = _nanoseconds(modified) or int(now.timestamp()) * 10**9
        if reply.status == HTTPStatus.NOT_MODIFIED and known is not None:
            return FetchedPage(FileContent(b"", sha256, changed, stamp.text()), unchanged=True)
        if reply.status not in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION):
            raise _refused(reply.status)
        declared = Message()
        declared["content-type"] = reply.headers.get("content-type", "")
        content = FileContent(reply.data, hashlib.sha256(reply.data).digest(), changed, stamp.text())
        kind = declared.get_content_type() if reply.headers.get("content-type") else ""
        charset = str(declared.get_content_charset() or "")[:40]
        return FetchedPage(content, file_name_of(final, _EXTENSIONS.get(kind, "")), charset)

    def _ask_robots(self, url: str, deadline: float) -> None:
        """Raise :class:`~rag.errors.DocumentError` if the host does not want the page to be read by programs."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = self._robots_of(f"{origin}/robots.txt", deadline)
        found = self._robots[origin]
        if isinstance(found, DocumentError):
            raise found
        if not robots.allowed(found, url, AGENT):
            message = f"the robots.txt of {parts.netloc} asks programs not to read this page"
            raise DocumentError("robots", message, "save the page with a browser and ingest the file")

    def _robots_of(self, url: str, deadline: float) -> str | DocumentError:
        """Return a robots.txt, empty if there is none, or why nothing of the host may be read."""
        for _ in range(_REDIRECTIONS + 1):
            reply = self._get(url, deadline, robots.MOST_BYTES, cut=True)
            if reply.status in _REDIRECTING:
                url = _target(url, reply)
                continue
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
                message = f"the server cannot give its robots.txt now ({_named(reply.status)})"
                return DocumentError("robots", message, _LATER)
            return reply.data.decode("utf-8", "replace") if reply.status == HTTPStatus.OK else ""
        return ""

    def _get(self, url: str, deadline: float, most: int, known: Stamp | None = None, *, cut: bool = False) -> _Reply:
        """Send one request and read the reply: at most ``most`` bytes, the rest an error unless it may be ``cut``."""
        backend = addresses.CheckedBackend(deadline, self.resolve, self.allowed or addresses.is_public)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=_certificates(), network_backend=backend) as pool,
                pool.stream("GET", url, headers=_headers(url, known), extensions=_timeouts(deadline)) as response,
            ):
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                reply = _Reply(response.status, headers)
                if response.status not in _REDIRECTING and response.status != HTTPStatus.NOT_MODIFIED:
                    reply.data = _body(response, headers, most, cut)
                return reply
        except httpcore.TimeoutException:
            message = f"it was not read within {self.limits.seconds:g} s"
            raise DocumentError("timeout", message, "try again later, or raise web.seconds") from None
        except (httpcore.ConnectError, ssl.SSLError) as error:
            cause = error_line(error.__cause__ or error, 200)
            remedy = "check the address and the network"
            raise DocumentError("network", f"no connection is possible: {cause}", remedy) from None
        except (httpcore.ProtocolError, httpcore.NetworkError, OSError) as error:
            message = f"the server broke off or answers in another protocol: {error_line(error, 200)}"
            raise DocumentError("network", message, _LATER) from None


def _body(response: httpcore.Response, headers: Mapping[str, str], most: int, cut: bool) -> bytes:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise DocumentError("encoding", f"the server packs it as {one_line(coding, 40)}", "save the page as a file")
    unpack = zlib.decompressobj(47 if "gzip" in coding else 15) if coding not in ("", "identity") else None
    parts: list[bytes] = []
    size = 0
    for packed in response.iter_stream():
        try:
            data = packed if unpack is None else unpack.decompress(packed, most + 1 - size)
        except zlib.error:
            raise DocumentError("broken", "its packed content is damaged", _LATER) from None
        parts.append(data)
        size += len(data)
        if size > most:
            if cut:
                break
            remedy = "raise web.page_mb, or save the page as a file"
            raise DocumentError("too large", f"it is larger than {most // _MIB} MiB", remedy)
    if unpack is not None and not unpack.eof and size <= most:
        raise DocumentError("broken", "its packed content ends too early", _LATER)
    return b"".join(parts)[:most]


def _headers(url: str, known: Stamp | None) -> list[tuple[str, str]]:
    from rag import __version__

    headers = [
        ("Host", urlsplit(url).netloc),
        ("User-Agent", f"{AGENT}/{__version__} (reads single pages when a user asks for them)"),
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Accept-Encoding", "gzip, identity;q=0.5"),
        ("Connection", "close"),
    ]
    if known and known.etag:
        headers.append(("If-None-Match", known.etag))
    elif known and known.modified:
        headers.append(("If-Modified-Since", known.modified))
    return headers


def _timeouts(deadline: float) -> dict[str, Any]:
    left = max(0.001, deadline - time.monotonic())
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left)}


def _target(url: str, reply: _Reply) -> str:
    location = reply.headers.get("location", "")
    if not location:
        raise DocumentError("redirections", "it redirects to nowhere", _REMOVE)
    try:
        target = joined(url, location)
    except InputError as error:
        raise DocumentError("redirections", f"it redirects wrongly: {error.message}", _REMOVE) from None
    if url.startswith("https:") and target.startswith("http:"):
        message = f"it redirects from https to {one_line(target, 200)}, which is not protected"
        raise DocumentError("redirections", message, "name that address if you trust it")
    return target


def _sendable(value: str) -> str:
    """Return the value of a header if it can be sent back, else an empty text."""
    return value if len(value) <= _LONGEST_HEADER and value.isascii() and value.isprintable() else ""


def _refused(status: int) -> DocumentError:
    message = f"the server answers {_named(status)}"
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return DocumentError("not found", message, _REMOVE)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        remedy = "open the page in a browser, save it, and ingest the file"
        return DocumentError("forbidden", message, remedy)
    return DocumentError("server", message, _LATER)


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _nanoseconds(date: str) -> int | None:
    """Return the moment of a date as HTTP writes it, None for anything else."""
    try:
        moment = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return int(moment) * 10**9 if 0 < moment < 4e9 else None


@cache
def _certificates() -> ssl.SSLContext:
    """Return a context that trusts the authorities of the system and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
