"""The chat in a real browser against a real server: what a user sees of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ui_project import Server, ask, open_page, start_server, stop_server

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

QUESTION = "How much does the fog sensor weigh and where does it stand?"
STOPPED = re.compile("^Stopped")
ANSWER = "The fog sensor weighs 3.4 kg and stands on the mast beside the old lighthouse by the sea."


def test_an_answer_streams_and_is_found_again_after_a_reload(page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    ask(page, QUESTION)
    begun = page.locator(".rag-text", has_text="sensor weighs")
    begun.wait_for()
    assert "by the sea" not in begun.last.inner_text()  # it is still coming
    page.get_by_role("button", name="Ask again").wait_for()
    page.locator(".text", has_text=ANSWER).wait_for()
    page.get_by_text("Answered by fake").wait_for()
    page.get_by_text("sources after").wait_for()
    page.reload()
    page.locator(".text", has_text=ANSWER).wait_for()
    page.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("How much")).wait_for()
    assert errors == []


def test_a_chat_is_deleted_after_a_question_and_its_menu_closes(page: Page) -> None:
    ask(page, QUESTION)
    page.get_by_role("button", name="Ask again").wait_for()
    page.get_by_role("button", name="This chat").click()
    delete = page.get_by_role("button", name="Delete for good")
    page.locator("summary", has_text="Delete this chat").click()
    page.get_by_text("This deletes its questions").wait_for()
    assert page.locator(".text", has_text=ANSWER).is_visible()
    delete.click()
    page.get_by_text("Ask a question. The answer comes").wait_for()
    page.get_by_test_id("stPopoverBody").wait_for(state="detached")
    assert page.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("How much")).count() == 0


WATCH = """() => {
  window.missed = [];
  const visible = element => {
    if (!element) return 0;
    let share = 1;
    for (; element; element = element.parentElement) share *= getComputedStyle(element).opacity;
    return share;
  };
  window.looking = setInterval(() => {
    const messages = document.querySelectorAll('[data-testid="stChatMessage"]');
    const places = {
      question: messages[0]?.querySelector('.rag-text'),
      answer: messages[1] && [...messages[1].querySelectorAll('*')].find(e => e.shadowRoot?.querySelector('.text')),
      again: messages[1] && [...messages[1].querySelectorAll('button')].find(e => e.innerText.includes('Copy')),
      chat: [...document.querySelectorAll('[data-testid="stSidebar"] button')].find(e => e.innerText.includes('fog')),
      filter: [...document.querySelectorAll('button')].find(e => e.innerText.includes('Filter')),
    };
    for (const name in places) if (visible(places[name]) < 0.7) window.missed.push(name);
  }, 20);
}"""


def test_what_was_there_stands_while_another_answer_comes(page: Page) -> None:
    ask(page, QUESTION)
    page.get_by_role("button", name="Ask again").wait_for()
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    ask(page, QUESTION)
    page.locator(".rag-text", has_text="sensor weighs").wait_for()
    page.locator(".rag-text", has_text="old lighthouse").wait_for()  # long after what is not drawn again would fade
    assert page.evaluate("clearInterval(window.looking); [...new Set(window.missed)]") == []


def test_the_stop_button_ends_the_answer_and_keeps_what_came(page: Page) -> None:
    ask(page, QUESTION)
    page.locator(".rag-text", has_text="sensor weighs").wait_for()
    page.get_by_test_id("stChatInputStopButton").click()
    page.get_by_text("Stopped. This is the text so far.").wait_for()
    page.locator(".text", has_text="sensor weighs").wait_for()
    kept = page.locator(".text", has_text="sensor weighs").inner_text()
    assert "by the sea" not in kept
    page.wait_for_timeout(1500)  # five words' time
    assert page.locator(".text", has_text="sensor weighs").inner_text() == kept
    page.reload()
    page.get_by_text("Stopped. This is the text so far.").wait_for()


def test_a_chat_that_is_left_while_it_answers_keeps_what_came(page: Page) -> None:
    ask(page, QUESTION)
    page.locator(".rag-text", has_text="sensor weighs").wait_for()
    page.get_by_role("button", name="New chat").click()
    page.get_by_test_id("stChatMessage").first.wait_for(state="detached")
    page.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("How much")).first.click()
    page.get_by_text("Stopped. This is the text so far.").wait_for()
    page.locator(".text", has_text="sensor weighs").wait_for()


STOPS = """() => {
  window.early = 0;
  window.looking = setInterval(() => {
    const coming = document.querySelector('.st-key-stop[data-stale="false"]');
    for (const stop of document.querySelectorAll('[data-testid="stChatInputStopButton"], .stStatusWidget button'))
      if (!coming && getComputedStyle(stop).visibility === "visible") window.early += 1;
  }, 5);
}"""


def test_a_stop_button_is_shown_only_once_the_question_is_asked(page: Page) -> None:
    page.evaluate(STOPS)
    for number in range(3):
        ask(page, QUESTION)
        page.get_by_test_id("stChatInputStopButton").click()  # waits until it can be seen
        page.get_by_text(STOPPED).nth(number).wait_for()
        page.get_by_role("button", name="Ask again").wait_for()
    assert page.evaluate("clearInterval(window.looking); window.early") == 0


def test_what_was_chosen_stays_chosen_where_an_answer_is_stopped_at_once(page: Page) -> None:
    ask(page, QUESTION)
    page.get_by_role("button", name="Ask again").wait_for()
    way = page.get_by_test_id("stButtonGroup").get_by_role("radio", name="Language model")
    way.click()
    ask(page, QUESTION)  # while the run of that click goes on, whose end takes the field's own button away
    page.locator(".st-key-stop button").click()
    page.get_by_text(STOPPED).wait_for()
    page.get_by_role("button", name="Ask again").wait_for()
    assert way.get_attribute("aria-checked") == "true"
    page.get_by_test_id("stChatInputTextArea").fill("Is the field free?")  # waits until it is enabled


NEVER_WHOLE = """() => {
  setInterval(() => document.querySelector('.st-key-new_chat')?.classList.remove('st-key-new_chat'), 5);
}"""


def test_a_page_that_was_not_drawn_to_its_end_is_asked_for_once(page: Page) -> None:
    asked: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: asked.append(frame)))  # noqa: PLW0108
    page.reload()
    page.get_by_role("button", name="New chat").wait_for()
    page.wait_for_timeout(1500)
    asked.clear()
    page.evaluate(NEVER_WHOLE)
    page.wait_for_timeout(2000)  # the time of five requests
    assert len(asked) == 1


def test_a_question_that_is_asked_further_up_comes_into_sight(page: Page) -> None:
    for number in range(1, 4):
        ask(page, "How tall is the mast?")
        page.get_by_role("button", name="Ask again").wait_for()
        page.get_by_text("Answered by").nth(number - 1).wait_for()
    page.set_viewport_size({"width": 1000, "height": 500})
    page.mouse.move(600, 200)
    for _ in range(20):  # as long as it follows its end, it takes back what is scrolled
        page.mouse.wheel(0, -2000)
        page.wait_for_timeout(200)
        if page.evaluate("document.querySelector('.stMain').scrollTop") == 0:
            break
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.stMain').scrollTop") == 0
    ask(page, QUESTION)
    from playwright.sync_api import expect

    expect(page.get_by_text("sensor weighs").last).to_be_in_viewport()  # the end of the stream replaces the element


def test_escape_stops_too(page: Page) -> None:
    ask(page, QUESTION)
    page.locator(".rag-text", has_text="sensor weighs").wait_for()
    page.get_by_test_id("stChatMessage").first.click()  # away from the field: a disabled one swallows all keys
    page.keyboard.press("Escape")
    page.get_by_text("Stopped. This is the text so far.").wait_for()


def test_a_closed_tab_stops_the_answer_and_keeps_what_came(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server)
    ask(page, QUESTION)
    page.locator(".rag-text", has_text="sensor weighs").wait_for()
    page.close()
    again = open_page(context, server)
    again.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("How much")).click()
    again.get_by_text("Stopped. This is the text so far.").wait_for()


def test_another_browser_sees_none_of_it(page: Page, server: Server) -> None:
    ask(page, "canary 4417")
    page.get_by_role("button", name="Ask again").wait_for()
    page.wait_for_url(re.compile("chat="))
    address = page.url
    browser = page.context.browser
    assert browser is not None
    other = browser.new_context()
    stranger = other.new_page()
    stranger.goto(address)
    stranger.get_by_text("Ask a question").wait_for()
    stranger.wait_for_timeout(500)
    assert "canary 4417" not in stranger.content()
    other.close()


def test_the_language_is_switched_and_stays_after_a_reload(page: Page) -> None:
    page.get_by_test_id("stSidebar").get_by_text("Русский").click()
    page.get_by_text("Задайте вопрос").wait_for()
    page.reload()
    page.get_by_text("Задайте вопрос").wait_for()
    assert page.get_by_test_id("stChatInputTextArea").get_attribute("placeholder") == "Спросите свои документы"


def test_the_theme_is_switched(page: Page) -> None:
    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"))

    assert ground() == "rgb(255, 255, 255)"
    page.get_by_test_id("stMainMenu").click()
    choose_theme(page, "Dark")
    for _ in range(100):
        if ground() == "rgb(18, 22, 28)":
            break
        page.wait_for_timeout(100)
    assert ground() == "rgb(18, 22, 28)"


def choose_theme(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).or_(page.get_by_role("menuitemradio", name=name)).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()


def test_the_page_is_usable_on_a_phone(context: BrowserContext, server: Server) -> None:
    page = open_page(context, server)
    page.set_viewport_size({"width": 390, "height": 800})
    ask(page, "How tall is the mast?")
    page.get_by_role("button", name="Ask again").wait_for()
    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= 390
    box = page.get_by_test_id("stChatInputTextArea").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_a_password_stands_before_everything(context: BrowserContext, server: Server, tmp_path: Path) -> None:
    index = tmp_path / "none" / ".rag"
    index.parent.mkdir()
    guarded = start_server(index, environment={"RAG_UI_PASSWORD": "correct horse"})
    try:
        page = context.new_page()
        page.goto(guarded.url)
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_text("That is not the password.").wait_for()
        page.get_by_label("Password").fill("correct horse")
        page.keyboard.press("Enter")
        page.get_by_test_id("stChatInputTextArea").wait_for()
        page.get_by_text("rag ingest PATH").wait_for()
    finally:
        stop_server(guarded)
