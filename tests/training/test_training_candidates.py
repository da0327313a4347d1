"""A reranker's data: what a passage holds and what it must not, what is held back, and what is kept away from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_samples import write_squad

from indexes.store.rows import Float32
from rag.errors import InputError
from rag.training.config import RerankerConfig
from rag.training.data.candidates import Candidates, as_corpus, candidates, gather_candidates
from rag.training.data.corpus import Corpus, Example, Question
from rag.training.data.hard_negatives import hard_sentences
from rag.training.data.passages import PassageSettings
from rag.training.data.sources import TrainingData

# Few words, so that sentences repeat and hold one another.
sentences = st.lists(st.sampled_from(("Ann", "Bo", "saw", "x.")), min_size=1, max_size=3).map(" ".join)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Corpus, list[list[int]]]:
    texts = draw(st.lists(sentences, min_size=1, max_size=14))
    owners = sorted(draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts))))
    numbers = st.integers(0, len(texts) - 1)
    asked = [Question(f"q{n}", f"question {n}?", draw(numbers)) for n in range(draw(st.integers(1, 6)))]
    return Corpus("c", tuple(texts), tuple(owners), tuple(asked)), [draw(st.lists(numbers, max_size=8)) for _ in asked]


settings = st.builds(
    PassageSettings, sentences=st.integers(1, 6), alone=st.sampled_from((0.0, 0.3, 1.0)), reach=st.integers(0, 4)
)


@given(made=corpora(), drawn=settings, seed=st.integers(0, 99), count=st.integers(1, 6), passes=st.integers(1, 2))
def test_the_first_passage_holds_the_sentence_and_no_other_does(
    made: tuple[Corpus, list[list[int]]], drawn: PassageSettings, seed: int, count: int, passes: int
) -> None:
    corpus, hard = made
    said = {q.id: corpus.sentences[q.sentence] for q in corpus.questions}
    found = list(candidates(corpus, hard, drawn, seed=seed, count=count, passes=passes))
    for each in found:
        own, *others = each.passages
        sentence = said[each.id.partition("/")[0]]
        assert sentence in own
        assert 1 <= len(others) <= count
        assert all(other.strip() == other and other and sentence not in other for other in others)
        assert len(set(others)) == len(others)
    assert found == list(candidates(corpus, hard, drawn, seed=seed, count=count, passes=passes))


words = st.text(st.sampled_from("abc"), min_size=1, max_size=4)
written = st.lists(words, min_size=2, max_size=5).map(lambda parts: f"The {' '.join(parts)} stands here.")


@given(contexts=st.lists(st.lists(written, min_size=1, max_size=4), min_size=1, max_size=3), data=st.data())
def test_a_squad_question_is_about_the_sentence_in_which_its_answer_begins(
    contexts: list[list[str]], data: st.DataObject
) -> None:
    examples = []
    for n, parts in enumerate(contexts):
        context = " ".join(parts)
        begin = data.draw(st.integers(0, len(context) - 1).filter(lambda at, text=context: text[at] != " "))
        examples.append(Example(f"q{n}", "Which?", context, ((begin, begin + 1),)))
    corpus = as_corpus(examples, "a.json")
    assert len(corpus.questions) == len(examples)
    for question, example in zip(corpus.questions, examples, strict=True):
        sentence = corpus.sentences[question.sentence]
        begin, end = example.answers[0]
        places = [at for at in range(len(example.context)) if example.context.startswith(sentence, at)]
        assert any(at <= begin < end <= at + len(sentence) for at in places)
    order = [corpus.paragraphs[q.sentence] for q in corpus.questions]
    distinct = list(dict.fromkeys(e.context for e in examples))
    assert order == [distinct.index(e.context) for e in examples]


def test_a_squad_question_without_an_answer_is_left_out_and_counted() -> None:
    asked = [Example("a", "Who?", "Ann saw Bo.", ((0, 3),)), Example("b", "Who?", "Ann saw Bo.", ())]
    corpus = as_corpus(asked, "a.json")
    assert [q.id for q in corpus.questions] == ["a"]
    assert corpus.notes == ("1 question of a.json has no answer: left out",)


def write_pairs(folder: Path, count: int = 40, name: str = "pairs") -> dict[str, Any]:
    paths = folder / f"{name}-s.txt", folder / f"{name}-q.txt"
    paths[0].write_text("".join(f"animal{n} eats food{n % 8} .\n" for n in range(count)), encoding="utf-8")
    paths[1].write_text("".join(f"what food{n % 8} has animal{n} ?\n" for n in range(count)), encoding="utf-8")
    return {"kind": "pairs", "sentences": paths[0], "questions": paths[1]}


def write_qamr(folder: Path) -> dict[str, Any]:
    paths = folder / "sentences.tsv", folder / "questions.tsv"
    paths[0].write_text("".join(f"W:w:1:{n}:0\tPerson{n} was born in Oslo .\n" for n in range(12)), encoding="utf-8")
    rows = "".join(f"W:w:1:{n}:0\t0\t1\t0\t0\tWhere was person {n} born?\t4\t1:4\t2:4\n" for n in range(12))
    paths[1].write_text(rows, encoding="utf-8")
    return {"kind": "qamr", "sentences": paths[0], "questions": [paths[1]]}


def gathered(*train: dict[str, Any], **changes: Any) -> TrainingData[Candidates]:
    config = {"output": "out", "hard_negatives": ["lexical"], "dev_share": 0.25, **changes, "train": list(train)}
    return gather_candidates(RerankerConfig.model_validate(config), embed=None)


def asked(data: Sequence[Any]) -> set[str]:
    return {c.question for c in data}


def test_every_source_gives_its_questions(tmp_path: Path) -> None:
    squad = {"kind": "squad", "path": write_squad(tmp_path / "a.json", 20)}
    dev = {"kind": "squad", "path": write_squad(tmp_path / "b.json", 10)}
    data = gathered(write_pairs(tmp_path), {**write_qamr(tmp_path), "passes": 2}, squad, dev=dev, negatives=3)
    assert len(data.train) == 40 + 2 * 12 + 16
    assert len(data.dev) == 8
    assert "4 questions of a.json have no answer: left out" in data.notes
    assert all(2 <= len(c.passages) <= 4 for c in data.train)


def test_what_is_watched_has_all_its_candidates_and_is_not_asked_in_training(tmp_path: Path) -> None:
    data = gathered(write_pairs(tmp_path), negatives=2, candidates=4)
    assert asked(data.train).isdisjoint(asked(data.dev))
    assert len(asked(data.train) | asked(data.dev)) == 40
    assert max(len(c.passages) for c in data.train) == 3
    assert max(len(c.passages) for c in data.dev) == 4
    assert len(gathered(write_pairs(tmp_path), dev_limit=1).dev) == 1


def test_a_seed_decides_it_all(tmp_path: Path) -> None:
    source = {**write_pairs(tmp_path), "share": 0.6, "passes": 2}
    one, two, other = (gathered(source, training={"seed": seed}) for seed in (3, 3, 4))
    assert one == two
    assert one.train != other.train and one.dev != other.dev


def test_no_passage_of_a_squad_questions_own_paragraph_is_a_wrong_one(tmp_path: Path) -> None:
    # The second sentence answers the question too.
    context = "Ann was born in Oslo. It rained. It snowed. It hailed. It froze. Oslo is where Ann was born."
    others = [f"Bo number {n} was born in Rome. He was born there." for n in range(5)]
    paragraphs = [
        {"context": c, "qas": [{"id": c, "question": "Where was Ann born?",
            "answers": [{"text": c.split()[4], "answer_start": c.index(c.split()[4])}]}]}
        for c in [context, *others]
    ]  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    source = {"kind": "squad", "path": path, "passes": 8}
    data = gathered(source, dev=source)
    own = [c for c in data.train if c.id.startswith(context)]
    assert len(own) == 8
    assert all("Ann" not in other and "Oslo" not in other for c in own for other in c.passages[1:])


def test_passages_and_questions_of_held_out_files_are_left_out(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    long = "animal3 eats food3 . and this is a sentence of a good many words that nobody would write twice ."
    lines = pairs["sentences"].read_text(encoding="utf-8").splitlines()
    lines[3] = long
    pairs["sentences"].write_text("\n".join(lines), encoding="utf-8")
    never = tmp_path / "never.json"
    shown = "Before it: and this is a sentence of a good many words that nobody would write twice."
    qas = [{"id": "1", "question": "What food7 has animal7?", "answers": []}]
    never.write_text(json.dumps({"data": [{"paragraphs": [{"context": shown, "qas": qas}]}]}), encoding="utf-8")
    data = gathered(pairs, never=[never])
    every = [*data.train, *data.dev]
    assert asked(every).isdisjoint({"what food7 has animal7?", "what food3 has animal3?"})
    assert {"what food5 has animal5?", "what food2 has animal10?"} <= asked(every)
    assert not any("nobody would write" in passage for c in every for passage in c.passages)
    assert any("never.json: left out" in note for note in data.notes)


def test_nothing_to_train_on_or_to_watch_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no training example is left - 1 question of pairs finds no other passage"):
        gathered(write_pairs(tmp_path, 1), dev_share=0.01)
    with pytest.raises(InputError, match="no example to watch"):
        gathered(write_pairs(tmp_path, 10), dev_share=0.0001)


def test_negatives_are_looked_for_in_the_ways_that_are_named(tmp_path: Path) -> None:
    def embed(texts: Sequence[str]) -> Float32:
        """Take every question for the first sentence."""
        return np.array([[1, 0] if "what" in t or "animal0 " in t else [0, 1] for t in texts], dtype=np.float32)

    config = {"output": "out", "dev_share": 0.25, "negatives": 1, "candidates": 2}
    config["train"] = [{**write_pairs(tmp_path), "passages": {"sentences": 1}}]

    def found(*ways: str) -> TrainingData[Candidates]:
        return gather_candidates(RerankerConfig.model_validate({**config, "hard_negatives": ways}), embed=embed)

    def nearest(data: TrainingData[Candidates]) -> float:
        return sum("animal0 " in c.passages[1] for c in data.train) / len(data.train)

    assert nearest(found("lexical")) < nearest(found("dense"))
    assert hard_sentences(["animal0 eats", "animal1 eats"], ["what eats"], embed, count=1, lexical=False) == [[0]]
    assert hard_sentences(["a"], ["a"], None, lexical=False) == [[]]
    with pytest.raises(ValueError, match="hard_negatives"):
        found()
