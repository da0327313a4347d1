"""The chat page in every state, run as Streamlit runs it but without a browser."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from ui_project import ingest

import ui.components.frame
from ui.jobs.background import Engine, engines
from ui.settings import UiSettings
from ui.storage.chats import COOKIE, Chats, new_token, owner_of

pytestmark = pytest.mark.slow

APP = Path(ui.__file__).with_name("entry") / "app.py"
QUESTION = "How much does the fog sensor weigh and where does it stand?"
Set = Callable[..., UiSettings]


@pytest.fixture
def browsers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The cookies that the page sees, to be changed between runs."""
    cookies = {COOKIE: new_token()}
    monkeypatch.setattr(ui.components.frame, "_owner", lambda: owner_of({}, cookies))
    return cookies


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def ask(page: AppTest, question: str = QUESTION) -> AppTest:
    engine_of(page)
    page.chat_input(key="question").set_value(question).run()
    assert not page.exception
    return page


def engine_of(page: AppTest) -> None:
    """Wait for the engine, whether it comes or fails."""
    for engine in list(engines()._engines.values()):
        engine._making.wait(60)


def address(page: AppTest) -> str:
    """The open chat's id, as the address of the page has it."""
    value = page.query_params["chat"]
    return value if isinstance(value, str) else value[0]


def texts(page: AppTest) -> str:
    """Everything that the page says."""
    shown = [element.proto.body for element in page.get("html")]
    kinds = (page.text, page.caption, page.markdown, page.code)
    shown += [str(element.value) for kind in kinds for element in kind]
    shown += [button.label for button in page.button] + [expander.label for expander in page.expander]
    return "\n".join(shown)


def with_source(page: AppTest) -> AppTest:
    """Open the first source, which shows the cited words at their place."""
    next(button for button in page.button if button.label == "1").click().run()
    assert not page.exception
    return page


