"""The fake's two bad habits, which the page is tried with."""

from __future__ import annotations

import time

import pytest

from rag.errors import GeneratorError
from rag.generation.base import Prompt, Sampling
from rag.generation.fake import FakeCompleter

PROMPT = Prompt("Text:\nThe fog sensor weighs 3.4 kg.\n\nQuestion: What does the fog sensor weigh?\nAnswer:")


def test_a_slow_one_stops_at_once_and_keeps_what_came() -> None:
    stream = FakeCompleter.named("slow").stream(PROMPT, Sampling())
    pieces = iter(stream)
    first = next(pieces)
    stream.close()
    before = time.monotonic()
    assert list(pieces) == []
    assert time.monotonic() - before < 0.25
    assert (stream.completion.text, stream.completion.finish_reason) == (first, "abort")


def test_a_dying_one_fails_in_the_middle() -> None:
    pieces = iter(FakeCompleter.named("dying").stream(PROMPT, Sampling()))
    assert next(pieces) + next(pieces) == "The fog "
    with pytest.raises(GeneratorError):
        next(pieces)


def test_any_other_name_is_the_plain_one() -> None:
    assert "".join(FakeCompleter.named("fake").stream(PROMPT, Sampling())) == "The fog sensor weighs 3.4 kg."
