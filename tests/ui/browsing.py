"""Servers for a real browser to visit, and a sink that counts who asks it for anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

__all__ = ["ROOT", "Sink", "free_port", "served"]

ROOT = Path(__file__).parents[2]
_LAUNCHER = """
import sys
from pathlib import Path
import streamlit as st
from starlette.middleware import Middleware
from ui.server.security import SecurityHeaders, headers
class Reported(SecurityHeaders):
    def __init__(self, app):
        super().__init__(app)
        self._headers = {"Content-Security-Policy-Report-Only": headers()["Content-Security-Policy"]}
script, port, policy = sys.argv[1:]
middleware = [Middleware(SecurityHeaders if policy == "enforced" else Reported)]
st.App(Path(script), middleware=middleware).run(config={
    "server.address": "127.0.0.1", "server.port": int(port), "server.headless": True, "server.fileWatcherType": "none",
    "browser.gatherUsageStats": False, "client.toolbarMode": "minimal", "global.developmentMode": False,
})
"""


class Sink:
    """A server that answers everything and remembers what it was asked for."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(f"{self.command} {self.path}")
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def served(
    script: Path, *, policy: Literal["enforced", "reported"], environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve a Streamlit script in a process of its own; yield its address.

    With the policy only ``reported``, the browser lets pass what it forbids and says so: rendering stands alone.
    """
    port = free_port()
    path = os.pathsep.join([str(ROOT), str(script.parent)])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _LAUNCHER, str(script), str(port), policy],
        env={**os.environ, "PYTHONPATH": path, **(environment or {})}, cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _is_up(address):
            assert process.poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