def test_an_answer_with_its_source_confidence_and_times(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    page = ask(opened())
    shown = texts(page)
    for part in ("fog.md", "confidence", "Answered by fake", "sources after", "done after", "Why this answer"):
        assert part in shown
    assert "3.4 kg" in texts(with_source(page)) and "<mark>" in texts(page)
    assert address(page)


def test_the_page_is_russian_where_the_user_says_so(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    page = ask(opened(language="Русский"))
    assert "Ответ дал: fake" in texts(page) and "уверенность" in texts(page)


def test_no_index_is_a_sentence_with_a_remedy(settings: Set, tmp_path: Path, browsers: object) -> None:
    settings(tmp_path / "none")
    page = opened()
    engine_of(page)
    page.run()
    assert "rag ingest PATH" in texts(page)
    assert "rag ingest PATH" in texts(ask(page))


def test_an_empty_index_says_that_there_are_no_documents(settings: Set, tmp_path: Path, browsers: object) -> None:
    settings(ingest(tmp_path / "empty", {}))
    assert "This collection has no documents yet" in texts(ask(opened()))


def test_a_filter_that_fits_nothing_says_so(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    page = opened()
    page.text_input(key="filter_source_0").set_value("*.pdf").run()
    assert "No document matches the filter" in texts(ask(page))
    page.text_input(key="filter_source_0").set_value("").run()  # the chat tells of the filter that was on
    assert "only documents with source=*.pdf were searched" in texts(page)
    assert "source=*.pdf" in texts(opened(chat=address(page)))


def test_a_damaged_index_is_a_sentence(settings: Set, ingested: Path, browsers: object) -> None:
    database = ingested / "rag.db"
    database.write_bytes(b"not a database at all" * 500)
    settings(ingested)
    page = ask(opened())
    assert "rag index restore" in texts(page)


def test_an_abstention_is_a_card_with_what_comes_nearest(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    page = ask(opened(), "Quid est veritas quaerenda?")
    assert "No sure answer" in texts(page)


def test_an_engine_that_dies_leaves_its_words_and_a_sentence(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested, "generator.model=dying")
    shown = texts(ask(opened()))
    assert "The fog" in shown and "the fake generator stopped" in shown and "ends here" in shown


def test_a_question_of_100_000_characters_is_a_sentence(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    assert "100,000 characters" in texts(ask(opened(), "x" * 100_000))


def test_while_the_models_load_the_page_says_so_and_takes_questions(
    settings: Set, ingested: Path, browsers: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(ingested)
    loaded = threading.Event()
    make = engines()._load
    monkeypatch.setattr(engines(), "_load", lambda *a: loaded.wait(60) and make(*a))
    page = opened()
    assert "The models are loading" in texts(page)
    assert not page.chat_input(key="question").disabled
    loaded.set()
    assert "3.4 kg" in texts(ask(page))


def test_models_that_cannot_be_loaded_are_a_sentence_and_can_be_tried_again(
    settings: Set, ingested: Path, browsers: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(ingested)
    monkeypatch.setattr(engines(), "_load", lambda *a: 1 / 0)
    page = opened()
    engine_of(page)
    page.run()
    assert "ZeroDivisionError" in texts(page)
    monkeypatch.undo()
    monkeypatch.setattr(ui.components.frame, "_owner", lambda: None)
    monkeypatch.setattr(Engine, "is_stale", property(lambda self: self.state.status == "failed"))
    page.button(key="try_again").click().run()
    assert "3.4 kg" in texts(ask(page))


# History ------------------------------------------------------------------------------------------------------------


def test_a_chat_survives_a_reload(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    first = ask(opened())
    chat_id = address(first)
    again = opened(chat=chat_id)
    assert "3.4 kg" in texts(with_source(again)) and "<mark>" in texts(again)
    again.button(key="new_chat").click().run()
    assert "3.4 kg" not in "".join(e.proto.body for e in again.get("html"))
    again.button(key=f"chat_{chat_id}").click().run()
    assert "3.4 kg" in texts(again)  # and the source is open, as it was left


def test_two_browsers_never_see_each_others_chats(settings: Set, ingested: Path, browsers: dict[str, str]) -> None:
    settings(ingested)
    canaries = ["canary one 5c1f", "canary two 9e07"]
    addresses = []
    for canary in canaries:
        browsers[COOKIE] = new_token()
        page = ask(opened(), canary)
        page.run()
        assert canary in texts(page)
        addresses.append(address(page))
        for other in canaries:
            assert (other in texts(page)) == (other == canary)
    stranger = opened(chat=addresses[0])  # the second browser, with the address of the first one's chat
    assert canaries[0] not in texts(stranger) and canaries[1] in texts(stranger)
    stranger.text_input(key="chat_search").set_value("canary").run()
    assert canaries[0] not in texts(stranger)


def test_two_sessions_at_once_keep_to_themselves(settings: Set, ingested: Path, browsers: dict[str, str]) -> None:
    settings(ingested)
    one = opened()
    browsers[COOKIE] = new_token()
    two = opened()
    ask(two, "canary of the second session")
    one.run()
    assert "canary" not in texts(one)


def test_a_chat_is_searched_renamed_and_deleted(settings: Set, ingested: Path, browsers: object) -> None:
    settings(ingested)
    page = ask(opened())
    page.text_input(key="chat_search").set_value("no such word").run()
    assert "No chat has these words" in texts(page)
    page.text_input(key="chat_search").set_value("").run()
    title = next(field for field in page.text_input if field.label == "Title")
    title.set_value("Weights [x](http://sink.example)")
    next(button for button in page.button if button.label == "Rename").click().run()
    assert "Weights \\[x\\]" in texts(page) and "http://" not in texts(page)
    assert "for good" in texts(page)
    page.button(key="delete_chat").click().run()
    assert "Weights" not in texts(page) and "chat" not in page.query_params


def test_a_chat_goes_on_where_it_cannot_be_kept(settings: Set, ingested: Path, browsers: object) -> None:
    state = settings(ingested).state
    page = opened()
    (state / "chats.sqlite").write_bytes(b"this is not a database" * 500)
    page = ask(page)
    assert "3.4 kg" in texts(page) and "cannot be read" in texts(page)
    ask(page, "How tall is the mast?")
    assert "31 metres" in texts(page) and "3.4 kg" in texts(page)


def test_a_browser_without_cookies_is_told_that_nothing_is_kept(
    settings: Set, ingested: Path, browsers: dict[str, str]
) -> None:
    browsers.clear()
    state = settings(ingested).state
    page = ask(opened())
    assert "3.4 kg" in texts(page) and "accepts no cookies" in texts(page)
    assert not (state / "chats.sqlite").exists()


def test_asking_again_answers_in_the_same_place(settings: Set, ingested: Path, browsers: object) -> None:
    state = settings(ingested).state
    page = ask(opened())
    (button,) = [b for b in page.button if b.key and b.key.startswith("again_")]
    button.click().run()
    assert len(page.chat_message) == 2
    with sqlite3.connect(state / "chats.sqlite") as db:
        assert db.execute("SELECT count(*) FROM turns").fetchone() == (1,)


def test_a_script_that_is_ended_in_the_middle_stops_the_engine_and_keeps_what_came(
    settings: Set, ingested: Path, browsers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit ends a script by raising in it; here that comes with the second thing to be drawn."""
    from streamlit.runtime.scriptrunner_utils.exceptions import StopException

    import ui.pages.chat as chat_page

    state = settings(ingested, "generator.model=slow").state
    calls = []

    def status(page: object, event: object) -> str:
        calls.append(event)
        if any(getattr(e, "text", "") for e in calls):
            raise StopException
        return ""

    monkeypatch.setattr(chat_page, "_status", status)
    page = opened()
    ask(page)
    owner = owner_of({}, browsers)
    assert owner is not None
    chats = Chats(state)
    (row,) = chats.list(owner)
    kept = chats.load(owner, row.id)
    assert kept is not None and kept.turns[0].stopped and 0 < len(kept.turns[0].said) < 40
    assert not [thread for thread in threading.enumerate() if thread.name == "asking"]
    monkeypatch.undo()
    monkeypatch.setattr(ui.components.frame, "_owner", lambda: owner)
    page.run()
    assert "Stopped. This is the text so far." in texts(page)
