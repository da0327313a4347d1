"""The hybrid generator over a told reader and a told writer: what is written, what is refused, what is streamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rag.answering.answerer import Reader
from rag.generation.base import Completion, Evidence, MarkedStream, Prompt, Sampling, ShownPassage, Signals
from rag.generation.fake import FakeGenerator
from rag.generation.hybrid import HybridGenerator, phrasing_prompt, says_the_same
from rag.generation.prompt_builder import ReadingBuilder
from rag.retrieval.retriever import Retrieved
from rag.types import Passage, Usage

TEXT = "The desk is shut at 17:00. At night, dial 288 and wait."
PROMPT = Prompt(question="Which number rings the night desk?", passages=(ShownPassage(TEXT, "a.md", 0, 1.0),))

SIGNALS = Signals(score=7.0, lead=3.0, margin=6.0, relevance=2.0)


class ToldReader:
    """Marks 288 with the confidence it is given; nothing where that is None."""

    name = "told"
    context_length = 1000

    def __init__(self, confidence: float | None = 0.9) -> None:
        self.confidence = confidence

    def count_tokens(self, texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, prompts: Any, sampling: Sampling) -> list[Completion]:
        if self.confidence is None:
            return [Completion("", "stop", Usage(5), confidence=0.0) for _ in prompts]
        place = (Evidence(0, 42, 45),)
        return [Completion("288", "stop", Usage(5), 0.1, (), self.confidence, SIGNALS, place) for _ in prompts]

    def stream(self, prompt: Prompt, sampling: Sampling) -> Any:
        return MarkedStream(self.generate([prompt], sampling)[0])


def hybrid(reply: Callable[[str], str], confidence: float | None = 0.9, least: float = 0.3) -> Any:
    writer = FakeGenerator(reply)
    return HybridGenerator(ToldReader(confidence), writer, min_confidence=least), writer  # type: ignore[arg-type]


def test_the_sentence_is_phrased_around_the_span_and_keeps_its_evidence() -> None:
    made, writer = hybrid(lambda _: "At night, dial 288.")
    told = made.generate([PROMPT], Sampling())[0]
    assert told.text == "At night, dial 288."
    assert told.evidence == (Evidence(0, 42, 45),)
    assert told.confidence == 0.9
    assert told.usage.prompt_tokens > 5
    asked = writer.prompts[0].text
    assert asked.endswith("Short answer: 288\nSentence:")
    assert "Text: At night, dial 288 and wait.\n" in asked
    assert "17:00" not in asked


@pytest.mark.parametrize("written", ["Dial 31 at night.", "Nobody answers.", "Dial 288 or 999 at night.", "Dial 2880."])
def test_a_sentence_that_says_something_else_is_unsupported_and_the_span_is_told(written: str) -> None:
    told = hybrid(lambda _: written)[0].generate([PROMPT], Sampling())[0]
    assert told.text == written
    assert told.evidence == ()
    assert told.confidence == 0.0
    assert [(note.kind, note.values) for note in told.notes] == [("contradicted", {"said": "288"})]


def test_an_empty_sentence_is_replaced_by_the_span() -> None:
    told = hybrid(lambda _: "")[0].generate([PROMPT], Sampling())[0]
    assert (told.text, told.evidence) == ("288", (Evidence(0, 42, 45),))


@pytest.mark.parametrize("confidence", [None, 0.2])
def test_what_the_reader_would_not_answer_is_not_written(confidence: float | None) -> None:
    made, writer = hybrid(lambda _: "Dial 288.", confidence)
    made.generate([PROMPT], Sampling())
    assert "".join(made.stream(PROMPT, Sampling())) == ("" if confidence is None else "288")
    assert writer.prompts == []


def test_streamed_and_batched_agree() -> None:
    made, _ = hybrid(lambda _: "At night, dial 288.")
    stream = made.stream(PROMPT, Sampling())
    assert "".join(stream) == "At night, dial 288."
    assert stream.completion == made.generate([PROMPT], Sampling())[0]


def test_an_unsupported_sentence_is_shown_as_such_by_the_reader() -> None:
    passage = Passage(1, "a.md", "Desk", None, (), 0, len(TEXT), TEXT, 1.0)
    found = [Retrieved(PROMPT.question, (passage,), 0.9, 1)]
    good = Reader(ReadingBuilder(), hybrid(lambda _: "At night, dial 288.")[0]).answer_batch(found)[0]
    assert good.sentences[0].supported
    assert good.citations[0].quote == "288"
    strict = Reader(ReadingBuilder(), hybrid(lambda _: "Dial 31.")[0], min_confidence=0.4)
    bad = strict.answer_batch(found)[0]
    assert bad.confidence == 0.0
    assert not bad.abstained
    assert not bad.sentences[0].supported
    assert bad.citations == ()


@pytest.mark.parametrize(
    ("span", "written"),
    [("24 months", "The warranty is not 24 months."), ("The Who", "It is by Oasis."), ("No", "Yes, dogs are allowed.")],
)
def test_what_turns_a_span_round_does_not_say_the_same(span: str, written: str) -> None:
    assert not says_the_same(span, f"The answer is {span}.", written)


def test_a_stream_without_a_sentence_shows_the_span() -> None:
    stream = hybrid(lambda _: "")[0].stream(PROMPT, Sampling())
    assert "".join(stream) == stream.completion.text == "288"


def test_says_the_same_compares_words_and_numbers() -> None:
    assert says_the_same("31 metres", "stands 31 metres tall", "It is 31 metres tall.")
    assert not says_the_same("31 metres", "stands 31 metres tall", "It is 13 metres tall.")
    assert not says_the_same("31 metres", "stands 31 metres tall", "It is 31 metres tall, built in 1874.")


def test_the_prompt_names_the_sentence_alone() -> None:
    told = phrasing_prompt(PROMPT, ToldReader().generate([PROMPT], Sampling())[0])
    assert told.text.count("Short answer:") == 4


@pytest.mark.parametrize(
    "written",
    [
        "The museum closed in May.",  # the opposite of what it did
        "The museum opened in May, says Harold.",  # a name that stands nowhere
        "The museum never opened in May.",
    ],
)
def test_opposites_and_invented_names_do_not_say_the_same(written: str) -> None:
    assert not says_the_same("in May", "The museum opened in May.", written)


@pytest.mark.parametrize(
    "written", ["In June the museum opened.", "June is when the museum was opened.", "It was June."]
)
def test_another_order_and_fewer_words_say_the_same(written: str) -> None:
    assert says_the_same("June", "The museum opened in June.", written)
