"""Files of questions to files of answers: resumable, and one bad line stops nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rag_project import Project

from rag.errors import InputError, PromptRefusedError
from rag.generation.base import Completion, Prompt, Sampling
from rag.generation.fake import FakeCompleter
from rag.ops.batch import BatchReport, answer_planned, plan_batch
from rag.retrieval.filters import Filter

SOUP = {"question": "When is lentil soup served?", "id": "soup"}
FOG = {"question": "What does the fog sensor weigh?"}


class Batch:
    """A questions file, an answers file, and a pipeline between them."""

    def __init__(self, project: Project) -> None:
        self.generator = FakeCompleter()
        self.pipeline = project.knowledge_base(generator=self.generator)
        self.questions = project.folder / "questions.jsonl"
        self.out = project.folder / "answers.jsonl"

    def ask(self, *lines: object) -> Batch:
        """Write the questions, one a line; a string stands as it is."""
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        self.questions.write_text(text, encoding="utf-8")
        return self

    def run(
        self, digest: str = "d1", glob: str | None = None, progress: Callable[[int, int], None] | None = None
    ) -> BatchReport:
        """Answer them."""
        only = Filter(sources=(glob,)) if glob else None
        generation = self.pipeline.retriever.reader.store.generation
        plan = plan_batch(self.questions, self.out, config_digest=digest, only=only, generation=generation)
        return answer_planned(self.pipeline, plan, progress=progress)

    def rows(self) -> list[dict[str, Any]]:
        """The answers, without their timings."""
        lines = self.out.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        return [{k: v for k, v in json.loads(line).items() if k != "timings"} for line in lines]


@pytest.fixture
def batch(fog: Project) -> Batch:
    """A batch over the three documents."""
    return Batch(fog)


def test_every_question_becomes_a_line_with_its_number_and_id(batch: Batch) -> None:
    report = batch.ask(SOUP, "", FOG).run()
    assert (report.answered, report.resumed, report.failed) == (2, 0, [])
    assert [(row["line"], row["id"], row["question"]) for row in batch.rows()] == [
        (1, "soup", SOUP["question"]),
        (3, None, FOG["question"]),
    ]
    assert batch.rows()[1]["answer"] == "The fog sensor weighs 3.4 kg."
    assert batch.rows()[0]["config_digest"] == "d1"


def test_a_filter_and_progress_are_passed_on(batch: Batch) -> None:
    seen: list[tuple[int, int]] = []
    batch.ask(SOUP, FOG)
    batch.run("d", "*.md", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (2, 2)]
    assert {p["source"] for row in batch.rows() for p in row["passages"]} == {"fog.md"}


# Bad lines --------------------------------------------------------------------------------------------------

BAD = [
    "not JSON", "[1, 2]", '"text"', "{}", '{"question": 7}', '{"question": ""}', '{"question": "  "}',
    json.dumps({"question": "x" * 5000}), "[" * 100_000, '{"question": "soup \\ud83d"}',
]  # fmt: skip


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:24])
def test_a_bad_line_is_answered_with_its_number_and_an_error(batch: Batch, line: str) -> None:
    report = batch.ask(SOUP, line, FOG).run()
    assert report.answered == 2
    assert [row["line"] for row in batch.rows()] == [1, 2, 3]
    assert ["error" in row for row in batch.rows()] == [False, True, False]


def test_an_id_that_is_no_unicode_text_stops_nothing(batch: Batch) -> None:
    report = batch.ask('{"question": "When is soup served?", "id": "\\ud83d"}', FOG).run()
    assert (report.answered, [row["line"] for row in batch.rows()]) == (2, [1, 2])


def test_bad_lines_are_counted_and_named_in_the_report(batch: Batch) -> None:
    report = batch.ask("not JSON", SOUP, {"question": ""}).run()
    assert [number for number, _ in report.failed] == [1, 3]
    assert "empty" in report.failed[1][1]


def test_a_question_too_long_for_the_model_fails_alone(fog: Project) -> None:
    batch = Batch(fog)
    batch.pipeline = fog.knowledge_base(generator=FakeCompleter(context_length=400))
    batch.ask(SOUP, {"question": "fog " * 300}, FOG).run()
    assert ["error" in row for row in batch.rows()] == [False, True, False]


def test_a_bad_line_is_tried_again_by_the_next_run(batch: Batch) -> None:
    batch.ask(SOUP, "not JSON").run()
    report = batch.ask(SOUP, FOG).run()
    assert (report.answered, report.resumed) == (1, 1)
    assert [(row["line"], "error" in row) for row in batch.rows()] == [(1, False), (2, False)]


# Going on ---------------------------------------------------------------------------------------------------


@pytest.fixture
def answered(batch: Batch) -> Batch:
    """Five questions, answered."""
    batch.ask(*({"question": f"What does fog sensor {n} weigh?", "id": n} for n in range(5))).run()
    batch.generator.prompts.clear()
    return batch


def test_a_second_run_answers_nothing_again(answered: Batch) -> None:
    before = answered.out.read_bytes()
    report = answered.run()
    assert (report.answered, report.resumed) == (0, 5)
    assert answered.generator.prompts == []
    assert answered.out.read_bytes() == before


@pytest.mark.parametrize(("kept", "resumed"), [(0.5, 4), (0.99, 4), (1.0, 5)])
def test_a_run_cut_in_the_middle_of_a_line_goes_on_there(answered: Batch, kept: float, resumed: int) -> None:
    rows, lines = answered.rows(), answered.out.read_text().split("\n")[:-1]
    lines[-1] = lines[-1][: int(len(lines[-1]) * kept)]
    answered.out.write_text("\n".join(lines))
    report = answered.run()
    assert (report.answered, report.resumed) == (5 - resumed, resumed)
    assert len(answered.generator.prompts) == 5 - resumed
    assert answered.rows() == rows


def test_a_run_cut_in_the_middle_of_a_letter_goes_on_there(batch: Batch) -> None:
    batch.ask(FOG, {"question": "Какой высоты мачта?", "id": "мачта"}).run()
    whole = batch.out.read_bytes()
    letter = whole.rindex("мачта".encode())
    batch.out.write_bytes(whole[: letter + 1])
    assert (batch.run().resumed, len(batch.rows())) == (1, 2)


def test_a_changed_question_is_answered_anew(answered: Batch) -> None:
    lines = answered.questions.read_text().splitlines()
    lines[2] = json.dumps(SOUP)
    report = answered.ask(*lines).run()
    assert (report.answered, report.resumed, report.replaced) == (1, 4, 1)
    assert [row["line"] for row in answered.rows()] == [1, 2, 3, 4, 5]
    assert answered.rows()[2]["question"] == SOUP["question"]


def test_a_resumed_run_ends_in_the_order_of_the_questions(batch: Batch) -> None:
    batch.ask(SOUP, "not JSON", FOG).run()
    batch.ask(SOUP, SOUP, FOG).run()
    assert [row["line"] for row in batch.rows()] == [1, 2, 3]
    assert not list(batch.out.parent.glob("*.part"))


@pytest.mark.parametrize("asked", [1, 5])
def test_answers_to_other_questions_are_not_lost(answered: Batch, asked: int) -> None:
    before = answered.out.read_bytes()
    with pytest.raises(InputError, match=r"answers to other questions: \d of its 5") as caught:
        answered.ask(*[SOUP] * asked).run()
    assert "--out" in caught.value.remedy
    assert answered.out.read_bytes() == before


@pytest.mark.parametrize(("first", "then"), [(None, "*.md"), ("*.md", None), ("*.md", "*.txt")])
def test_answers_from_under_another_filter_are_refused(batch: Batch, first: str | None, then: str | None) -> None:
    batch.ask(SOUP, FOG).run(glob=first)
    assert [row["filter"] for row in batch.rows()] == [[f"source={first}"] if first else None] * 2
    before = batch.out.read_bytes()
    with pytest.raises(InputError, match="another filter") as caught:
        batch.run(glob=then)
    assert "--out" in caught.value.remedy
    assert batch.out.read_bytes() == before


def test_answers_from_before_the_documents_changed_are_refused(fog: Project) -> None:
    batch = Batch(fog).ask(SOUP)
    batch.run()
    assert [row["generation"] for row in batch.rows()] == [1]
    fog.write({"new.txt": "Soup is served on Tuesdays."}).ingest()
    before = batch.out.read_bytes()
    with pytest.raises(InputError, match=r"before the documents changed \(generation 1, now 2\)"):
        batch.ask(SOUP, FOG).run()
    assert batch.out.read_bytes() == before


def test_a_plan_with_nothing_to_ask_needs_no_pipeline(answered: Batch) -> None:
    plan = plan_batch(answered.questions, answered.out, config_digest="d1", generation=1)
    assert plan.idle
    assert answer_planned(None, plan).resumed == 5
    answered.ask("not JSON")
    answered.out.unlink()
    plan = plan_batch(answered.questions, answered.out, config_digest="d1", generation=1)
    assert [number for number, _ in answer_planned(None, plan).failed] == [1]


def test_a_folder_that_is_not_there_is_said_first(batch: Batch) -> None:
    batch.out = batch.out.parent / "nowhere" / "answers.jsonl"
    with pytest.raises(InputError, match="there is no folder"):
        batch.ask(SOUP).run()


class _Refusing(FakeCompleter):
    """An endpoint that answers some prompts with a 400."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        if any("forbidden" in prompt.text for prompt in prompts):
            raise PromptRefusedError("the endpoint refused: forbidden words", "correct it")
        return super().generate(prompts, sampling)


