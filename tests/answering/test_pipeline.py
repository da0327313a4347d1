"""The whole way from question to answer, with a generator that cannot think."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rag_project import Project

from rag.errors import InputError, PromptTooLongError
from rag.generation.base import Completion, Prompt, Sampling
from rag.generation.fake import FakeCompleter
from rag.ops.serialize import answer_json
from rag.prompt_templates import ABSTENTION, NOT_IN_PASSAGES
from rag.retrieval.filters import Filter
from rag.types import Answer, Note, Usage

WEIGHT = "What does the fog sensor weigh?"
SOUP = "When is lentil soup served?"
MAST = "Какой высоты мачта тумана?"


def saying(text: str) -> FakeCompleter:
    return FakeCompleter(lambda prompt: text)


def echo(prompt: str) -> str:
    return prompt.rpartition("Question:")[2].removesuffix("Answer:").strip()


def untimed(answer: Answer) -> Answer:
    return replace(answer, timings={})


def test_an_answer_carries_everything_needed_to_check_it(fog: Project) -> None:
    answer = fog.knowledge_base().ask(WEIGHT)
    assert (answer.question, answer.text) == (WEIGHT, "The fog sensor weighs 3.4 kg.")
    assert (answer.abstained, answer.confidence, answer.finish_reason, answer.notes) == (False, 1.0, "stop", ())
    assert [(answer.text[s.start : s.end], s.supported) for s in answer.sentences] == [(answer.text, True)]
    assert answer.passages[0].source == "fog.md"
    assert set(answer.timings) == {"embed", "search", "prompt", "generate", "cite"}
    assert answer.usage.completion_tokens == 6
    assert answer.usage.prompt_tokens > 100


@pytest.mark.parametrize("question", [WEIGHT, SOUP, MAST])
def test_citations_are_spans_of_the_stored_text(fog: Project, question: str) -> None:
    answer = fog.knowledge_base().ask(question)
    assert answer.citations
    for citation in answer.citations:
        assert citation.passage in answer.passages
        assert fog.index.store.text(citation.passage.source)[citation.start : citation.end] == citation.quote


def test_a_sentence_without_evidence_is_not_cited(fog: Project) -> None:
    answer = fog.knowledge_base(generator=saying("The fog sensor weighs 3.4 kg. It was painted by monks.")).ask(WEIGHT)
    assert [sentence.supported for sentence in answer.sentences] == [True, False]
    assert answer.confidence == 0.5
    assert not answer.abstained


def test_the_markers_of_a_model_are_not_passed_on(fog: Project) -> None:
    answer = fog.knowledge_base(generator=saying("The fog sensor weighs 3.4 kg [1][2].")).ask(WEIGHT)
    assert answer.text == "The fog sensor weighs 3.4 kg."


def test_an_answer_as_json_tells_the_same(fog: Project) -> None:
    answer = fog.knowledge_base().ask(WEIGHT)
    row = answer_json(answer, "digest")
    assert (row["question"], row["answer"], row["config_digest"]) == (WEIGHT, answer.text, "digest")
    assert row["citations"][0]["quote"] == row["sentences"][0]["text"] == answer.text
    assert [p["id"] for p in row["passages"]] == [p.id for p in answer.passages]


# Abstention -------------------------------------------------------------------------------------------------


def test_nothing_relevant_is_answered_without_asking_the_generator(fog: Project) -> None:
    generator = FakeCompleter()
    answer = fog.knowledge_base("retrieval.min_relevance=0.99", generator=generator).ask(WEIGHT)
    assert (answer.abstained, answer.text, answer.confidence) == (True, ABSTENTION, 0.0)
    assert answer.finish_reason == "nothing relevant"
    assert (answer.citations, answer.sentences) == ((), ())
    assert answer.passages[0].source == "fog.md"
    assert generator.prompts == []


@pytest.mark.parametrize(
    "reply",
    [
        ABSTENTION, "Not in the documents.", "It is not in the documents", "", "[1]", "“Not in the documents”.",
        "The answer is not in the documents: they speak of soup.", "**Not in the documents.** They speak of soup.",
        "not in the documents [1].", NOT_IN_PASSAGES, "The provided passages do not mention the weight.",
        "Nicht in den Passagen.", "В отрывках не указано, сколько весит датчик.",
    ],
)  # fmt: skip
def test_a_generator_that_knows_nothing_abstains(fog: Project, reply: str) -> None:
    knowledge_base = fog.knowledge_base(generator=saying(reply))
    answer = knowledge_base.ask(WEIGHT)
    assert (answer.abstained, answer.text, answer.confidence) == (True, NOT_IN_PASSAGES, 0.0)
    assert "".join(knowledge_base.stream(WEIGHT)) == NOT_IN_PASSAGES
    assert answer.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    "reply",
    [
        "The sensor weighs 3.4 kg, its colour is not in the documents",
        "It is not in the documents folder; it is in the safe",
        "Not in the documents' folder.",
        "not in the document",
        "It is not in the",
    ],
)
def test_an_answer_that_mentions_the_documents_is_an_answer(fog: Project, reply: str) -> None:
    answer = fog.knowledge_base(generator=saying(reply)).ask(WEIGHT)
    assert (answer.abstained, answer.text) == (False, reply)


def test_an_empty_index_abstains(project: Project) -> None:
    answer = project.knowledge_base().ask(WEIGHT)
    assert (answer.abstained, answer.passages, answer.finish_reason) == (True, (), "nothing relevant")


@pytest.mark.parametrize("fusion", ["zscore", "rrf", "dense", "lexical"])
def test_every_fusion_leads_to_an_answer(fog: Project, fusion: str) -> None:
    answer = fog.knowledge_base(f"retrieval.fusion={fusion}").ask(WEIGHT)
    assert answer.text == "The fog sensor weighs 3.4 kg."


# Limits -----------------------------------------------------------------------------------------------------


def test_an_answer_that_was_cut_says_so(fog: Project) -> None:
    answer = fog.knowledge_base("prompt.max_tokens=3").ask(WEIGHT)
    assert (answer.text, answer.finish_reason) == ("The fog sensor", "length")
    assert answer.notes == (Note("The answer was cut at 3 tokens (prompt.max_tokens).", "answer_cut", {"n": 3}),)


def test_passages_that_did_not_fit_are_reported(fog: Project) -> None:
    fog.write({"long.txt": "The fog sensor weighs. " * 35}).ingest()
    answer = fog.knowledge_base("prompt.context_tokens=64").ask(WEIGHT)
    assert [dropped.passage.source for dropped in answer.dropped] == ["long.txt"]
    assert not any(passage.source == "long.txt" for passage in answer.passages)


def test_where_no_passage_fits_nothing_is_made_up(fog: Project) -> None:
    fog.write({"long.txt": "fog sensor weight. " * 60}).ingest()
    pipeline = fog.knowledge_base("prompt.context_tokens=64", "retrieval.k=1", generator=saying("Paris"))
    answer = pipeline.ask("fog sensor weight")
    assert [dropped.passage.source for dropped in answer.dropped] == ["long.txt"]
    assert (answer.abstained, answer.text) == (True, ABSTENTION)


@pytest.mark.parametrize("question", ["", "  ", "x" * 5000])
def test_a_question_that_is_none_is_refused(fog: Project, question: str) -> None:
    pipeline = fog.knowledge_base()
    for ask in (pipeline.ask, pipeline.stream):
        with pytest.raises(InputError):
            ask(question)


def test_a_question_too_long_for_the_model_is_refused(fog: Project) -> None:
    with pytest.raises(PromptTooLongError):
        fog.knowledge_base(generator=FakeCompleter(context_length=300)).ask("fog " * 200)


def test_a_note_of_retrieval_reaches_the_answer(fog: Project) -> None:
    answer = fog.knowledge_base().ask("fog sensor " * 150)
    assert len(answer.notes) == 1
    assert "302 tokens" in answer.notes[0].text


# Streams ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [WEIGHT, SOUP, MAST, "zzz qqq"])
def test_a_stream_ends_in_the_same_answer(fog: Project, question: str) -> None:
    pipeline = fog.knowledge_base()
    stream = pipeline.stream(question)
    pieces = list(stream)
    assert "".join(pieces) == stream.answer.text
    assert untimed(stream.answer) == untimed(pipeline.ask(question))


def test_a_stream_times_its_first_token(fog: Project) -> None:
    stream = fog.knowledge_base().stream(WEIGHT)
    pieces = list(stream)
    assert pieces == ["The fog", " sensor", " weighs", " 3.4", " kg."]  # "The" alone might yet say no
    assert 0 <= stream.answer.timings["first_token"] <= stream.answer.timings["generate"]


def test_the_answer_of_a_running_stream_is_not_to_be_had(fog: Project) -> None:
    stream = fog.knowledge_base().stream(WEIGHT)
    next(iter(stream))
    with pytest.raises(RuntimeError, match="running"):
        _ = stream.answer


def test_a_closed_stream_keeps_what_came(fog: Project) -> None:
    stream = fog.knowledge_base().stream(WEIGHT)
    pieces = iter(stream)
    came = "".join(next(pieces) for _ in range(3))
    stream.close()
    assert list(pieces) == []
    assert (stream.answer.text, stream.answer.finish_reason) == (came.strip(), "abort")
    assert came == "The fog sensor weighs"
    assert not stream.answer.abstained


def test_a_stream_closed_before_its_first_piece_is_no_abstention(fog: Project) -> None:
    stream = fog.knowledge_base("answers.min_confidence=0.5").stream(WEIGHT)
    stream.close()
    answer = stream.answer
    assert (answer.text, answer.abstained, answer.finish_reason, answer.confidence) == ("", False, "abort", 0.0)
    assert (answer.sentences, answer.citations) == ((), ())
    assert answer.passages


class _Cut(FakeCompleter):
    """Streams its reply in given pieces, white space and all."""

    def __init__(self, pieces: list[str]) -> None:
        super().__init__(lambda prompt: "".join(pieces))
        self._cut = pieces

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        return Completion("".join(self._cut), "stop", Usage(1, 1))

    def stream(self, prompt: Prompt, sampling: Sampling) -> Any:
        return _CutStream(self._cut, self._complete(prompt, sampling))


class _CutStream:
    def __init__(self, pieces: list[str], completion: Completion) -> None:
        self._pieces, self.completion = pieces, completion

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def close(self) -> None:
        pass


_PIECES = st.sampled_from(
    ["[", "]", "1", "[1]", "[7]", " [1, 2]", " ", "\n", ".", ",", "buffer", "The fog sensor", " weighs 3.4 kg", "not ",
     "in the ", "documents", "Not in the documents", "It is ", " folder", "[x", "\u00a0", "the", " answer is "]
)  # fmt: skip


@pytest.mark.slow
@given(pieces=st.lists(_PIECES, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_whatever_is_streamed_is_what_the_answer_says(fog: Project, pieces: list[str]) -> None:
    pipeline = fog.knowledge_base(generator=_Cut(pieces))
    stream = pipeline.stream(WEIGHT)
    streamed = "".join(stream)
    assert streamed == stream.answer.text
    assert untimed(stream.answer) == untimed(pipeline.ask(WEIGHT))


def test_a_stream_over_an_empty_index_says_so(project: Project) -> None:
    stream = project.knowledge_base().stream(WEIGHT)
    assert list(stream) == [ABSTENTION]
    stream.close()
    assert stream.answer.abstained


# Batches ----------------------------------------------------------------------------------------------------


def test_a_batch_keeps_the_order_of_its_questions(fog: Project) -> None:
    generator = FakeCompleter(echo)
    questions = [f"{about} number {n}?" for n in range(4) for about in ("fog sensor", "lentil soup", "мачта тумана")]
    answers = fog.knowledge_base(generator=generator).ask_batch(questions)
    assert [answer.question for answer in answers] == questions
    assert [answer.text for answer in answers] == questions
    assert [echo(prompt.text) for prompt in generator.prompts] != questions
    assert sorted(echo(prompt.text) for prompt in generator.prompts) == sorted(questions)


def test_questions_without_anything_relevant_do_not_shift_the_others(fog: Project) -> None:
    questions = ["zzz", SOUP, "qqq xxx", WEIGHT]
    answers = fog.knowledge_base("retrieval.min_relevance=0.2").ask_batch(questions)
    assert [answer.abstained for answer in answers] == [True, False, True, False]
    assert [answer.question for answer in answers] == questions


def test_a_batch_equals_its_questions_one_by_one(fog: Project) -> None:
    pipeline = fog.knowledge_base()
    questions = [SOUP, WEIGHT, MAST, SOUP]
    assert [untimed(a) for a in pipeline.ask_batch(questions)] == [untimed(pipeline.ask(q)) for q in questions]


def test_a_batch_of_nothing_is_nothing(fog: Project) -> None:
    assert fog.knowledge_base().ask_batch([]) == []


def test_a_filter_limits_what_is_answered_from(fog: Project) -> None:
    answer = fog.knowledge_base().ask(SOUP, filter=Filter(sources=("*.md",)))
    assert {passage.source for passage in answer.passages} == {"fog.md"}
    assert "soup" not in answer.text
