"""An index of three small documents, and a real server over it: what the tests of the page share."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import free_port

from rag.config import load_config
from rag.factory import make_chunker, make_embedder, open_or_create
from rag.ingestion.ingestor import Ingestor

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

__all__ = [
    "CHROMIUM",
    "FILES",
    "Server",
    "add_files",
    "ask",
    "choose_document",
    "ingest",
    "open_list",
    "open_page",
    "start_server",
    "stop_server",
]

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


@dataclass
class Server:
    """A running ``rag ui``."""

    url: str
    process: subprocess.Popen[str]
    index: Path
    state: Path


def start_server(
    index: Path,
    *arguments: str,
    environment: dict[str, str] | None = None,
    port: int | None = None,
    with_token: bool = False,
) -> Server:
    """Start ``rag ui`` on a free port with models that are none, and wait until it answers; no token is needed."""
    port = port or free_port()
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom rag.__main__ import run; run()"
    )
    command = [sys.executable, "-c", code, "ui", "--index", str(index), "--config", "test", "--port", str(port)]
    if not with_token:
        command.append("--insecure")  # of a server with a login it changes nothing
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


def open_page(context: BrowserContext, server: Server, path: str = "/") -> Page:
    """Open a page of the server and wait until it is painted."""
    opened = context.new_page()
    opened.goto(server.url + path)
    opened.get_by_test_id("stChatInputTextArea").wait_for()
    return opened


def ask(page: Page, question: str) -> None:
    """Ask on the chat page, as soon as its field takes a question: not before the page of the last answer is drawn."""
    page.get_by_test_id("stChatInputTextArea").fill(question)
    page.locator('[data-testid="stChatInputSubmitButton"]:enabled').wait_for()
    page.keyboard.press("Enter")


def open_list(page: Page, box: Locator) -> None:
    """Open the list of a field for choosing.

    An open list closes as soon as the page scrolls, so the page is brought to rest first, with the field in sight for
    as long as a late event of scrolling takes.
    """
    field = box.get_by_role("combobox").first
    field.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    field.click()
    page.locator('[role="listbox"]').first.wait_for()


def add_files(page: Page, *files: Path) -> None:
    """Choose files on the documents page and press Add once the page shows each of them: Add sends only those."""
    page.locator('input[type="file"]').set_input_files(files)
    for file in files:
        page.get_by_test_id("stFileChipName").and_(page.get_by_title(file.name, exact=True)).wait_for()
    page.get_by_role("button", name=re.compile(r"Add$")).click()


def choose_document(page: Page, name: str) -> None:
    """Choose the document of this name on the documents page."""
    box = page.get_by_test_id("stMultiSelect").filter(has_text="Documents to view")
    page.get_by_test_id("stDataFrame").locator("table").first.wait_for(state="attached")  # it moves what is below it
    open_list(page, box)
    page.get_by_role("option", name=name).first.click()
    page.keyboard.press("Escape")
    box.get_by_text(name).first.wait_for()
