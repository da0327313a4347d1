"""A long Markdown answer of an endpoint, as it streams and whole, in a real browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from markdown_endpoint import markdown_endpoint
from ui_project import FILES, ask, ingest, open_page, start_server, stop_server

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

QUESTION = "How much does the fog sensor weigh and where does it stand?"


def test_a_markdown_answer_is_rendered_while_it_streams_and_whole(browser: Browser, tmp_path: Path) -> None:
    index = ingest(tmp_path / "documents", FILES)
    with markdown_endpoint(word_s=0.05) as endpoint:
        server = start_server(index, *(part for setting in endpoint.settings for part in ("--set", setting)))
        context = browser.new_context(viewport={"width": 1100, "height": 1300})
        try:
            page = open_page(context, server)
            loaded: list[str] = []
            page.on("request", lambda request: loaded.append(request.url))
            ask(page, QUESTION)
            page.locator(".rag-markdown strong", has_text="3.4 kg").wait_for()
            assert "[1]" not in page.locator(".rag-markdown").inner_text()
            page.get_by_role("button", name="Ask again").wait_for()
            answer = page.locator(".text.markdown")
            answer.wait_for()
            if folder := os.environ.get("SCREENSHOTS"):
                page.wait_for_timeout(1000)
                page.screenshot(path=f"{folder}/markdown.png", full_page=True)
            assert answer.locator("h5").inner_text().startswith("The fog sensor")
            assert answer.locator("td").all_inner_texts()[0] == "Fog sensor"
            assert answer.locator("th").all_inner_texts() == ["Part", "Figure"]
            assert answer.locator("ol > li").count() == 2
            assert answer.locator("pre").inner_text() == "fog --read <port>"
            assert answer.locator("img, a, script").count() == 0
            assert "[the manual](https://evil.example/manual)" in answer.inner_text()
            assert not [url for url in loaded if "evil.example" in url or url.endswith("/x")]
            answer.locator("button").first.click()
            page.locator(".rag-passage mark").first.wait_for()
        finally:
            context.close()
            stop_server(server)


@pytest.mark.parametrize("text", ["Be brief: in one word."])
def test_the_prompt_can_be_changed_on_the_page(browser: Browser, tmp_path: Path, text: str) -> None:
    index = ingest(tmp_path / "documents", FILES)
    with markdown_endpoint() as endpoint:
        server = start_server(index, *(part for setting in endpoint.settings for part in ("--set", setting)))
        context = browser.new_context()
        try:
            page = open_page(context, server)
            page.get_by_role("button", name="Prompt").click()
            page.get_by_label("Passages and question").fill("{question}")
            page.get_by_role("button", name="Use this prompt").click()
            page.get_by_text("write {passages} and {question} once each").wait_for()
            page.get_by_label("Passages and question").fill("F: {question}\nP: {passages}")
            page.get_by_label("Instruction").fill(text)
            page.get_by_role("button", name="Use this prompt").click()
            page.get_by_role("button", name="Own prompt").wait_for()
            ask(page, QUESTION)
            page.locator(".text.markdown").wait_for()
            system, user = endpoint.requests[-1]["messages"]
            assert system["content"] == text
            assert user["content"].startswith(f"F: {QUESTION}\nP: [1] Fog (fog.md)")
            assert endpoint.requests[-1]["max_tokens"] == 512
        finally:
            context.close()
            stop_server(server)
