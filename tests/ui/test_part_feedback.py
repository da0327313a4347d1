"""Thumbs as the page shows them: kept at once, and the right words only where they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from evidence_samples import ask, make_index
from streamlit.testing.v1 import AppTest

from eval.datasets import Question, load_dataset
from rag.types import Answer
from ui.i18n import Texts

t = Texts("en")
QUESTION = "When is the pump tested?"


def script(index, state, answer):  # type: ignore[no-untyped-def]  # its source is run alone, without imports
    from ui.components.feedback import show_feedback
    from ui.components.frame import Here
    from ui.i18n import Texts
    from ui.settings import UiSettings

    here = Here(UiSettings(index=index, config="test", state_folder=state), Texts("en"), index)
    show_feedback(here, answer.question, answer, "a")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("feedback"))


@pytest.fixture(scope="module")
def answer(index: Path) -> Answer:
    return ask(index, QUESTION)


class Page:
    def __init__(self, index: Path, state: Path, answer: Answer) -> None:
        self.state = state
        kwargs = {"index": index, "state": state, "answer": answer}
        self.app = AppTest.from_function(script, kwargs=kwargs, default_timeout=60).run()

    def thumb(self, value: int) -> Page:
        self.app.feedback(key="a-thumb").set_value(value).run()
        return self

    def save(self) -> str:
        self.app.button(key="a-save").click().run()
        assert not self.app.exception
        kinds: list[Any] = [*self.app.caption, *self.app.text, *self.app.code]
        return "\n".join(element.value for element in kinds)

    def ratings(self) -> list[dict[str, Any]]:
        file = self.state / "ratings.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def cases(self) -> tuple[Question, ...]:
        return load_dataset(self.state / "feedback.json").questions


@pytest.fixture
def page(index: Path, tmp_path: Path, answer: Answer) -> Page:
    return Page(index, tmp_path / "state", answer)


def test_without_a_thumb_nothing_is_kept(page: Page) -> None:
    assert page.ratings() == [] and not page.app.button


def test_a_thumb_up_is_kept_once(page: Page) -> None:
    page.thumb(1)
    page.app.run()
    assert [(row["thumb"], row["question"]) for row in page.ratings()] == [("up", QUESTION)]


def test_a_thumb_down_is_kept_and_its_reason_with_it(page: Page) -> None:
    page.thumb(0)
    page.app.pills(key="a-reason").set_value("wrong")
    page.app.text_input(key="a-comment").set_value("no **way**")
    assert t("feedback.thanks") in page.save()
    assert [(row["thumb"], row["reason"], row["comment"]) for row in page.ratings()] == [
        ("down", "", ""), ("down", "wrong", "no **way**"),
    ]  # fmt: skip


def test_the_right_words_of_a_passage_become_a_case(page: Page) -> None:
    page.thumb(0).app.radio(key="a-where").set_value("passage").run()
    page.app.text_area(key="a-words").set_value("in  March")
    assert "feedback.json --mode gold" in page.save()
    assert [(q.question, q.answers) for q in page.cases()] == [(QUESTION, ("in March",))]


def test_the_right_words_of_another_document_become_a_case(page: Page) -> None:
    page.thumb(0).app.radio(key="a-where").set_value("document").run()
    page.app.text_area(key="a-words").set_value("7 seconds")
    page.app.selectbox(key="a-source").set_value("docs/manual.pdf")
    assert "feedback.json --mode gold" in page.save()
    assert page.cases()[0].answers == ("7 seconds",)


def test_what_is_not_in_the_documents_becomes_a_case_without_an_answer(page: Page) -> None:
    page.thumb(0).app.radio(key="a-where").set_value("nowhere").run()
    page.save()
    assert page.cases()[0].answers == ()


@pytest.mark.parametrize(("where", "words", "told"), [
    ("passage", "on the moon", "feedback.not_there"), ("passage", "", "feedback.no_words"),
    ("document", "7 seconds", "feedback.not_there"),
])  # fmt: skip
def test_words_that_do_not_stand_there_become_none(page: Page, where: str, words: str, told: str) -> None:
    page.thumb(0).app.radio(key="a-where").set_value(where).run()
    page.app.text_area(key="a-words").set_value(words)
    assert t(told) in page.save()
    assert not (page.state / "feedback.json").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(index: Path, tmp_path: Path, answer: Answer) -> None:
    (tmp_path / "file").write_text("")
    page = Page(index, tmp_path / "file" / "state", answer).thumb(1)
    assert not page.app.exception
    assert any("could not be saved" in text.value for text in page.app.text)
