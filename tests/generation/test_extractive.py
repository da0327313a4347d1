"""The extractive generator over a scorer that is told what to find: choosing, merging, confidence, citations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.answerer import AnswererSettings, ExtractingAnswerer
from rag.config import load_config
from rag.extractive_qa.engine import SpanEngine
from rag.extractive_qa.record import Calibration, Combination, ReaderRecord, Signals
from rag.extractive_qa.scorer import WindowScores
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Pair, Window, Windower
from rag.factory import make_answerer
from rag.generation.base import Evidence, Extraction, ExtractionTask, PassageText
from rag.generation.extractive import SpanExtractor
from rag.models.resolve import resolve_model
from rag.retrieval.retriever import Retrieved
from rag.types import Passage, QuestionKind, Usage

QUESTION = "Which number rings the night desk?"
RECORD = ReaderRecord(calibration=Calibration(margin=0.5, bias=-2.0, threshold=0.4))


class ToldScorer:
    """Gives the span of each wanted text its logit, and a passage its relevance; counts the windows it saw."""

    def __init__(
        self, tokenizer: Any, wanted: Mapping[str, float], relevance: Mapping[str, float] | None = None
    ) -> None:
        self._ids = {tuple(tokenizer(text, add_special_tokens=False)["input_ids"]): z for text, z in wanted.items()}
        marks = (relevance or {}).items()
        self._relevance = {tuple(tokenizer(t, add_special_tokens=False)["input_ids"]): z for t, z in marks}
        self.windows = 0

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        self.windows += len(windows)
        return [self._score(window) for window in windows]

    def _score(self, window: Window) -> WindowScores:
        start = np.full(len(window.ids), -20.0, dtype=np.float32)
        end = start.copy()
        start[0] = end[0] = 0.0
        for ids, logit in self._ids.items():
            for place in _places(window, ids):
                start[place], end[place + len(ids) - 1] = logit / 2, logit / 2
        told = [z for ids, z in self._relevance.items() if _places(window, ids)]
        return WindowScores(start, end, max(told, default=0.0))


def _places(window: Window, ids: tuple[int, ...]) -> list[int]:
    return [n for n in range(window.first, window.last - len(ids) + 1) if window.ids[n : n + len(ids)] == ids]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(resolve_model("bundled:minilm").path, "bundled:minilm")


def generator(tokenizer: Any, wanted: Mapping[str, float], **kind: Any) -> SpanExtractor:
    record = kind.pop("record", RECORD)
    return SpanExtractor(SpanEngine(Windower(tokenizer, record.window), ToldScorer(tokenizer, wanted, **kind), record))


def shown(*texts: str, scores: Sequence[float] | None = None) -> tuple[PassageText, ...]:
    given_scores = scores or [0.0] * len(texts)
    return tuple(
        PassageText(text, f"{n}.md", 100 * n, z) for n, (text, z) in enumerate(zip(texts, given_scores, strict=True))
    )


def complete(made: SpanExtractor, *texts: str, scores: Sequence[float] | None = None) -> Extraction:
    return made.extract([ExtractionTask(QUESTION, shown(*texts, scores=scores))])[0]


def test_the_best_span_is_the_answer_and_its_place_the_evidence(tokenizer: Any) -> None:
    made = complete(generator(tokenizer, {"288": 9.0, "31": 3.0}), "Dial 31 by day.", "At night dial 288, please.")
    assert made.text == "288"
    assert made.evidence == (Evidence(1, 14, 17),)
    assert made.signals is not None
    assert (made.signals.score, made.signals.margin) == pytest.approx((9.0, 9.0))
    assert made.signals.lead == pytest.approx(6.0)
    assert made.confidence == pytest.approx(1 / (1 + np.exp(-2.5)))
    assert made.usage.prompt_tokens > 10


def test_relevance_and_retrieval_decide_between_equal_spans(tokenizer: Any) -> None:
    wanted = {"288": 5.0, "31": 5.0}
    by_relevance = generator(tokenizer, wanted, relevance={"by day": 2.0})
    assert complete(by_relevance, "At night dial 288.", "Dial 31 by day.").text == "31"
    by_retrieval = generator(tokenizer, wanted)
    assert complete(by_retrieval, "At night dial 288.", "Dial 31 by day.", scores=[1.0, 3.0]).text == "31"


def test_equal_answers_of_several_places_add_up(tokenizer: Any) -> None:
    wanted = {"288": 5.0, "31": 5.4}
    texts = ("Dial 31.", "Dial 288.", "Or 288!", "Yes, 288")
    merging = replace(RECORD, combination=Combination(merge=1.0))
    made = complete(generator(tokenizer, wanted, record=merging), *texts)
    assert made.text == "288"
    assert [evidence.passage for evidence in made.evidence] == [1, 2, 3]
    alone = replace(RECORD, combination=Combination(merge=0.0))
    assert complete(generator(tokenizer, wanted, record=alone), *texts).text == "31"


def test_a_place_that_two_overlapping_passages_show_counts_once(tokenizer: Any) -> None:
    merging = replace(RECORD, combination=Combination(merge=1.0))
    made = generator(tokenizer, {"288": 5.0}, record=merging)
    twice = (PassageText("Dial 288 now.", "a.md", 50, 0.0), PassageText("288 now.", "a.md", 55, 0.0))
    told = made.extract([ExtractionTask(QUESTION, twice)])[0]
    assert len(told.evidence) == 1
    assert told.signals is not None
    assert told.signals.score == pytest.approx(5.0)


def test_nothing_to_read_is_no_answer(tokenizer: Any) -> None:
    made = generator(tokenizer, {"288": 5.0})
    for passages in ((), shown(""), shown("   \n")):
        told = made.extract([ExtractionTask(QUESTION, passages)])[0]
        assert (told.text, told.confidence, told.evidence) == ("", 0.0, ())


def test_single_and_batched_agree(tokenizer: Any) -> None:
    made = generator(tokenizer, {"288": 5.0, "31": 4.0})
    prompts = [ExtractionTask(QUESTION, shown(text)) for text in ("Dial 288.", "Dial 31.", "", "288 and 31")]
    batch = made.extract(prompts)
    for prompt, whole in zip(prompts, batch, strict=True):
        assert replace(made.extract([prompt])[0], seconds=0.0) == replace(whole, seconds=0.0)
    assert [completion.text for completion in batch] == ["288", "31", "", "288"]


def test_a_pair_is_read_once(tokenizer: Any) -> None:
    scorer = ToldScorer(tokenizer, {"288": 5.0})
    engine = SpanEngine(Windower(tokenizer, RECORD.window), scorer, RECORD)
    engine.read([Pair(QUESTION, "Dial 288."), Pair(QUESTION, "Dial 288.")])
    assert engine.read([Pair(QUESTION, "Dial 288.")])[0].spans[0].margin == pytest.approx(5.0)
    assert scorer.windows == 1


def test_a_reader_of_latin_script_selects_sentences_in_another(tokenizer: Any) -> None:
    made = generator(tokenizer, {"288": 9.0}, record=replace(RECORD, latin_only=True))
    silent = made.extract([ExtractionTask("Какой номер ночью?", shown("Dial 288."))])[0]
    assert (silent.text, silent.confidence, silent.finish_reason) == ("", 0.0, "unknown script")
    tasks = [
        ExtractionTask(q, shown("Dial 288.", "Ночной номер мастерской — 17.")) for q in ("Ночной номер?", QUESTION)
    ]
    selected, marked = made.extract(tasks)
    assert selected.text == "Ночной номер мастерской — 17."
    assert [note.kind for note in selected.notes] == ["chosen_by_words"]
    assert (marked.text, marked.notes) == ("288", ())
    assert complete(made, "Dial 288.").text == "288"
    anywhere = generator(tokenizer, {"288": 9.0})
    assert anywhere.extract([ExtractionTask("Какой?", shown("Dial 288."))])[0].text == "288"


def test_a_long_question_is_cut_and_that_is_said(tokenizer: Any) -> None:
    made = generator(tokenizer, {"288": 5.0})
    told = made.extract([ExtractionTask("why " * 100, shown("Dial 288."))])[0]
    assert told.text == "288"
    assert any("first 64 tokens" in note.text for note in told.notes)


signals = st.tuples(
    st.floats(0, 1e9), st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 1), st.floats(0, 1), st.sampled_from((0, 1))
)


@given(signals, signals)
def test_confidence_is_a_chance_that_grows_with_each_signal(a: Any, b: Any) -> None:
    calibration = Calibration(
        lead=0.3, margin=0.7, relevance=0.2, coverage=2.0, local=1.0, row=0.5, bias=-1.0, kinds={"reason": 0.5}
    )
    low, high = (Signals(0.0, *map(pick, a, b)) for pick in (min, max))
    assert 0.0 <= calibration.confidence(low) <= calibration.confidence(high) <= 1.0
    assert calibration.confidence(low) == calibration.confidence(low, "date") <= calibration.confidence(low, "reason")


def test_the_words_around_a_span_decide_between_equal_spans(tokenizer: Any) -> None:
    record = replace(RECORD, combination=replace(RECORD.combination, local=3.0))
    made = generator(tokenizer, {"288": 5.0, "31": 5.0}, record=record)
    found = complete(made, "At noon dial 31. It is loud.", "The number of the night desk is 288.")
    assert found.text == "288"
    assert found.signals is not None
    assert (found.signals.local, found.signals.coverage, found.signals.row) == pytest.approx((0.75, 0.75, 0), abs=0.2)


def test_a_prominent_passage_makes_its_answer_surer(tokenizer: Any) -> None:
    record = replace(
        RECORD,
        combination=replace(RECORD.combination, rerank_margin=0.1),
        calibration=Calibration(margin=0.0, passage=1.0, bias=-2.0),
        given=Calibration(margin=0.0, bias=0.5),
    )
    made = generator(tokenizer, {"288": 5.0}, record=record)

    def told(prominence: float | None) -> Extraction:
        text = PassageText("At night dial 288.", "a.md", 0, 9.0, "", prominence)
        return made.extract([ExtractionTask(QUESTION, (text,))])[0]

    weak, strong, given = told(0.5), told(3.0), told(None)
    assert weak.signals is not None and strong.signals is not None and given.signals is not None
    assert (weak.signals.passage, strong.signals.passage) == pytest.approx((1.0, 3.5))
    assert (weak.confidence, strong.confidence) == pytest.approx((1 / (1 + np.exp(1.0)), 1 / (1 + np.exp(-1.5))))
    assert given.signals.passage is None
    assert given.confidence == pytest.approx(1 / (1 + np.exp(-0.5)))  # a passage that was not retrieved


def test_a_span_in_a_table_row_is_known(tokenizer: Any) -> None:
    found = complete(generator(tokenizer, {"288": 5.0}), "| Desk | Number |\n| --- | --- |\n| night | 288 |")
    assert found.signals is not None
    assert found.signals.row == 1


# --- through the reader


def passage(number: int, text: str, start: int = 0) -> Passage:
    return Passage(number, f"{number}.md", "Desk", 3, ("Desk",), start, start + len(text), text, 1.0 / number)


def read(made: SpanExtractor, *passages: Passage, least: float = 0.4, kind: QuestionKind = "") -> Any:
    answerer = ExtractingAnswerer(made, AnswererSettings(min_confidence=least))
    return answerer.answer_batch([Retrieved(QUESTION, passages, 0.9, 7, kind=kind)])[0]


def test_the_kind_of_the_question_decides_how_much_is_quoted(tokenizer: Any) -> None:
    steps = passage(1, "At night:\n\n1. Take the horn.\n2. Dial 288. Then wait.\n\nThe desk is shut.")
    made = generator(tokenizer, {"288": 9.0})
    assert read(made, steps, kind="number").text == "Dial 288."
    whole = read(made, steps, kind="procedure")
    assert whole.text == "At night:\n1. Take the horn.\n2. Dial 288. Then wait."
    assert whole.text[whole.short_start : whole.short_start + 3] == whole.short == "288"
    assert whole.citations[0].quote == "288"


def test_a_yes_no_question_gets_the_word_before_the_sentence(tokenizer: Any) -> None:
    answerer = ExtractingAnswerer(generator(tokenizer, {"288": 9.0}), AnswererSettings())
    asked = Retrieved("Can I dial 288?", (passage(1, "You must not dial 288."),), 0.9, 7, kind="yes_no")
    (answer,) = answerer.answer_batch([asked])
    assert (answer.text, answer.short, answer.citations[0].quote) == ("No. You must not dial 288.", "No", "288")
    (plain,) = answerer.answer_batch([replace(asked, kind="")])
    assert (plain.text, plain.short) == ("You must not dial 288.", "288")


@pytest.mark.parametrize("kind", ["calculation", "comparison"])
def test_what_must_be_calculated_gets_the_rows(kind: QuestionKind, tokenizer: Any) -> None:
    table = passage(1, "| Desk | Number |\n| --- | --- |\n| day | 31 |\n| night | 288 |")
    answer = read(generator(tokenizer, {"288": 9.0}), table, kind=kind)
    assert (answer.abstained, answer.finish_reason, answer.short) == (True, "not calculated", "")
    assert answer.text.split("\n") == [
        "The extractive model does not calculate or compare. Rows of Desk:",
        "- Desk: night; Number: 288",
    ]
    prose = read(generator(tokenizer, {"288": 9.0}), passage(1, "Dial 288."), kind=kind)
    assert (prose.abstained, prose.text) == (True, "The extractive model does not calculate or compare.")


def test_the_citation_is_the_span_with_its_sentence_around(tokenizer: Any) -> None:
    text = "The desk is shut. At night, dial 288 [1] and wait. Then go home."
    answer = read(generator(tokenizer, {"288": 9.0}), passage(1, text, start=1000))
    assert answer.text == "At night, dial 288 [1] and wait."
    assert answer.text[answer.short_start : answer.short_start + 3] == answer.short == "288"
    assert not answer.abstained
    (citation,) = answer.citations
    assert (citation.start, citation.end, citation.quote) == (1033, 1036, "288")
    assert citation.around == "At night, dial 288 [1] and wait."
    assert citation.passage.page == 3
    assert answer.sentences[0].supported
    assert answer.confidence == pytest.approx(answer.sentences[0].support, abs=1e-4)


def test_a_marked_text_is_shown_as_it_stands(tokenizer: Any) -> None:
    """What would be a source number in a model's own words is part of the document here."""
    answer = read(generator(tokenizer, {"288 [1]": 9.0}), passage(1, "Dial 288 [1]."))
    assert (answer.text, answer.short) == ("Dial 288 [1].", "288 [1]")
    quoted = read(generator(tokenizer, {"not in the documents": 9.0}), passage(1, "It says: not in the documents."))
    assert (quoted.text, quoted.short) == ("It says: not in the documents.", "not in the documents")
    assert not quoted.abstained