@pytest.mark.parametrize("bad", [{0}, {4}, {1, 2, 6}, set(range(7))], ids=str)
def test_a_refused_prompt_fails_alone(fog: Project, bad: set[int]) -> None:
    batch = Batch(fog)
    batch.pipeline = fog.knowledge_base(generator=_Refusing())
    rows = [{"question": f"fog sensor {n} {'forbidden' if n in bad else ''}?"} for n in range(7)]
    report = batch.ask(*rows).run()
    assert [number for number, _ in report.failed] == sorted(n + 1 for n in bad)
    assert report.answered == 7 - len(bad)
    assert [row["line"] for row in batch.rows()] == list(range(1, 8))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"], ids=ascii)
def test_an_answer_with_a_line_separator_inside_is_kept(batch: Batch, separator: str) -> None:
    batch.ask({"question": f"When is lentil{separator}soup served?"}, SOUP).run()
    report = batch.run()
    assert (report.answered, report.resumed) == (0, 2)


def test_another_configuration_is_refused_and_destroys_nothing(answered: Batch) -> None:
    before = answered.out.read_bytes()
    with pytest.raises(InputError, match=r"another configuration \(d1, now d2\)"):
        answered.run("d2")
    assert answered.out.read_bytes() == before


def test_answers_to_other_questions_with_another_configuration_are_refused_too(answered: Batch) -> None:
    before = answered.out.read_bytes()
    with pytest.raises(InputError, match="another configuration"):
        answered.ask(SOUP, FOG).run("d2")
    assert answered.out.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        "a shopping list\n",
        "a shopping list",
        '{"some": "json"}\n',
        '[{"line": 1}]\n',
        '{"line": [1], "question": "x"}\n',
        '{"line": 3, "message": "line too long"}\n{"line": 9, "message": "unused import"}\n',
        '{"line": 3, "message": "line too long"}',
        '{"line": 3, "question": "x"}\n',
        '{"line": true, "question": "x", "config_digest": "d1"}\n',
        '{"line": 1, "question": "x", "error": "e"}\nnotes\n',
        '{"line": 1, "question": "x", "error": "e"}\n{"line": 2, "que\n',
        '{"line": 1, "question": "x", "error": "e"}\n\n',
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(batch: Batch, content: str) -> None:
    batch.out.write_text(content)
    with pytest.raises(InputError, match="not a file of answers"):
        batch.ask(SOUP).run()
    assert batch.out.read_text() == content


