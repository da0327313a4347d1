"""From a training file to examples: what is held back, what is kept away from, and that a seed decides it all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_samples import write_squad

from indexes.store.rows import Float32
from rag.errors import InputError
from rag.training.config import ReaderConfig
from rag.training.data.corpus import Corpus, Question
from rag.training.data.hard_negatives import hard_sentences
from rag.training.data.sources import TrainingData, gather, hold_back

TOWNS = ("Oslo", "Rome", "Bern", "Paris", "Lima", "Cairo", "Delhi", "Quito")


def write_qamr(folder: Path, sentences: int = 40, each: int = 3) -> dict[str, Any]:
    paths = folder / "sentences.tsv", folder / "questions.tsv"
    texts = [f"Person{n} was born in {TOWNS[n % 8]} ." for n in range(sentences)]
    paths[0].write_text("".join(f"W:w:1:{n // 5}:{n % 5}\t{text}\n" for n, text in enumerate(texts)), encoding="utf-8")
    rows = [
        f"W:w:1:{n // 5}:{n % 5}\t0\t1\t0\t0\tWhere was person {n} born, {k}?\t4\t1:4\t2:4\n"
        for n in range(sentences)
        for k in range(each)
    ]
    paths[1].write_text("".join(rows), encoding="utf-8")
    return {"kind": "qamr", "sentences": paths[0], "questions": [paths[1]]}


def write_pairs(folder: Path, count: int = 30) -> dict[str, Any]:
    paths = folder / "sentences.txt", folder / "questions.txt"
    paths[0].write_text("".join(f"animal{n} eats leaves .\n" for n in range(count)), encoding="utf-8")
    paths[1].write_text("".join(f"what eats animal {n} ?\n" for n in range(count)), encoding="utf-8")
    return {"kind": "pairs", "sentences": paths[0], "questions": paths[1], "teacher": "t"}


def first_word(name: str, corpus: Corpus, keep: float) -> Corpus:
    """A teacher that marks the first word of every sentence, of as many questions as it may."""
    assert name == "t"
    kept = round(keep * len(corpus.questions))
    ends = [corpus.sentences[q.sentence].index(" ") for q in corpus.questions]
    marked = (replace(q, answers=((0, ends[n]),) if n < kept else ()) for n, q in enumerate(corpus.questions))
    return replace(corpus, questions=tuple(marked), notes=(*corpus.notes, f"marked {kept}"))


def gathered(*train: dict[str, Any], embed: Any = None, **changes: Any) -> TrainingData:
    config = {"output": "out", "hard_negatives": [], "dev_share": 0.2, **changes, "train": list(train)}
    return gather(ReaderConfig.model_validate(config), embed=embed, label=first_word)


def test_every_source_gives_its_examples(tmp_path: Path) -> None:
    qamr, pairs = write_qamr(tmp_path), write_pairs(tmp_path)
    squad = {"kind": "squad", "path": write_squad(tmp_path / "a.json", 10)}
    dev = {"kind": "squad", "path": write_squad(tmp_path / "b.json", 6)}
    data = gathered(qamr, {**pairs, "keep": 0.5, "passes": 2}, squad, dev=dev)
    assert len(data.train) == 120 + 2 * 15 + 10  # all are trained on where there is a file to watch
    assert len(data.dev) == 6
    assert data.notes == ("marked 15",)
    answers = {e.context[a:b] for e in data.train[:120] for a, b in e.answers}
    assert answers == set(TOWNS)
    assert all(e.context[a:b].startswith("animal") for e in data.train[120:150] for a, b in e.answers)


def write_tables(folder: Path) -> dict[str, Any]:
    paths = folder / "questions.jsonl", folder / "tables.jsonl"
    rows = [["Town", "River"], *([town, f"River {town[:2]}"] for town in TOWNS)]
    questions = [{"id": t, "question": f"river of {t}?", "table": "t", "answers": [f"River {t[:2]}"]} for t in TOWNS]
    paths[0].write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")
    paths[1].write_text(json.dumps({"table": "t", "rows": rows}), encoding="utf-8")
    return {"kind": "tables", "questions": paths[0], "tables": paths[1]}


def write_tales(folder: Path) -> dict[str, Any]:
    path = folder / "tales.jsonl"
    rows = [
        {"id": f"{n}", "story": f"tale-{n}", "sections": [f"The hen of {town} sang. It rained in {town}."],
         "question": f"Who sang in {town}?", "answers": ["the hen"], "explicit": "explicit"}
        for n, town in enumerate(TOWNS)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {"kind": "tales", "path": path}


def test_tables_and_stories_are_sources(tmp_path: Path) -> None:
    dev = {"kind": "squad", "path": write_squad(tmp_path / "b.json", 6)}
    tables, tales = write_tables(tmp_path), write_tales(tmp_path)
    data = gathered({**tables, "passes": 2, "unanswerable": 0}, {**tales, "unanswerable": 0}, dev=dev)
    assert len(data.train) == 16 + 8 and len(data.dev) == 6
    assert {e.context[a:b][:6] for e in data.train[:16] for a, b in e.answers} == {"River "}
    assert {(e.title, e.context[a:b]) for e in data.train[16:] for a, b in e.answers} == {
        (f"Tale {n}", "The hen") for n in range(8)
    }
    assert len(gathered({**tables, "share": 0.5}, {**tales, "share": 0.25}, dev=dev).train) == 4 + 2
    with pytest.raises(InputError, match="no example to watch"):
        gathered(tables, tales)


def test_invented_office_documents_are_a_source() -> None:
    data = gathered({"kind": "synthetic", "count": 60, "held_back": 10, "seed": 3})
    assert (len(data.train), len(data.dev)) == (50, 10)
    assert data.train == gathered({"kind": "synthetic", "count": 60, "held_back": 10, "seed": 3}).train
    assert any(example.title for example in data.train)
    with pytest.raises(InputError, match="no example to watch"):
        gathered({"kind": "synthetic", "count": 60})


def test_tables_and_stories_of_evaluation_sets_are_left_out(tmp_path: Path) -> None:
    dev = {"kind": "squad", "path": write_squad(tmp_path / "b.json", 6)}
    sources = write_tables(tmp_path), write_tales(tmp_path)
    asked = [f"River of {TOWNS[0]}", f"who sang in {TOWNS[1]}"]
    paragraphs = [{"context": "x", "qas": [{"id": "1", "question": q, "answers": []} for q in asked]}]
    never = tmp_path / "never.json"
    never.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    data = gathered(*sources, dev=dev, never=[never])
    assert len(data.train) == 14
    assert "2 examples share a question or 12 words with never.json: left out" in data.notes


def test_a_seed_decides_every_example(tmp_path: Path) -> None:
    sources = {**write_qamr(tmp_path), "share": 0.7, "passes": 2}, {**write_pairs(tmp_path), "share": 0.7}

    def drawn(seed: int) -> TrainingData:
        return gathered(*sources, training={"seed": seed}, hard_negatives=["lexical"])

    assert drawn(3) == drawn(3)
    assert drawn(3).train != drawn(4).train
    assert drawn(3).dev != drawn(4).dev


def test_what_is_held_back_is_not_asked_in_training(tmp_path: Path) -> None:
    data = gathered(write_qamr(tmp_path), write_pairs(tmp_path), dev_share=0.3)

    def places(examples: Sequence[Any]) -> set[str]:
        return {e.question.split(",")[0].removesuffix("?") for e in examples}

    assert data.dev
    assert places(data.train).isdisjoint(places(data.dev))
    assert len(places(data.train) | places(data.dev)) == 40 + 22  # the teacher marks three of four pairs


def test_the_same_sentence_in_two_places_is_held_back_in_both() -> None:
    sentences = tuple(f"Sentence {n % 10}." for n in range(40))
    questions = tuple(Question(f"q{n}", "Q?", n, ((0, 8),)) for n in range(40))
    corpus = Corpus("c", sentences, (0,) * 40, questions)
    for seed in range(5):
        shown, held = hold_back(corpus, 0.1, seed)
        assert sorted(shown + held) == list(range(40))
        assert {sentences[n] for n in shown}.isdisjoint(sentences[n] for n in held)
    assert hold_back(corpus, 0.0, 0) == (list(range(40)), [])


def test_shares_are_of_the_whole_and_in_order(tmp_path: Path) -> None:
    squad = {"kind": "squad", "path": write_squad(tmp_path / "a.json", 40), "share": 0.25}
    dev = {"kind": "squad", "path": write_squad(tmp_path / "b.json", 40), "share": 0.5}
    data = gathered(squad, dev=dev)
    numbers = [int(e.id[1:]) for e in data.train]
    assert len(numbers) == 10 and numbers == sorted(numbers)
    assert len(data.dev) == 20
    assert len(gathered({**squad, "share": 0.001}, dev=dev).train) == 1
    assert len(gathered(squad, dev=dev, dev_limit=7).dev) == 7


def test_the_teacher_marks_the_share_alone(tmp_path: Path) -> None:
    assert gathered({**write_pairs(tmp_path), "share": 0.5, "keep": 1.0}, dev_share=0.5).notes == ("marked 15",)


def test_what_must_never_be_trained_on_is_left_out(tmp_path: Path) -> None:
    squad = {"kind": "squad", "path": write_squad(tmp_path / "a.json", 20)}
    never = [write_squad(tmp_path / "never.json", 3)]
    qamr = write_qamr(tmp_path)
    clean = gathered(qamr, never=never)
    mixed = gathered(qamr, squad, never=never)
    assert all("Person" in e.context for e in clean.train)
    asked = {e.question for e in mixed.train}
    assert "Where was Ada born?" not in asked and "Where was Gina born?" in asked
    assert any("never.json: left out" in note for note in mixed.notes)


def test_what_chooses_the_checkpoint_is_kept_away_as_well(tmp_path: Path) -> None:
    qamr = write_qamr(tmp_path)
    before = gathered(qamr, dev_share=0.5)
    held = before.dev[0].question
    paragraphs = [{"context": "x", "qas": [{"id": "1", "question": held, "answers": []}]}]
    never = tmp_path / "never.json"
    never.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    after = gathered(qamr, dev_share=0.5, never=[never])
    assert {e.question for e in before.dev} - {e.question for e in after.dev} == {held}
    assert after.train == before.train
    assert after.notes == ("held back: 1 example shares a question or 12 words with never.json: left out",)


def test_no_example_to_train_on_is_said_with_its_reason(tmp_path: Path) -> None:
    path = write_squad(tmp_path / "a.json", 20)
    source = {"kind": "squad", "path": path}
    with pytest.raises(InputError, match=r"no training example is left - 20 examples share .* a\.json") as raised:
        gathered(source, dev=source, never=[path])
    assert raised.value.remedy


def test_no_example_to_watch_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no example to watch") as raised:
        gathered({"kind": "squad", "path": write_squad(tmp_path / "a.json", 20)})
    assert "dev" in raised.value.remedy


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_empty_files_are_said_and_no_crash(share: float, tmp_path: Path) -> None:
    qamr = write_qamr(tmp_path)
    qamr["questions"][0].write_text("", encoding="utf-8")
    pairs = write_pairs(tmp_path)
    for path in (pairs["sentences"], pairs["questions"]):
        path.write_text("", encoding="utf-8")
    for source in (qamr, pairs):
        with pytest.raises(InputError, match="no training example"):
            gathered({**source, "share": share}, hard_negatives=["lexical", "dense"], embed=letters)


def test_hard_sentences_are_put_into_passages(tmp_path: Path) -> None:
    qamr = {**write_qamr(tmp_path), "passages": {"distracted": 1.0, "unanswerable": 0.0, "alone": 1.0}}
    with_hard = gathered(qamr, hard_negatives=["lexical"])
    assert all(2 <= e.context.count("born") <= 3 for e in with_hard.train)
    assert all(e.context.count("born") == 1 for e in gathered(qamr).train)


def letters(texts: Sequence[str]) -> Float32:
    """Embed as unit vectors of how often each letter occurs."""
    table = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)
    unit: Float32 = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    return unit


def test_hard_sentences_are_the_nearest_by_words_and_meaning() -> None:
    chance = np.random.default_rng(0)
    words = ["".join(map(chr, chance.integers(97, 123, 5))) for _ in range(400)]
    sentences = [" ".join(chance.choice(words, 6)) for _ in range(90)]
    questions = [" ".join(chance.choice(words, 4)) for _ in range(300)]  # more than are compared at once
    by_words = hard_sentences(sentences, questions, None, count=4)
    both = hard_sentences(sentences, questions, letters, count=4)
    near = letters(questions) @ letters(sentences).T
    for n, question in enumerate(questions):
        assert len(by_words[n]) <= 4
        assert all(set(question.split()) & set(sentences[s].split()) for s in by_words[n])
        found = [s for s in both[n] if s not in by_words[n]]
        assert both[n] == by_words[n] + found
        least = np.sort(near[n])[-4]
        assert {s for s in range(90) if near[n][s] > least + 1e-5} <= set(both[n])
        assert all(near[n][s] >= least - 1e-5 for s in found)


def test_no_sentence_or_no_question_has_no_hard_ones() -> None:
    assert hard_sentences([], ["who?"], letters) == [[]]
    assert hard_sentences(["a"], [], letters) == []
