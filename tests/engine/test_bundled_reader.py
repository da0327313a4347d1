"""The reader that ships: its checksums, its answers over the example documents, what int8 costs nothing of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.config import load_config
from rag.embedding.base import Embedder
from rag.errors import ModelError
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool
from rag.models import resolve as models

# docs/reader.md says how many of examples/questions.jsonl it does not find.
ANSWERED = {
    "How long does the backup battery of the Hornkeeper 5 last?": "17 hours",
    "When does the second workshop at Gannet Quay open?": "1 September 2031",
    "How long does the new window glue Gluvane 55 have to cure?": "19 hours",
    "Within how many days of delivery can I send an instrument back?": "35 days",
    "How many counts must the display of the Nimbrel 3 show with the calibration plate inserted?": "412 and 428",
    "Which phone extension do I ask for when a foghorn will not stop at night?": (
        "01632 960417 and ask for extension 288"
    ),
    "Who leads engineering?": "Caspar Thorne",
    "How many hours is the working week?": "36.5 hours",
    "How many days a week may I work from home?": "three days",
    "How many weeks of parental leave can each parent take?": "22 weeks",
    "How many employees did the company have at the end of 2030?": "29",
    "How many devices can one Quayside hub serve?": "14",
    "What deposit do schools pay to borrow a Dripwell 12?": "£75",
}
NOT_THERE = (
    "What percentage of the salary does Murrelet & Thorne pay into the pension scheme?",
    "How loud, in decibels, are the horns driven by the Hornkeeper 5?",
    "What yearly rent does Murrelet & Thorne pay for the rope store at Gannet Quay?",
    "What is the capital of Mongolia?",
    "Who composed the opera The Magic Flute?",
    "How many moons does the planet Mars have?",
)


@pytest.fixture(scope="module")
def pipeline(example_index: Path, minilm: Embedder) -> Iterator[KnowledgeBase]:
    resolved, models = load_config("cpu"), ModelPool()
    models.put(resolved.config, embedder=minilm)
    with KnowledgeBase(example_index, resolved, models) as made:
        yield made


@pytest.mark.parametrize("question", ANSWERED)
def test_it_marks_what_is_there_and_cites_it(pipeline: KnowledgeBase, question: str) -> None:
    answer = pipeline.ask(question)
    assert answer.short == ANSWERED[question]
    assert answer.text[answer.short_start :].startswith(answer.short)
    citation = answer.citations[0]
    store = pipeline.retriever.reader.store
    assert store.text(citation.passage.source)[citation.start : citation.end] == citation.quote == answer.short
    assert citation.quote in citation.around


def test_where_it_is_not_sure_the_passages_hold_the_answer(pipeline: KnowledgeBase) -> None:
    answer = pipeline.ask("How many days of paid holiday do full-time staff have at Murrelet & Thorne?")
    assert (answer.abstained, answer.finish_reason) == (True, "low confidence")
    assert any("27" in passage.text for passage in answer.passages[:3])


@pytest.mark.parametrize("question", NOT_THERE)
def test_it_is_silent_where_there_is_nothing(pipeline: KnowledgeBase, question: str) -> None:
    answer = pipeline.ask(question)
    assert answer.abstained
    assert answer.citations == ()


def test_a_russian_question_gets_the_sentence_with_its_words(pipeline: KnowledgeBase) -> None:
    answer = pipeline.ask("На какой высоте над землёй ставят датчик?")
    assert not answer.abstained
    assert answer.text == "Датчик ставят на высоте 2,2 метра над землёй."
    assert [note.kind for note in answer.notes] == ["chosen_by_words"]
    assert answer.citations[0].source.endswith("rukovodstvo.md")


def test_a_russian_question_that_no_sentence_covers_is_refused(pipeline: KnowledgeBase) -> None:
    assert pipeline.ask("Какая зарплата у бухгалтера сервисного центра в отпуске?").abstained


def test_a_batch_answers_as_single_questions_do(pipeline: KnowledgeBase) -> None:
    questions = [*ANSWERED, *NOT_THERE]
    assert [a.text for a in pipeline.ask_batch(questions)] == [pipeline.ask(q).text for q in questions]


def test_one_changed_byte_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundled" / "reader"
    shutil.copytree(models.resolve_model("bundled:reader").path, folder)
    monkeypatch.setattr(models, "__file__", str(tmp_path / "models" / "resolve.py"))
    assert models.resolve_model("bundled:reader").path == folder
    content = bytearray((folder / "reader.bin").read_bytes())
    content[1000] ^= 1
    (folder / "reader.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"reader\.bin"):
        models.resolve_model("bundled:reader")


def test_asking_starts_without_torch(example_index: Path) -> None:
    code = (
        "import sys\n"
        "from rag.cli.main import run\n"
        "question = 'How long does the backup battery of the Hornkeeper 5 last?'\n"
        "sys.argv = ['rag', 'ask', question, '--index', sys.argv[1]]\n"
        "try:\n"
        "    run()\n"
        "finally:\n"
        "    print([m for m in ('torch', 'transformers', 'vllm') if m in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(example_index)], capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines()
    assert "17 hours" in lines[0]
    assert lines[-1] == "[]"
    assert "Answered by extractive (bundled:reader), confidence 0." in ran.stdout
