"""What the tests of the page share: an index of three small documents, and a real server with a real browser."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

from rag.build import make_chunker, make_embedder, open_or_create
from rag.config import load_config
from rag.ingest import Ingestor
from ui import engines as engines_module
from ui.settings import UiSettings, use

FILES = {
    "fog.md": "# Fog\n\nThe fog sensor weighs 3.4 kg and stands on the mast beside the old lighthouse by the sea.",
    "canteen.txt": "Lentil soup is served on Mondays. A bowl costs four tokens.\n",
    "mast.txt": "The mast is 31 metres tall.\n",
}
STARTS_WITHIN_S = 60
CHROMIUM = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or shutil.which("chromium-browser") or ""


def ingest(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder and ingest them into its ``.rag``; return that."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    config = load_config("test").config
    embedder = make_embedder(config)
    index = open_or_create(folder / ".rag", config, embedder)
    if files:
        with index.writing("test"):
            Ingestor(index, embedder, make_chunker(config, embedder)).run([folder])
    index.store.close()
    return folder / ".rag"


@pytest.fixture
def ingested(tmp_path: Path) -> Path:
    """The index folder of three small documents."""
    return ingest(tmp_path / "documents", FILES)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Callable[..., UiSettings]]:
    """Set the settings of this process, with fresh engines and an own folder of state; undone at the end."""
    engines_module._engines = engines_module.Engines()

    def set_to(index: Path, *assignments: str, **others: object) -> UiSettings:
        values = {"state_folder": tmp_path / "state", "runs": tmp_path / "runs", **others}
        return use(UiSettings(index, "test", assignments, **values))  # type: ignore[arg-type]

    yield set_to
    for engine in list(engines_module._engines._engines.values()):
        with contextlib.suppress(Exception):  # one that was meant to fail
            engine.pipeline(30).close()
    engines_module._engines = engines_module.Engines()
    use(UiSettings())


@dataclass
class Server:
    """A running ``rag ui``."""

    url: str
    process: subprocess.Popen[str]
    index: Path
    state: Path


def start_server(index: Path, *arguments: str, environment: dict[str, str] | None = None) -> Server:
    """Start ``rag ui`` on a free port with models that are none, and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom rag.__main__ import run; run()"
    )
    command = [sys.executable, "-c", code, "ui", "--index", str(index), "--config", "test", "--port", str(port)]
    log = index.parent / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, *arguments], cwd=index.parent, stdout=file, stderr=file, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
            break
        except urllib.error.HTTPError:  # it answers, if only to say that nobody is logged in
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the server did not start: {log.read_text()}")
            time.sleep(0.1)
    return Server(url, process, index, index.parent / ".rag-ui")


def stop_server(server: Server) -> None:
    """Stop it as Ctrl-C does."""
    server.process.send_signal(signal.SIGINT)
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all browser tests, over its own index, whose answers come word by word."""
    index = ingest(tmp_path_factory.mktemp("served") / "documents", FILES)
    running = start_server(index)
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium; skipped where there is none, but not in CI."""
    if not CHROMIUM:
        told = "Chromium is not installed: apt-get install chromium, or name one in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own: no cookies of another test."""
    made = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    """The chat page, painted, in a browser of its own."""
    return open_page(context, server)


def open_page(context: BrowserContext, server: Server, path: str = "/") -> Page:
    """Open a page of the server and wait until it is painted."""
    opened = context.new_page()
    opened.goto(server.url + path)
    opened.get_by_test_id("stChatInputTextArea").wait_for()
    return opened
