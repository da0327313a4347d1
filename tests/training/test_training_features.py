"""Targets of windows, padding, and what a reader's scores become: marks, labels and figures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from rag.extractive_qa.engine import MarkedSpan
from rag.extractive_qa.windows import Windower, WindowSettings
from rag.models.resolve import resolve_model
from rag.training import scoring as scoring_module
from rag.training.data import features as features_module
from rag.training.data.corpus import Corpus, Example, Question
from rag.training.data.features import Collator, Features
from rag.training.data.weak import label
from rag.training.scoring import mark, scores

SETTINGS = WindowSettings(size=40, stride=8, question=12, answer=6)


@pytest.fixture(scope="module")
def windower() -> Windower:
    return Windower(AutoTokenizer.from_pretrained(resolve_model("bundled:minilm").path), SETTINGS)


FILLER = "The river runs slowly through the old valley and nobody knows why it does so. "


def asked(passage: str, *answers: str, question: str = "Who won?") -> Example:
    starts = [passage.index(answer) for answer in answers]
    return Example(question, question, passage, tuple((s, s + len(a)) for s, a in zip(starts, answers, strict=True)))


# --- features ---


def test_targets_are_the_tokens_of_the_answer(windower: Windower) -> None:
    examples = [
        asked(FILLER * n + "Denver Broncos won." + FILLER * (4 - n), "Denver Broncos", question=f"Who won {n}?")
        for n in range(5)
    ]
    features = Features(examples, windower)
    assert features.dropped == 0
    assert len(features) > 2 * len(examples)
    marked = []
    for n in range(len(features)):
        row = features[n]
        start, end = row["start_positions"], row["end_positions"]
        assert len(row["input_ids"]) == len(row["token_type_ids"]) <= SETTINGS.size
        if end:
            marked.append(windower.tokenizer.decode(row["input_ids"][start : end + 1]))
        else:
            assert start == 0
            assert "denver broncos won" not in windower.tokenizer.decode(row["input_ids"])
    assert set(marked) == {"denver broncos"}
    assert len(marked) >= len(examples)


def test_an_example_without_an_answer_points_at_the_first_token(windower: Windower) -> None:
    features = Features([asked("Denver won.")], windower)
    assert (features[0]["start_positions"], features[0]["end_positions"]) == (0, 0)
    assert features.dropped == 0


def test_the_first_answer_that_a_window_holds_is_its_target(windower: Windower) -> None:
    passage = "Denver won. " + FILLER * 3 + "Seattle lost."
    features = Features([asked(passage, "Denver", "Seattle")], windower)
    found = [
        windower.tokenizer.decode(row["input_ids"][row["start_positions"] : row["end_positions"] + 1])
        for row in (features[n] for n in range(len(features)))
        if row["end_positions"]
    ]
    assert found[0] == "denver" and found[-1] == "seattle"


def test_what_no_window_holds_is_counted(windower: Windower) -> None:
    long = Example("l", "Who?", FILLER * 4, ((0, len(FILLER) * 3),))
    features = Features(
        [long, Example("b", "Who?", " ", ((0, 1),)), Example("e", "Who?", "", ()), asked("Hi.")], windower
    )
    assert features.dropped == 2
    assert all(features[n]["end_positions"] == 0 for n in range(len(features)))


def test_blocks_make_no_difference(windower: Windower, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [asked(FILLER * (n % 3) + f"Team{n} won.", f"Team{n}") for n in range(11)]
    whole = Features(examples, windower)
    monkeypatch.setattr(features_module, "_BLOCK", 3)
    parts = Features(examples, windower)
    assert [whole[n] for n in range(len(whole))] == [parts[n] for n in range(len(parts))]
    assert whole.dropped == parts.dropped


@pytest.mark.parametrize("types", [True, False])
def test_a_batch_is_padded_on_the_right(types: bool) -> None:
    rows = [
        {"input_ids": [101] * n, "token_type_ids": [0] + [1] * (n - 1), "start_positions": n, "end_positions": n + 1}
        for n in (3, 9, 1)
    ]
    batch = Collator(7, types=types)(rows)
    width = 9
    assert set(batch) == {"input_ids", "attention_mask", "start_positions", "end_positions"} | (
        {"token_type_ids"} if types else set()
    )
    for n, row in enumerate(rows):
        size = len(row["input_ids"])  # type: ignore[arg-type]
        assert batch["input_ids"][n].tolist() == [101] * size + [7] * (width - size)
        assert batch["attention_mask"][n].tolist() == [1] * size + [0] * (width - size)
        if types:
            assert batch["token_type_ids"][n].tolist() == [0] + [1] * (size - 1) + [0] * (width - size)
    assert batch["start_positions"].tolist() == [3, 9, 1]
    assert batch["end_positions"].tolist() == [4, 10, 2]


# --- a reader that likes certain words ---


class Fond(torch.nn.Module):
    """Scores a token by a table of words, whether it starts or ends a span; relevance counts the tokens."""

    def __init__(self, windower: Windower, **liked: float) -> None:
        super().__init__()
        self.device = torch.nn.Parameter(torch.zeros(1))
        self.table = torch.zeros(len(windower.tokenizer))
        for word, score in liked.items():
            (token,) = windower.tokenizer(word, add_special_tokens=False)["input_ids"]
            self.table[token] = score
        self.widths: list[int] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: torch.Tensor) -> Any:
        assert not self.training
        self.widths.append(input_ids.shape[1])
        liked = self.table[input_ids]
        return SimpleNamespace(start=liked, end=liked, relevance=attention_mask.sum(1).float())


def test_the_best_span_of_all_windows_is_marked(windower: Windower) -> None:
    model = Fond(windower, denver=2.0, seattle=3.0)
    examples = [
        asked("Denver won. " + FILLER * 3 + "Seattle lost."),
        asked("Nobody won but Denver."),
        asked(""),
        asked(" \n"),
        asked(FILLER + "Seattle."),
    ]
    model.train()
    found = mark(model, windower, examples, types=True, batch=2)
    assert model.training
    said = [None if p is None else (e.context[p.start : p.end], p.margin) for e, p in zip(examples, found, strict=True)]
    assert said == [("Seattle", 6.0), ("Denver", 4.0), None, None, ("Seattle", 6.0)]
    assert model.widths == sorted(model.widths)  # so that little is padding


def test_marking_in_blocks_makes_no_difference(windower: Windower, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    model = Fond(windower, denver=2.0, river=1.0)
    examples = [asked(FILLER * chance.randint(0, 3) + "Denver." * chance.randint(0, 1)) for _ in range(13)]
    whole = mark(model, windower, examples, types=False)
    monkeypatch.setattr(scoring_module, "_BLOCK", 4)
    # The relevance head of the fake counts tokens, and so would show another padding.
    assert mark(model, windower, examples, types=False, batch=2) == whole
    assert mark(model, windower, [], types=False) == []


def test_a_model_that_fails_is_given_back_as_it_was(windower: Windower) -> None:
    model = Fond(windower)
    model.train()
    model.table = torch.zeros(1)
    with pytest.raises(IndexError):
        mark(model, windower, [asked("Denver")], types=False)
    assert model.training


# --- figures ---


def judge(given: str, golds: Sequence[str]) -> tuple[float, float]:
    """Exact match, and for F1 the share of the first gold's letters."""
    exact = float(given in golds or (not given and not golds))
    return exact, exact or (len(given) / len(golds[0]) if golds and given in golds[0] else 0.0)