def test_too_little_confidence_is_an_abstention(tokenizer: Any) -> None:
    made = generator(tokenizer, {"288": 2.0})
    answer = read(made, passage(1, "Dial 288."))
    assert answer.abstained
    assert answer.finish_reason == "low confidence"
    assert not answer.citations
    assert (answer.short, answer.essence) == ("", "not in the documents")
    assert read(made, passage(1, "Dial 288."), least=0.0).text == "Dial 288."


def test_an_extractor_that_is_not_sure_does_not_speak_for_the_documents(tokenizer: Any) -> None:
    answerer = make_answerer(load_config("cpu").config, generator(tokenizer, {"288": 2.0}))
    (unsure,) = answerer.answer_batch([Retrieved(QUESTION, (passage(1, "Dial 288."),), 0.9, 7)])
    assert (unsure.abstained, unsure.text) == (True, "No sure answer.")
    (nothing,) = answerer.answer_batch([Retrieved(QUESTION, (), 0.0, 7)])
    assert (nothing.abstained, nothing.text) == (True, "not in the documents")


@pytest.mark.parametrize(("least", "shown_text"), [(0.4, "not in the documents"), (0.0, "Dial 288.")])
def test_a_stream_shows_what_the_answer_says(tokenizer: Any, least: float, shown_text: str) -> None:
    answerer = ExtractingAnswerer(generator(tokenizer, {"288": 2.0}), AnswererSettings(min_confidence=least))
    stream = answerer.stream(Retrieved(QUESTION, (passage(1, "Dial 288."),), 0.9, 7))
    assert "".join(stream) == shown_text
    assert stream.answer.text == shown_text
    assert stream.answer.timings["first_token"] >= 0


def test_usage_and_generation_are_told(tokenizer: Any) -> None:
    answer = read(generator(tokenizer, {"288": 9.0}), passage(1, "Dial 288."))
    assert answer.usage == Usage(prompt_tokens=answer.usage.prompt_tokens)
    assert answer.usage.prompt_tokens > 0
    assert answer.generation == 7


def test_a_reader_that_never_saw_titles_gets_none(tokenizer: Any) -> None:
    for reads_context in (False, True):
        engine = generator(tokenizer, {"288": 5.0}, record=replace(RECORD, reads_context=reads_context)).engine
        tokens = [engine.read([Pair(QUESTION, "Dial 288.", title)])[0].tokens for title in ("", "Night desk > Phone")]
        assert (tokens[1] > tokens[0]) == reads_context
