"""A sweep in a real browser: its settings are written on the page, it runs, and its figures are opened from there."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from ui_project import Server

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, ViewportSize

pytestmark = pytest.mark.timeout(300)
SWEPT_WITHIN_MS = 150_000
NARROW: ViewportSize = {"width": 390, "height": 757}
# Whether the page is as high as half a second ago.
SETTLED = """() => {
    const before = window.heightBefore
    window.heightBefore = document.querySelector('.stMain').scrollHeight
    return before === window.heightBefore
}"""
QUESTIONS = (("What does the fog sensor weigh?", "3.4 kg"), ("How tall is the mast?", "31 metres"))


def test_a_sweep_is_started_followed_and_opened(context: BrowserContext, server: Server, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    lines = [json.dumps({"question": question, "answers": [answer]}) for question, answer in QUESTIONS]
    (tmp_path / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    page = context.new_page()
    page.goto(f"{server.url}/evaluation")
    page.get_by_text("New evaluation", exact=True).click()
    page.locator('input[type="file"]').set_input_files(tmp_path / "own.jsonl")
    page.get_by_text("Questions: 2;").wait_for()
    page.get_by_text("A sweep of settings").click()
    grid = page.get_by_role("textbox", name="Settings to compare")
    expect(grid).to_have_value(re.compile(r"retrieval\.k: \[4, 8\]"))  # an example to edit
    grid.fill("grid:\n  retrieval.k: [1, 3]\n")
    grid.press("Control+Enter")
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/sweep-form.png", full_page=True)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.get_by_text("Runs", exact=True).click()
    page.get_by_text("No run yet").wait_for()
    page.get_by_text("New evaluation", exact=True).click()  # where everything is as it was
    page.get_by_text("Still chosen: own.jsonl").wait_for()
    for language, start in (("Русский", "Запустить"), ("English", "Start")) * 2:
        page.get_by_text(language, exact=True).click()
        page.get_by_role("button", name=start).wait_for()
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        expect(page.locator('[data-testid="stRadio"] input:checked')).to_have_count(3)  # source, mode, what to start
    expect(grid).to_have_value(re.compile(r"retrieval\.k: \[1, 3\]"))
    page.set_viewport_size(NARROW)
    page.wait_for_function(SETTLED, polling=500)  # on a busy machine the narrow page grows for a while
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_test_id("stProgress")).to_be_in_viewport()  # its words are too quick to be caught for certain
    done = page.get_by_role("button", name="Open the sweep")
    expect(done).to_be_in_viewport(timeout=SWEPT_WITHIN_MS)  # where the button was, nobody having scrolled
    done.click()
    page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_role("heading", name="Settings and outcome").wait_for()
    for part in ("retrieval.k", "k=1", "k=3"):
        page.get_by_test_id("stDataFrame").get_by_text(part, exact=True).first.wait_for(state="attached")
    assert page.get_by_test_id("stException").count() == 0
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/sweep.png", full_page=True)