def test_figures_are_percentages_with_and_without_the_threshold() -> None:
    examples = [asked("Denver won.", "Denver"), asked("Denver won.", "Denver"), asked("Denver won."), asked("x", "x")]
    predicted = [MarkedSpan(0, 6, 1.0), MarkedSpan(0, 3, -1.0), MarkedSpan(0, 6, -0.5), None]
    assert scores(examples, predicted, judge) == {"em": 50.0, "f1": 50.0, "has_em": 33.333, "has_f1": 50.0}
    assert scores(examples, predicted, judge, threshold=-2) == {
        "em": 25.0,
        "f1": 37.5,
        "has_em": 33.333,
        "has_f1": 50.0,
    }
    assert scores([examples[2]], [None], judge) == {"em": 100.0, "f1": 100.0}
    assert scores([], [], judge) == {}
    with pytest.raises(ValueError, match="shorter"):
        scores(examples, [], judge)


# --- weak supervision ---


def labelled(windower: Windower, keep: float, *asked_of: tuple[str, str], **liked: float) -> Corpus:
    sentences = tuple(sentence for sentence, _ in asked_of)
    questions = tuple(Question(f"q{n}", question, n) for n, (_, question) in enumerate(asked_of))
    corpus = Corpus("c", sentences, (0,) * len(sentences), questions, ("before",))
    return label(Fond(windower, **liked), windower, corpus, keep, types=True)


def test_the_surest_marks_are_kept(windower: Windower) -> None:
    liked = {"denver": 3.0, "seattle": 1.0, "river": 2.0}
    corpus = labelled(
        windower,
        0.5,
        ("seattle won.", "who won?"),
        ("it was denver.", "who was it?"),
        ("a river ran.", "what ran?"),
        ("it was seattle.", "who was it?"),
        **liked,
    )
    said = [[corpus.sentences[q.sentence][a:b] for a, b in q.answers] for q in corpus.questions]
    assert said == [[], ["denver"], ["river"], []]
    assert corpus.notes == ("before", "the teacher marked 2 of 4 questions of c")
    assert [q.id for q in corpus.questions] == ["q0", "q1", "q2", "q3"]


def test_a_mark_that_repeats_the_question_is_not_taken(windower: Windower) -> None:
    corpus = labelled(
        windower, 1.0, ("Denver won it.", "who beat DENVER?"), ("... !", "what?"), ("denver.", "who?"), denver=3.0
    )
    # Signs without a word are a repetition of nothing.
    assert [q.answers for q in corpus.questions] == [(), (), ((0, 6),)]


def test_nothing_asked_nothing_marked(windower: Windower) -> None:
    assert labelled(windower, 1.0).questions == ()
