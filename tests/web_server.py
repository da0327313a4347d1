"""A web server on this machine, whose pages a test writes, and the requests that it saw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Answer", "Site", "serving"]


@dataclass
class Answer:
    """What the server answers for a path. ``write`` replaces the body by a function that writes to the socket."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html; charset=utf-8"})
    write: Callable[[Callable[[bytes], object]], None] | None = None


@dataclass
class Site:
    """The pages by path (``robots.txt`` too), and each request's path with its headers in lower case."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Return the address of a path, under a name that resolves to this machine."""
        return f"http://site.example:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        """The paths of the requests in their order."""
        return [path for path, _ in self.requests]


@contextmanager
def serving() -> Iterator[Site]:
    """Serve a site until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.requests.append((self.path, headers))
            answer = site.pages.get(self.path, Answer(b"nothing here", 404))
            tag = answer.headers.get("ETag")
            if tag and headers.get("if-none-match") == tag:
                answer = Answer(b"", 304, {"ETag": tag})
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.write is None and answer.status != 304:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                if answer.write is not None:
                    answer.write(self.wfile.write)
                elif answer.status != 304:
                    self.wfile.write(answer.body)
            except OSError:
                pass  # the client has had enough

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
