"""A question on its way: its events, its stop, its failures."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from rag.answering import query_rewriting as followup
from rag.knowledge_base import KnowledgeBase
from rag.retrieval.filters import Filter
from ui.jobs.asking import Asking, Outcome
from ui.jobs.background import Engine, Task, engines
from ui.settings import UiSettings

QUESTION = "How much does the fog sensor weigh and where does it stand?"


def engine(settings: UiSettings) -> Engine:
    return engines().get(settings.index, settings.config, settings.assignments)


def asked(settings: UiSettings, question: str = QUESTION, glob: str | None = None) -> tuple[Outcome, list[str]]:
    asking = Asking(engine(settings), question, only=Filter(sources=(glob,)) if glob else None)
    pieces = [event.text for event in asking.events() if event.text]
    return asking.outcome(), pieces


def test_an_answer_comes_with_its_times(settings: Callable[..., UiSettings], ingested: Path) -> None:
    outcome, pieces = asked(settings(ingested))
    assert outcome.answer is not None and "3.4 kg" in outcome.answer.text
    assert "".join(pieces) == outcome.shown == outcome.answer.text
    clock = outcome.clock
    assert clock.loaded is not None and clock.sources is not None and clock.first_text is not None
    assert clock.loaded <= clock.sources <= clock.first_text <= (clock.done or 0)
    assert not outcome.stopped and outcome.failure is None


def test_a_stopped_answer_is_aborted_in_the_engine_and_kept(
    settings: Callable[..., UiSettings], ingested: Path
) -> None:
    asking = Asking(engine(settings(ingested, "generator.model=slow")), QUESTION)
    for event in asking.events():
        if event.text:
            break
    before = time.monotonic()
    asking.stop()
    outcome = asking.outcome()
    assert time.monotonic() - before < 2
    assert outcome.stopped and outcome.answer is not None and outcome.answer.finish_reason == "abort"
    assert 0 < len(outcome.answer.text) < 40
    assert not [t for t in threading.enumerate() if t.name == "asking"]


def test_what_is_loaded_is_set_aside_from_collections_of_garbage(
    settings: Callable[..., UiSettings], ingested: Path
) -> None:
    gc.unfreeze()
    engine(settings(ingested)).knowledge_base(30)
    assert gc.get_freeze_count() > 10_000
    gc.unfreeze()


def test_stopping_after_the_end_changes_nothing(settings: Callable[..., UiSettings], ingested: Path) -> None:
    asking = Asking(engine(settings(ingested)), QUESTION)
    list(asking.events())
    asking._thread.join()
    asking.stop()
    assert not asking.outcome().stopped


def test_stopping_while_the_models_load_ends_the_wait(settings: Callable[..., UiSettings], ingested: Path) -> None:
    waiting = engine(settings(ingested))
    waiting.knowledge_base()
    loaded, for_ever = waiting._making, Future[KnowledgeBase]()
    waiting._making = Task(for_ever)
    asking = Asking(waiting, QUESTION)
    asking.stop()
    outcome = asking.outcome()
    waiting._making = loaded
    assert (outcome.stopped, outcome.answer, outcome.failure) == (True, None, None)


def test_an_engine_that_dies_leaves_what_it_said(settings: Callable[..., UiSettings], ingested: Path) -> None:
    outcome, pieces = asked(settings(ingested, "generator.model=dying"))
    assert outcome.failure is not None and "stopped" in outcome.failure.message
    assert outcome.shown == "".join(pieces) != ""
    assert outcome.answer is not None and outcome.answer.text == outcome.shown.strip()
    assert not outcome.stopped


@pytest.mark.parametrize("question", ["x" * 100_000, "   ", "\ud800"])
def test_a_question_that_cannot_be_asked_is_a_sentence(
    settings: Callable[..., UiSettings], ingested: Path, question: str
) -> None:
    outcome, _ = asked(settings(ingested), question)
    assert outcome.failure is not None and "the question" in outcome.failure.message and outcome.failure.remedy


def test_a_missing_index_is_a_sentence(settings: Callable[..., UiSettings], tmp_path: Path) -> None:
    outcome, _ = asked(settings(tmp_path / "none"))
    assert outcome.failure is not None and "rag ingest" in outcome.failure.remedy


def test_what_is_without_passages_is_told_apart(settings: Callable[..., UiSettings], ingested: Path) -> None:
    filtered, _ = asked(settings(ingested), glob="*.pdf")
    assert (filtered.nothing_in, filtered.answer is not None and filtered.answer.abstained) == ("filter", True)
    found, _ = asked(settings(ingested), glob="*.md")
    assert found.nothing_in == ""


def test_a_defect_is_a_sentence_too(
    settings: Callable[..., UiSettings], ingested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = engine(settings(ingested))
    monkeypatch.setattr(broken.knowledge_base().retriever, "retrieve_batch", lambda *a, **k: 1 / 0)
    outcome = Asking(broken, QUESTION).outcome()
    assert outcome.failure is not None and "ZeroDivisionError" in outcome.failure.message


def test_a_follow_up_is_understood_by_what_was_said(settings: Callable[..., UiSettings], ingested: Path) -> None:
    said = [followup.Turn("How much does the fog sensor weigh?", "3.4 kg")]
    asking = Asking(engine(settings(ingested)), "Where does it stand?", history=said)
    understood = [event.understood for event in asking.events() if event.understood is not None]
    assert [u.changed for u in understood] == [True]
    answer = asking.outcome().answer
    assert answer is not None and answer.question == understood[0].question and "fog sensor" in answer.question
