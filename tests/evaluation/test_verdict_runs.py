"""A run over questions with kinds: verdicts by kind, what is served, small talk left out, and reliability."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval import EvalError, Prediction, Question, RunData, compare, evaluate, load_dataset, write_report
from eval.abstention import calibrate
from eval.datasets import Dataset
from eval.predictions import RankedPassage
from eval.reliability import summarise_reliability
from eval.report import run_markdown
from eval.risk_control import guarantee
from eval.run_plots import reliability_diagram
from eval.runs import load_run

LINES = [
    {"id": "rent", "question": "What is the rent?", "answers": ["£2,350"], "kind": "number"},
    {"id": "term", "question": "How long?", "answers": ["two years"], "kind": "number"},
    {"id": "pay", "question": "What is paid in advance?", "answers": ["80 %"], "kind": "compare",
     "parts": [["80"], ["all", "in full"]]},
    {"id": "dog", "question": "May I bring a dog?", "answers": ["No"], "parts": [["not allowed"]], "kind": "yes_no"},
    {"id": "none", "question": "Who is the mayor?", "answers": [], "kind": "unanswerable", "answerable": False},
    {"id": "hi", "question": "Hello!", "answers": [], "kind": "chat"},
    {"id": "and", "question": "And the deposit?", "answers": ["£500"], "kind": "number",
     "history": [{"question": "What is the rent?", "answer": "£2,350"}]},
]  # fmt: skip


def passage(text: str, rank: int) -> RankedPassage:
    return RankedPassage(rank, "lease.pdf", 1, ("Terms",), text, 1.0, rank, True)


ANSWERS = {
    "rent": Prediction(
        "The rent is 2,350 pounds a month.",
        confidence=0.95,
        band="high",
        short="2,350 pounds",
        passages=(passage("x", 1),),
    ),
    "term": Prediction("One year.", confidence=0.92, band="high", passages=(passage("for 2 years", 3),)),
    "pay": Prediction("", True, 0.1, passages=(passage("one pays 80 per cent, one pays all", 2),)),
    "dog": Prediction("Dogs are not allowed.", confidence=0.4, band="low", passages=(passage("x", 1),)),
    "none": Prediction("", True, 0.0),
    "hi": Prediction("Hello! Ask me about your documents."),
    "and": Prediction("", True, 0.2, passages=(passage("x", 1), passage("y", 2), passage("z", 3), passage("£500", 4))),
}


def load(folder: Path, lines: Sequence[object] = LINES) -> Dataset:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return load_dataset(path)


@pytest.fixture
def run(tmp_path: Path) -> RunData:
    return evaluate(load(tmp_path), lambda questions: [ANSWERS[q.id] for q in questions], out=tmp_path / "run")


def test_verdicts_and_what_is_served(run: RunData) -> None:
    rows = {row["id"]: row for row in run.rows}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "rent": "right", "term": "wrong", "pay": "refused", "dog": "partly", "none": "right", "hi": None,
        "and": "refused",
    }  # fmt: skip
    served = {name: row["served"] for name, row in rows.items()}
    # "term" is held by a passage, "pay" by its parts; "dog" says why; the deposit stands only in the fourth passage.
    assert served == {"rent": 1.0, "term": 1.0, "pay": 1.0, "dog": 1.0, "none": None, "hi": None, "and": 0.0}
    assert rows["rent"]["prediction"] == "2,350 pounds"  # what exact match is computed on
    means = {name: (entry["mean"], entry["n"]) for name, entry in run.metrics.items()}
    assert means["right"] == (20.0, 5)
    assert means["wrong_shown"] == (20.0, 5)
    assert means["refused_wrongly"] == (40.0, 5)
    assert means["refused_rightly"] == (100.0, 1)
    assert means["served"] == (80.0, 5)
    assert means["wrong_high"] == (50.0, 2)
    assert {name: row["wrong_high"] for name, row in rows.items() if row["wrong_high"] is not None} == {
        "rent": 0.0, "term": 1.0,
    }  # fmt: skip
    assert run.manifest["kinds"]["number"] == {
        "questions": 3, "right": 1, "partly": 0, "wrong": 1, "refused": 1, "served": 2,
        "high": 2, "wrong_high": 1,
    }  # fmt: skip


def test_without_a_verdict_an_answer_of_high_confidence_is_wrong_if_it_is_no_exact_match(tmp_path: Path) -> None:
    golds: dict[str, list[str]] = {"same": ["31 metres"], "other": ["32 metres"], "none": [], "low": [], "refused": []}
    lines = [{"id": name, "question": "How tall?", "answers": answers} for name, answers in golds.items()]
    answers = {name: Prediction("31 metres", band="high") for name in ("same", "other", "none")}
    answers |= {"low": Prediction("31 metres", band="low"), "refused": Prediction("", True, band="high")}
    run = evaluate(load(tmp_path, lines), lambda questions: [answers[q.id] for q in questions])
    assert [row["wrong_high"] for row in run.rows] == [0.0, 1.0, 1.0, None, None]
    assert run.metrics["wrong_high"]["n"] == 3
    plain = evaluate(load(tmp_path, lines), lambda questions: ["31 metres" for _ in questions])
    assert "wrong_high" not in plain.metrics
    assert compare(run, plain).not_compared == ["wrong_high"]
    assert "wrong_high" not in compare(plain, plain).not_compared


def test_the_share_of_wrong_answers_among_high_is_compared_as_a_ratio(tmp_path: Path) -> None:
    lines = [{"id": f"q{n}", "question": "How tall?", "answers": ["31"], "kind": "number"} for n in range(60)]
    dataset = load(tmp_path, lines)

    def system(high: range, wrong: range) -> RunData:
        answers = {
            f"q{n}": Prediction("30" if n in wrong else "31", band="high" if n in high else "low") for n in range(60)
        }
        return evaluate(dataset, lambda questions: [answers[q.id] for q in questions])

    found = compare(system(range(40), range(20)), system(range(10, 60), range(10, 15)))
    difference = found.differences["wrong_high"]
    assert (difference.mean_a, difference.mean_b, difference.n) == (50.0, 10.0, 60)
    assert difference.low < -40.0 < difference.high < 0
    assert difference.p < 0.01


def test_small_talk_is_not_scored(run: RunData, tmp_path: Path) -> None:
    assert run.metrics["em"]["n"] == len(LINES) - 1
    assert sum(run.manifest["losses"].values()) + sum(row["em"] == 1.0 for row in run.rows) == len(LINES) - 1
    assert "chat" not in run.manifest["kinds"]
    assert compare(run, run).mcnemar is not None
    fitted = calibrate([*run.rows, *({**row, "id": f"{row['id']}-2"} for row in run.rows)], max_false_answer=0, seed=0)
    assert fitted.unanswerable == 1  # of two in two halves; the greetings would be four
    write_report(tmp_path / "run", run)
    assert "Hello!" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_report_has_kinds_and_reliability(run: RunData) -> None:
    text = run_markdown(run.manifest, run.rows)
    assert "| number | 3 | 1 | 0 | 1 | 1 | 2 | 2 | 1 |" in text
    assert "| All | 6 | 2 | 1 | 1 | 2 | 4 | 2 | 1 |" in text
    assert "| band high | 2 | 50.0 |" in text
    assert "## Reliability by kind of question" in text
    assert "| number | 2 | 50.0 | 9.5 – 90.5 | 0.935 | 0.435 |" in text
    # The bar of the tenth bin: one of two right, half of 50 characters; the mark at .935 of them.
    assert f"     0.935  {'#' * 25}{' ' * 22}|{' ' * 3}  50.0 %  n = 2" in text


def test_reliability_of_known_confidences() -> None:
    rows = [
        {"abstained": False, "confidence": confidence, "impossible": impossible, "em": em, "band": "high"}
        for confidence, impossible, em in [(0.95, False, 1.0), (0.95, False, 0.0), (0.15, True, 0.0), (1.0, False, 1.0)]
    ]
    figures = summarise_reliability([*rows, {**rows[0], "abstained": True}, {**rows[0], "em": None}])
    assert figures is not None
    assert figures["answers"] == 4
    assert [entry["n"] for entry in figures["bins"]] == [1, 3]
    # bin 1: |0 - .15| of one answer; bin 10: |2/3 - 2.9/3| of three
    assert figures["ece"] == pytest.approx((0.15 + 3 * abs(2 / 3 - 2.9 / 3)) / 4)
    assert figures["bands"]["high"]["right"] == 0.5
    assert figures["unrated"] == 0
    unrated = {**rows[0], "confidence": None, "band": "", "kind": "summary"}
    counted = summarise_reliability([*rows, unrated, {**unrated, "em": 0.0}, {**unrated, "abstained": True}])
    assert counted == {**figures, "unrated": 2}
    assert summarise_reliability([unrated]) is None
    drawn = reliability_diagram(figures)
    assert drawn is not None
    assert list(drawn.data[1].y) == pytest.approx([0.0, 100 * 2 / 3])
    assert summarise_reliability([{**rows[0], "abstained": True}]) is None
    assert reliability_diagram(None) is None
    assert reliability_diagram({"bins": "all"}) is None
    assert reliability_diagram({"bins": [{"confidence": "high"}, 3]}) is None


def test_answers_that_are_not_rated_are_judged_but_promise_nothing(tmp_path: Path) -> None:
    def answer(questions: Sequence[Question]) -> list[Prediction]:
        unrated = LINES[0]["id"]
        return [
            Prediction(q.answers[0] if q.answers else "", confidence=None if q.id == unrated else 0.5)
            for q in questions
        ]

    run = evaluate(load(tmp_path), answer, out=tmp_path / "run")
    assert run.rows[0]["verdict"] == "right" and run.rows[0]["confidence"] is None
    assert run.manifest["reliability"]["unrated"] == 1
    assert run.manifest["reliability"]["answers"] == run.metrics["em"]["n"] - 1
    assert run.manifest["abstention"]["risk_coverage"]["coverage"][-1] == pytest.approx(1 - 1 / run.metrics["em"]["n"])
    assert load_run(tmp_path / "run").rows == run.rows
    assert "as summaries have none: 1." in run_markdown(run.manifest, run.rows)
    rated = run.rows[1:]
    assert guarantee(run.rows, max_wrong=0.9, sure=0.5) == guarantee(rated, max_wrong=0.9, sure=0.5)
    twice = [*run.rows, *({**row, "id": f"{row['id']}-2"} for row in run.rows)]
    without = [row for row in twice if row["confidence"] is not None]
    assert calibrate(twice, max_false_answer=0.5, seed=0) == calibrate(without, max_false_answer=0.5, seed=0)


def test_a_system_that_shows_no_passages_serves_nothing(tmp_path: Path) -> None:
    run = evaluate(load(tmp_path), lambda questions: ["£2,350" for _ in questions])
    assert run.rows[0]["verdict"] == "right"
    assert "served" not in run.metrics


def test_parts_alone_are_judged(tmp_path: Path) -> None:
    dataset = load(tmp_path, [{"question": "What and when?", "answers": ["x"], "parts": [["rent"], ["May"]]}])
    run = evaluate(dataset, lambda questions: ["Rent in May."])
    assert run.rows[0]["verdict"] == "right"
    assert run.manifest["kinds"]["no kind"]["right"] == 1


def test_without_kinds_there_are_no_verdicts(tmp_path: Path) -> None:
    dataset = load(tmp_path, [{"question": "Who?", "answers": ["Ada"]}])
    run = evaluate(dataset, lambda questions: ["Ada" for _ in questions])
    assert run.rows[0]["verdict"] is None
    assert "right" not in run.metrics
    assert run.manifest["kinds"] == {}
    assert "Verdicts by kind" not in run_markdown(run.manifest, run.rows)


def test_the_keys_of_a_question(tmp_path: Path) -> None:
    questions = {question.id: question for question in load(tmp_path).questions}
    assert questions["pay"] == Question(
        "pay", "What is paid in advance?", ("80 %",), kind="compare", parts=(("80",), ("all", "in full"))
    )
    assert questions["and"].history == (("What is the rent?", "£2,350"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answerable": False}, '"answerable" contradicts "answers"'),
        ({"kind": 3}, '"kind" must be a non-blank text'),
        ({"parts": "80"}, '"parts" must be a list'),
        ({"parts": [["80"], []]}, '"parts" must hold lists of non-blank texts'),
        ({"parts": [[" "]]}, '"parts" must hold lists of non-blank texts'),
        ({"history": {}}, '"history" must be a list'),
        ({"history": ["Who?"]}, '"history" must hold objects'),
        ({"history": [{"answer": "Ada"}]}, '"question" is missing'),
        ({"history": [{"question": "Who?", "answer": 3}]}, 'the "answer" of an earlier turn'),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(EvalError, match=r"own\.jsonl, line 1") as error:
        load(tmp_path, [{"question": "Who?", "answers": ["Ada"], **changes}])
    assert message in error.value.message


def test_numbered_questions_in_squad_format(tmp_path: Path) -> None:
    qas = [{"id": 7, "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}]
    data = {"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": "Ada did.", "qas": qas}]}]}
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert load_dataset(path).questions[0].id == "7"
    qas[0]["id"] = True
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(EvalError, match='"id" must be a text'):
        load_dataset(path)
