"""What the page costs: its start, its first paint, and its time to an answer over the knowledge base's own.

    python -m benchmarks.ui_latency [--index .rag] [--chromium /usr/bin/chromium] [--one-chat]

Starts ``rag ui`` over an index of ``examples/docs`` with the preset ``cpu``. Time to an answer is taken in the browser,
from the press of Enter to the frame in which the answer's first text stands, streamed or whole, or the card of an
abstention (looked for in every frame), and in this process as the time until ``KnowledgeBase.stream`` gives its first
text, for the same questions; the first question of each is not counted. Every question has a new chat, or, with
``--one-chat``, all have the same one, whose eleven answers are on the page in the end. Expected figures:
benchmarks/ui_latency.md. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTIONS = (
    "How long is the warranty?",
    "Which phone extension do I ask for when a foghorn will not stop at night?",
    "How many devices can one Quayside hub serve?",
    "What does the warehouse cost?",
    "Who takes the minutes?",
    "When does the canteen open?",
    "What is the torque of the mast bolts?",
    "How high is the mast?",
    "Who repairs the pump?",
    "What is the deposit?",
    "How many horns are there?",
    "Which number do I ring at night?",
)
WATCH = """() => {
  const messages = () => document.querySelectorAll('[data-testid="stChatMessage"]'), before = messages().length;
  const cited = element => element.shadowRoot?.querySelector('.text')?.textContent;
  const answered = message =>
    message.querySelector('.rag-text, strong') || [...message.querySelectorAll('*')].some(cited);
  const look = () => {
    const now = messages();
    if (now.length < before + 2 || !answered(now[now.length - 1])) return requestAnimationFrame(look);
    window.shown = performance.now();
    console.log('answered');
  };
  window.addEventListener('keydown', e => {
    if (e.key === 'Enter') { window.entered = performance.now(); look(); }
  }, {capture: true, once: true});
}"""


def in_process(index: Path) -> list[float]:
    """Return the milliseconds to the first text of each question, asked of the knowledge base itself."""
    from ui.jobs.background import engines

    knowledge_base = engines().get(index, "cpu").knowledge_base()
    told = []
    for question in QUESTIONS:
        begun = time.monotonic()
        next(iter(knowledge_base.stream(question)))
        told.append((time.monotonic() - begun) * 1000)
    return told[1:]


def in_browser(index: Path, chromium: str, *, one_chat: bool) -> tuple[float, list[float], list[float]]:
    """Return seconds to a listening server, to the chat's field (of four visits), and milliseconds to first text."""
    from playwright.sync_api import sync_playwright

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-P", "-c", "from rag.cli.main import run; run()", "ui", "--index", str(index)]
    begun = time.monotonic()
    server = subprocess.Popen(
        [*command, "--insecure", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health").close()
                break
            except OSError:
                time.sleep(0.02)
        started = time.monotonic() - begun
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            paints = []
            for _ in range(4):
                page = browser.new_context().new_page()
                begun = time.monotonic()
                page.goto(url)
                page.get_by_test_id("stChatInputTextArea").wait_for()
                paints.append(time.monotonic() - begun)
            told: list[float] = []
            for question in QUESTIONS:
                if not (one_chat and told):
                    page = browser.new_context().new_page()
                    page.goto(url)
                told.append(answered(page, question))
                if not one_chat:
                    page.context.close()
            browser.close()
        return started, paints, told[1:]
    finally:
        server.terminate()
        server.wait(30)


def answered(page: Page, question: str) -> float:
    """Ask once all is drawn; return the milliseconds from Enter to the answer's first text."""
    field = page.get_by_test_id("stChatInputTextArea")
    field.wait_for()
    page.wait_for_timeout(500)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    field.fill(question)
    # The page says it itself: asking it over and over took a sixth of a core from what is measured.
    with page.expect_console_message(lambda message: message.text == "answered"):
        page.keyboard.press("Enter")
    return float(page.evaluate("window.shown - window.entered"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=Path, default=Path(".rag"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--one-chat", action="store_true", help="ask all questions in the same chat")
    chosen = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started, paints, shown = in_browser(chosen.index, chosen.chromium, one_chat=chosen.one_chat)
    own = in_process(chosen.index)
    print(f"process start to server ready   {started:.2f} s")
    print(f"first visit to chat field       {paints[0]:.2f} s (the models load beside it)")
    print(f"later visits, median            {statistics.median(paints[1:]):.2f} s")
    print(f"knowledge base, to first text   {statistics.median(own):.0f} ms (median of {len(own)})")
    print(f"browser, Enter to first text    {statistics.median(shown):.0f} ms")
    print(f"the page's part                 {statistics.median(b - p for b, p in zip(shown, own, strict=True)):.0f} ms")


if __name__ == "__main__":
    main()
