"""The real training data and the real development sets: they share nothing once they have been held apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.training.config import ReaderConfig
from rag.training.data.corpus import Corpus, Example
from rag.training.data.overlap import overlap, without_overlap
from rag.training.data.pairs import read_pairs
from rag.training.data.qamr import read_qamr
from rag.training.data.sources import gather
from rag.training.data.squad_format import read_squad

DATA = Path(__file__).parents[3] / "shared" / "data"
NEVER = [DATA / "squad" / "dev-v1.1.json", DATA / "squad" / "dev-v2.0.json"]
QAMR = DATA / "qamr" / "wiki-sentences.tsv", [DATA / "qamr" / f"filtered-{part}.tsv" for part in ("dev", "test")]
PAIRS = tuple(DATA / "squad-train-sentences" / f"{name}.txt" for name in ("sentences", "questions"))

pytestmark = [
    pytest.mark.squad,
    pytest.mark.skipif(
        not all(path.exists() for path in (*NEVER, QAMR[0], *QAMR[1], *PAIRS)),
        reason="../shared/data does not hold squad, qamr and squad-train-sentences",
    ),
]


def first_word(name: str, corpus: Corpus, keep: float) -> Corpus:
    ends = [corpus.sentences[q.sentence].index(" ") for q in corpus.questions]
    return replace(corpus, questions=tuple(replace(q, answers=((0, ends[n]),)) for n, q in enumerate(corpus.questions)))


# Written apart from rag.training.data.overlap on purpose: by tuples of words instead of joined text.


def words_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", text.lower()))


def runs_of(text: str) -> Iterator[tuple[str, ...]]:
    words = words_of(text)
    return (words[n : n + 12] for n in range(len(words) - 11))


@pytest.fixture(scope="module")
def measured() -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Every question, and every run of 12 words, of both development sets, read with nothing of ours."""
    trees = [json.loads(path.read_text(encoding="utf-8")) for path in NEVER]
    paragraphs = [p for tree in trees for article in tree["data"] for p in article["paragraphs"]]
    assert len(paragraphs) == 2067 + 1204
    questions = {words_of(q["question"]) for p in paragraphs for q in p["qas"]}
    return questions, {run for p in paragraphs for run in runs_of(p["context"])}


Measured = tuple[set[tuple[str, ...]], set[tuple[str, ...]]]


def shared_with(measured: Measured, examples: list[Example] | tuple[Example, ...]) -> set[int]:
    questions, runs = measured
    contexts = {c for c in {e.context for e in examples} if not runs.isdisjoint(runs_of(c))}
    return {n for n, e in enumerate(examples) if e.context in contexts or words_of(e.question) in questions}


@pytest.mark.slow
def test_all_questions_and_sentences_are_held_apart(measured: Measured) -> None:
    qamr, pairs = read_qamr(*QAMR), read_pairs(*PAIRS)
    assert (len(qamr.questions), len(pairs.questions)) == (37_583, 11_877)
    for corpus in (qamr, pairs):
        # Every sentence, also those that nobody asks about, with its neighbours, so that runs across sentences count;
        # and every question with its own sentence.
        lines = corpus.sentences
        everything = [Example("s", "", " ".join(lines[max(0, n - 1) : n + 2]), ()) for n in range(len(lines))]
        everything += [Example(q.id, q.text, lines[q.sentence], q.answers) for q in corpus.questions]
        kept, _ = without_overlap(everything, NEVER)
        assert shared_with(measured, kept) == set()
        # QAMR does hold sentences of articles that SQuAD's development sets are about; the pairs hold none.
        lost = len(everything) - len(kept)
        assert lost == 0 if corpus is pairs else 500 < lost < 1000


@pytest.mark.slow
def test_what_is_gathered_shares_nothing_with_what_is_measured(measured: Measured) -> None:
    config = ReaderConfig.model_validate(
        {
            "output": "unused",
            "train": [
                {"kind": "qamr", "sentences": QAMR[0], "questions": QAMR[1]},
                {"kind": "pairs", "sentences": PAIRS[0], "questions": PAIRS[1], "teacher": "first word"},
            ],
            "never": NEVER,
            "hard_negatives": [],
        }
    )
    data = gather(config, embed=None, label=first_word)
    assert len(data.train) + 1000 > 0.9 * (37_583 + 11_877)
    assert shared_with(measured, data.train) == set()
    assert all(0 <= a < b <= len(e.context) and e.context[a:b].strip() for e in data.train for a, b in e.answers)


@pytest.mark.parametrize("path", NEVER, ids=lambda path: path.stem)
def test_the_development_sets_are_found_in_themselves(path: Path, measured: Measured) -> None:
    examples, notes = read_squad(path, strict=True)
    assert notes == ()
    some = examples[::50]
    mixed = [replace(e, question="Another question?", context=f"Before. {e.context} After.") for e in some]
    assert overlap(mixed, examples) == set(range(len(mixed)))
    assert overlap([replace(e, context="Another passage.") for e in some], examples) == set(range(len(some)))
    assert shared_with(measured, some) == set(range(len(some)))