def test_a_binary_file_in_place_of_the_answers_is_refused(batch: Batch) -> None:
    batch.out.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"cannot be read|not a file of answers"):
        batch.ask(SOUP).run()
    assert batch.out.read_bytes() == b"\xff\xfe\x00\x01"


def test_the_questions_file_cannot_be_its_own_answers_file(batch: Batch) -> None:
    batch.ask(SOUP)
    batch.out = batch.questions
    with pytest.raises(InputError):
        batch.run()
    assert json.loads(batch.questions.read_text()) == SOUP


# The questions file -----------------------------------------------------------------------------------------


def test_equal_ids_and_equal_questions_are_fine(batch: Batch) -> None:
    assert batch.ask(SOUP, SOUP, {**FOG, "id": "soup"}).run().answered == 3
    assert [row["id"] for row in batch.rows()] == ["soup"] * 3
    assert batch.run().resumed == 3


@pytest.mark.parametrize("content", [b"", b"\n \n\n"], ids=["nothing", "blank lines"])
def test_a_file_without_questions_is_refused(batch: Batch, content: bytes) -> None:
    batch.questions.write_bytes(content)
    with pytest.raises(InputError, match="no question"):
        batch.run()
    assert not batch.out.exists()


@pytest.mark.parametrize(
    ("content", "told"), [('{"question": "é"}'.encode("latin-1"), "not UTF-8"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_refused(batch: Batch, content: bytes | None, told: str) -> None:
    if content is not None:
        batch.questions.write_bytes(content)
    with pytest.raises(InputError, match=told):
        batch.run()


def test_a_byte_order_mark_and_windows_line_ends_are_fine(batch: Batch) -> None:
    batch.questions.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(SOUP).encode() + b"\r\n" + json.dumps(FOG).encode() + b"\r\n"
    )
    assert batch.run().answered == 2


def test_more_questions_than_go_in_one_window_keep_their_order(batch: Batch, tmp_path: Path) -> None:
    batch.ask(*({"question": f"fog sensor {n}?"} for n in range(130))).run()
    assert [row["line"] for row in batch.rows()] == list(range(1, 131))
