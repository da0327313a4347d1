"""Stopping an answer of the real engine from the page: the bundled model on vLLM, in the browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ui_project import FILES, Server, ask, open_page, start_server, stop_server

from rag.models.resolve import resolve_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(400)
QUESTION = "How much does the fog sensor weigh and where does it stand?"
LOADS_WITHIN_MS = 180_000


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page whose language model goes on for 400 tokens: it knows no end of a text, and none of a line.

    Hot, for one that is sure of its words would repeat them. Asked in the usual way one answer of twenty ended at once.
    """
    folder = tmp_path_factory.mktemp("written")
    model = _endless(folder / "endless")
    (folder / "documents").mkdir()
    for name, text in FILES.items():
        (folder / "documents" / name).write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "rag", "ingest", "documents"], cwd=folder, check=True, env=_environment())
    running = start_server(
        folder / ".rag", "--config", "cpu", "--set", "generator.type=vllm", "--set", f"generator.model={model}",
        "--set", "prompt.form=chat", "--set", "prompt.temperature=2", "--set", "prompt.max_tokens=400",
        environment=_environment(),
    )  # fmt: skip
    yield running
    stop_server(running)


def _endless(folder: Path) -> Path:
    """Make the bundled model's folder again, without its end of text."""
    bundled = resolve_model("bundled:smollm2").path
    folder.mkdir()
    for file in bundled.iterdir():
        if file.suffix == ".json" and "config" in file.name:
            told = json.loads(file.read_text(encoding="utf-8"))
            kept = {key: value for key, value in told.items() if not key.startswith("eos_token")}
            (folder / file.name).write_text(json.dumps(kept), encoding="utf-8")
        elif file.name != "converted.json":
            (folder / file.name).symlink_to(file)
    return folder


def _environment() -> dict[str, str]:
    return os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_engine_is_stopped_and_answers_again(context: BrowserContext, writing: Server) -> None:
    page = open_page(context, writing)
    begin(page)
    busy = processor_seconds(page, writing)
    page.get_by_test_id("stChatInputStopButton").click()
    page.get_by_text("Stopped. This is the text so far.").wait_for()
    page.wait_for_timeout(500)
    kept = page.get_by_test_id("stChatMessage").last.inner_text()
    idle = processor_seconds(page, writing)
    assert idle < busy / 4, "the engine goes on computing"
    assert page.get_by_test_id("stChatMessage").last.inner_text() == kept
    begin(page)
    page.get_by_role("button", name="Stop").last.click()
    page.get_by_text("Stopped. This is the text so far.").nth(1).wait_for()


def begin(page: Page) -> None:
    """Ask, and wait until some of the answer has come."""
    ask(page, QUESTION)
    coming = page.get_by_test_id("stChatMessage").last.locator(".rag-text", has_text=re.compile(".{40}", re.DOTALL))
    coming.wait_for(timeout=LOADS_WITHIN_MS)


def processor_seconds(page: Page, server: Server) -> float:
    """Return the seconds that the server computes within two."""
    before = _used(server.process.pid)
    page.wait_for_timeout(2000)
    return _used(server.process.pid) - before


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
