"""Which signals are held back while a model is trained, and until when."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest
from training_samples import deliver

from rag.training.interrupts import Interrupts

pytestmark = pytest.mark.usefixtures("handlers")
Act = Callable[[Interrupts], object]


def interrupt(_: Interrupts) -> None:
    deliver(signal.SIGINT)


def long_work(held: Interrupts) -> None:
    with held.at_once():
        pass


def interrupted_work(held: Interrupts) -> None:
    with held.at_once():
        deliver(signal.SIGINT)


def training(*acts: Act) -> list[Act]:
    """Return those of the acts that were reached, of which the last one may have raised the interrupt."""
    reached = []
    try:
        with Interrupts() as held:
            for act in acts:
                reached.append(act)
                act(held)
    except KeyboardInterrupt:
        return reached
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("place", [Interrupts.on_step_begin, Interrupts.on_substep_end, Interrupts.on_step_end])
def test_the_first_one_waits_for_the_next_step(place: Act, number: signal.Signals) -> None:
    signal.signal(number, signal.default_int_handler)
    assert training(lambda _: deliver(number), place, pytest.fail)[1:] == [place]
    assert signal.getsignal(number) is signal.default_int_handler


def test_the_second_one_is_raised_where_it_comes() -> None:
    assert training(interrupt, interrupt, pytest.fail) == [interrupt, interrupt]


def test_one_that_comes_last_is_not_forgotten() -> None:
    assert training(interrupt) == [interrupt]


def test_another_error_is_not_taken_for_it() -> None:
    def fail() -> None:
        with Interrupts() as held:
            interrupt(held)
            raise ValueError("a")

    with pytest.raises(ValueError, match="a"):
        fail()


def test_long_work_is_ended_at_once_and_only_while_it_lasts() -> None:
    assert training(interrupted_work, pytest.fail) == [interrupted_work]
    assert training(interrupt, long_work, pytest.fail) == [interrupt, long_work]
    acts = (long_work, interrupt, Interrupts.on_step_end, pytest.fail)
    assert training(*acts) == list(acts[:3])


def test_a_signal_with_another_meaning_keeps_it() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_in_another_thread_nothing_is_touched() -> None:
    seen: list[object] = []

    def work() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
