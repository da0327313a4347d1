"""What a question asks for: the features, the bundled weights, and the kind in an answer's record."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rag
from rag.answering import question_kinds
from rag.answering.question_kinds import KINDS, KindGuess, QuestionClassifier, hashed_features, load_weights
from rag.config import load_config
from rag.embedding.base import Embedder
from rag.errors import ModelError
from rag.model_pool import ModelPool

QUESTIONS = {
    "How many seats does the hall have?": "number",
    "Who signed the lease?": "person",
    "Where is the archive?": "place",
    "When does the contract end?": "date",
    "What does demurrage mean?": "definition",
    "How do I reset my password?": "procedure",
    "Why was the meeting postponed?": "reason",
    "List the members of the board.": "list",
    "Can I bring my dog to the office?": "yes_no",
    "Which is cheaper, plan A or plan B?": "comparison",
    "What is the total price of all orders?": "calculation",
    "Summarise the annual report.": "summary",
    "What documents do you have?": "collection",
    "hello": "small_talk",
    "Привет!": "small_talk",
    "Какие документы у тебя есть?": "collection",
    "Когда заканчивается договор?": "date",
    "Сделай краткое содержание отчёта.": "summary",
    "Welche Dokumente hast du?": "collection",
    "Fasse den Bericht zusammen.": "summary",
}


@pytest.fixture(scope="module")
def classifier(minilm: Embedder) -> QuestionClassifier:
    return QuestionClassifier(load_weights(), minilm.embed_queries)


@given(st.text(max_size=60))
def test_features_are_fixed_and_of_length_one_by_group(text: str) -> None:
    buckets, values = hashed_features(text, 64)
    again, same = hashed_features(text, 64)
    assert buckets.tolist() == again.tolist() and values.tolist() == same.tolist()
    assert len(set(buckets.tolist())) == len(buckets)
    assert all(0 <= bucket < 64 for bucket in buckets.tolist())


def test_capitals_and_digits_make_no_difference() -> None:
    one, other = hashed_features("Invoice 4471"), hashed_features("invoice 12")
    assert one[0].tolist() == other[0].tolist()
    assert hashed_features("")[0].tolist() == []


def test_plain_questions_have_their_kinds(classifier: QuestionClassifier) -> None:
    guessed = [guess.kind for guess in classifier.classify(list(QUESTIONS))]
    assert dict(zip(QUESTIONS, guessed, strict=True)) == QUESTIONS


@pytest.mark.parametrize(
    "question",
    [
        "Hi, when does the library open?",
        "Thanks. And who signed it?",
        "help desk phone number",
        "Which documents mention parking?",
        "How many documents must I hand in for the visa?",
        "Thank you letter to Anna Keller",
        "invoice 3312",
        "Здравствуйте! Сколько стоит билет?",
        "¿Dónde está la oficina?",
        "Quelle est la durée du contrat ?",
    ],
)
def test_real_questions_are_no_small_talk(classifier: QuestionClassifier, question: str) -> None:
    (guess,) = classifier.classify([question])
    assert guess.kind not in ("small_talk", "collection", "summary")


def test_a_guess_is_the_same_alone_and_in_a_batch(classifier: QuestionClassifier) -> None:
    together = classifier.classify(list(QUESTIONS))
    alone = [classifier.classify([question])[0] for question in QUESTIONS]
    assert [guess.kind for guess in together] == [guess.kind for guess in alone]
    assert classifier.classify([]) == []


def test_an_unsure_guess_of_small_talk_becomes_the_next_kind(classifier: QuestionClassifier) -> None:
    row = np.full(len(KINDS), 0.0, dtype=np.float32)
    row[KINDS.index("small_talk")], row[KINDS.index("date")] = 0.7, 0.3
    assert classifier.choose(row) == KindGuess("date", 0.3)
    row[KINDS.index("small_talk")], row[KINDS.index("date")] = 0.9, 0.1
    assert classifier.choose(row).kind == "small_talk"


def test_a_question_takes_little_time(classifier: QuestionClassifier) -> None:
    classifier.classify(["warm"])
    seconds = []
    for question in list(QUESTIONS)[:10]:
        started = time.perf_counter()
        classifier.classify([question])
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.05  # 15 ms on an idle machine; others may run here


def test_damaged_weights_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "question_kinds.safetensors"
    damaged.write_bytes(question_kinds.WEIGHTS.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(question_kinds, "WEIGHTS", damaged)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_weights.__wrapped__()


def test_questions_are_classified_unless_turned_off() -> None:
    pool = ModelPool()
    assert pool.question_classifier(load_config("test").config) is None
    assert pool.question_classifier(load_config("cpu", ["answers.question_kinds=off"]).config) is None
    assert pool.question_classifier(load_config("test", ["answers.question_kinds=on"]).config) is not None


def test_an_answer_carries_the_kind_of_its_question(tmp_path: Path) -> None:
    (tmp_path / "lease.md").write_text("# Lease\n\nThe lease ends on 3 May 2027. The rent is 400 euros.\n")
    with rag.open(tmp_path / ".rag", config="test", settings=["answers.question_kinds=on"]) as kb:
        kb.ingest(tmp_path / "lease.md")
        batch = kb.ask_batch(["When does the lease end?", "What is the price of the lease?"])
        assert [answer.kind for answer in batch] == ["date", "number"]
        assert kb.ask("When does the lease end?").kind == "date"
        stream = kb.stream("When does the lease end?")
        assert "".join(stream)
        assert (stream.retrieved.kind, stream.answer.kind) == ("date", "date")
    with rag.open(tmp_path / ".rag", config="test") as kb:
        assert kb.ask("When does the lease end?").kind == ""
