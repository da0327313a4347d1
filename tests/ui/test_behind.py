"""Work behind a page: begun once, kept while new, explained where it fails, tried again later."""

from __future__ import annotations

import threading
import time

import pytest

import ui.jobs.background
from eval.errors import EvalError
from rag.errors import UsageError
from ui.jobs.background import Background
from ui.text.failures import failure_of


def test_many_who_ask_get_one_task() -> None:
    behind, go, calls = Background(threads=2), threading.Event(), []

    def work() -> int:
        calls.append(1)
        go.wait(30)
        return 7

    tasks = [behind.get("key", work) for _ in range(5)]
    assert not tasks[0].wait(0.01) and not tasks[0].done
    go.set()
    assert tasks[0].wait(30) and tasks[0].failure is None
    assert [task.result() for task in tasks] == [7] * 5 and calls == [1]
    assert behind.known("key") is tasks[0] and behind.known("other") is None
    behind.forget("key")
    assert behind.get("key", work) is not tasks[0]


def test_only_the_last_are_kept_and_none_that_is_being_done() -> None:
    behind, go = Background(threads=1, most=2), threading.Event()
    slow = behind.get("slow", lambda: go.wait(30))
    for n in range(4):
        behind.get(n, lambda: 1)
    assert behind.known("slow") is slow
    go.set()
    slow.result()
    for n in range(4, 8):
        behind.get(n, lambda: 1).result()
    assert [n for n in range(8) if behind.known(n)] == [6, 7]


def test_a_failure_is_explained_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    behind, outcomes = Background(), [ZeroDivisionError("no"), 3]

    def work() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    task = behind.get("key", work)
    assert task.wait(30)
    assert task.failure is not None and task.failure.message == "ZeroDivisionError: no"
    assert behind.get("key", work) is task  # at once it would fail again
    monkeypatch.setattr(ui.jobs.background, "_RETRY_S", 0.0)
    time.sleep(0.01)
    assert behind.get("key", work).result() == 3


def test_errors_with_sentences_keep_them() -> None:
    assert failure_of(EvalError("what", "do")).remedy == "do"
    assert failure_of(UsageError("what", "do")).message == "what"
