"""What is kept of users' feedback: nothing lost, nothing half written, and ``rag eval`` reads it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from evidence_samples import PUMP
from hypothesis import given
from hypothesis import strategies as st

from eval.datasets import load_dataset
from rag.errors import RagError
from ui.storage.feedback import Case, FeedbackStore, Rating, find_words

ROOT = Path(__file__).parents[2]
HOSTILE = [
    '"}],"x":1',
    "<script>alert(1)</script>",
    "\ud800 lone",
    "a\u202eb",
    "../../etc/passwd",
    "\\u0000",
    "{{7*7}}",
]


def case(question: str = "When is the pump tested?", words: str = "March", context: str = PUMP) -> Case:
    start = context.index(words)
    return Case(question, "docs/pump.md", context, start, start + len(words))


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "state")


def test_a_case_is_a_squad_question(store: FeedbackStore) -> None:
    assert store.add(case()) == 1
    assert store.add(Case("Who built it?", "docs/pump.md", PUMP)) == 2
    dataset = load_dataset(store.cases_file)
    assert dataset.version == "2.0" and dataset.misplaced == 0
    assert [(q.question, q.answers) for q in dataset.questions] == [
        ("When is the pump tested?", ("March",)), ("Who built it?", ()),
    ]  # fmt: skip
    assert [p.text for p in dataset.paragraphs] == [PUMP]


def test_the_same_case_is_kept_once_and_another_answer_beside_it(store: FeedbackStore) -> None:
    store.add(case())
    assert store.add(case()) == 1
    assert store.add(case(words="June")) == 2
    assert len({q.id for q in load_dataset(store.cases_file).questions}) == 2


def test_only_impossible_questions_are_still_a_dataset(store: FeedbackStore) -> None:
    store.add(Case("Who built it?", "docs/pump.md", PUMP))
    assert load_dataset(store.cases_file).questions[0].answers == ()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(store: FeedbackStore, text: str) -> None:
    store.add(Case(text, text, f"{text} March", 0, len(text)))
    store.rate(Rating("a", text, text, "down", comment=text))
    dataset = load_dataset(store.cases_file)
    assert dataset.questions[0].answers == (text.replace("\ud800", "\ufffd"),) and dataset.misplaced == 0
    assert len(store.ratings_file.read_text(encoding="utf-8").splitlines()) == 1
    assert sorted(path.name for path in store.cases_file.parent.iterdir()) == [
        "feedback.json", "feedback.lock", "ratings.jsonl",
    ]  # fmt: skip


@given(st.text(max_size=40), st.text(max_size=20))
def test_words_that_were_found_stand_there(text: str, words: str) -> None:
    found = find_words(text, words)
    if found is not None:
        assert text[slice(*found)].split() == words.split()


@pytest.mark.parametrize(("words", "found"), [
    ("tested  in\nMarch", "tested in March"), ("march", None), ("", None), ("  ", None), (".*", None),
    ("x" * 5000, None),
])  # fmt: skip
def test_only_white_space_may_differ(words: str, found: str | None) -> None:
    place = find_words(PUMP, words)
    assert (PUMP[slice(*place)] if place else None) == found


@pytest.mark.parametrize("broken", [
    Case("", "s", "c", 0, 1), Case("q", "s", " "), Case("q", "s", "c", 0, 9), Case("q", "s", "c", 1, 0),
])  # fmt: skip
def test_a_case_that_is_none_is_refused(store: FeedbackStore, broken: Case) -> None:
    with pytest.raises(RagError):
        store.add(broken)
    assert not store.cases_file.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"data": [{"title": 1}]}', '{"version": "v2.0"}'])
def test_a_file_that_is_damaged_is_left_as_it_is(store: FeedbackStore, content: str) -> None:
    store.cases_file.parent.mkdir(parents=True)
    store.cases_file.write_text(content)
    with pytest.raises(RagError) as caught:
        store.add(case())
    assert caught.value.remedy
    assert store.cases_file.read_text() == content


@pytest.mark.slow
def test_processes_beside_each_other_lose_nothing(store: FeedbackStore) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom ui.storage.feedback import *\n"
        "store = FeedbackStore(Path(sys.argv[1]))\n"
        "for n in range(15):\n"
        "    store.add(Case(f'{sys.argv[2]} {n}?', f'{n % 3}.md', 'The pump.', 4, 8))\n"
        "    store.rate(Rating('a', sys.argv[2], str(n), 'up'))\n"
    )
    folder = str(store.cases_file.parent)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, folder, name], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        for name in "abc"
    ]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(load_dataset(store.cases_file).questions) == 45
    assert len([json.loads(line) for line in store.ratings_file.read_text().splitlines()]) == 45


def test_a_full_disk_is_said_and_leaves_what_was_there(store: FeedbackStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(case())
    store.rate(Rating("a", "q", "a", "up"))
    before = store.cases_file.read_bytes(), store.ratings_file.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for attempt in (lambda: store.add(case(words="June")), lambda: store.rate(Rating("b", "q", "a", "up"))):
        with pytest.raises(RagError, match="No space left"):
            attempt()
    assert (store.cases_file.read_bytes(), store.ratings_file.read_bytes()) == before
    assert not list(store.cases_file.parent.glob(".feedback-*"))


@pytest.mark.slow
def test_rag_eval_runs_on_it(store: FeedbackStore, tmp_path: Path) -> None:
    store.add(case())
    store.add(Case("Who built the mountain railway?", "docs/pump.md", PUMP))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rag", "eval", str(store.cases_file), "--config", "test", "--out", "runs"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 of 2 questions" in done.stdout
