"""BEIR folders and TREC files: metrics against ir_measures, round trips, and every kind of bad file."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, R, nDCG

from eval import EvalError, Prediction, Question, evaluate, load_dataset
from eval.beir import write_beir
from eval.datasets import Dataset, Paragraph
from eval.metrics import METRICS, Case
from eval.ranking import order, read_qrels, read_run, score_run, write_qrels, write_run

MEASURES = {"recall@1": R @ 1, "recall@5": R @ 5, "recall@10": R @ 10, "recall@20": R @ 20, "mrr": RR, "map": AP,
    "ndcg@10": nDCG @ 10}  # fmt: skip
CORPUS = [
    {"_id": "MED 1", "title": "Rents", "text": "The rent is 2,350 euros."},
    {"_id": "https://x/2", "text": "Dogs are not allowed."},
    {"_id": 3, "title": "", "text": "The lease ends in May."},
    {"_id": "blank", "title": " ", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "What is the rent?"}, {"_id": "q2", "text": "Dogs?"}, {"_id": "q3", "text": "Why?"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\tMED 1\t2\nq1\t3\t1\nq1\tblank\t1\nq2\thttps://x/2\t1\nq3\t3\t0\n"


def lines(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def beir(folder: Path, *, corpus: str = lines(CORPUS), queries: str = lines(QUERIES), qrels: str = QRELS) -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, text in (("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels/test.tsv", qrels)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_is_a_dataset(tmp_path: Path) -> None:
    found = load_dataset(beir(tmp_path / "lease"))
    assert (found.name, found.version, found.official, len(found.sha256)) == ("lease", "beir", False, 64)
    assert [(p.id, p.title) for p in found.paragraphs] == [("MED 1", "Rents"), ("https://x/2", ""), ("3", "")]
    assert len({p.source for p in found.paragraphs}) == 3
    rent, long, _ = (p.source for p in found.paragraphs)
    assert [q.id for q in found.questions] == ["q1", "q2"]  # q3 has no relevant document
    assert dict(found.questions[0].relevant)[rent] == 2 and len(found.questions[0].relevant) == 3
    assert found.questions[1].relevant == ((long, 1),)


def test_the_split_is_chosen(tmp_path: Path) -> None:
    folder = beir(tmp_path)
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq3\t3\t1\n", encoding="utf-8")
    assert [q.id for q in load_dataset(folder).questions] == ["q1", "q2"]
    assert [q.id for q in load_dataset(folder, split="dev").questions] == ["q3"]
    with pytest.raises(EvalError, match=r"no split 'train'; use --split with one of dev, test"):
        load_dataset(folder, split="train")
    (folder / "qrels" / "test.tsv").unlink()
    assert [q.id for q in load_dataset(folder).questions] == ["q3"]


def test_a_byte_order_mark_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    plain = load_dataset(beir(tmp_path / "a"))
    marked = load_dataset(
        beir(tmp_path / "b", corpus="\ufeff" + lines(CORPUS) + "\n \n", queries="\n" + lines(QUERIES),
             qrels="\ufeff" + QRELS.replace("\n", "\r\n") + "\n")
    )  # fmt: skip
    assert (plain.questions, plain.paragraphs) == (marked.questions, marked.paragraphs)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"corpus": "{"}, "corpus.jsonl, line 1 is not JSON"),
        ({"corpus": "[]"}, "corpus.jsonl, line 1 is not an object"),
        ({"corpus": lines([{"text": "x"}])}, '"_id" must be a non-blank text'),
        ({"corpus": lines([{"_id": " ", "text": "x"}])}, '"_id" must be a non-blank text'),
        ({"corpus": lines([{"_id": "a"}])}, '"text" must be a text, not None'),
        ({"corpus": lines([{"_id": "a", "text": "x", "title": 3}])}, '"title" must be a text, not 3'),
        ({"corpus": lines([*CORPUS, CORPUS[0]])}, "line 5: the id 'MED 1' is there twice"),
        ({"queries": lines([*QUERIES, QUERIES[0]])}, "queries.jsonl, line 4: the id 'q1' is there twice"),
        ({"queries": lines([{"_id": "q1", "text": " "}, *QUERIES[1:]])}, 'line 1: "text" is blank'),
        ({"qrels": QRELS + "q1\tnowhere\t1\n"}, "judges the document 'nowhere', which the folder does not have"),
        ({"qrels": QRELS + "q9\t3\t1\n"}, "judges the query 'q9', which the folder does not have"),
        ({"qrels": QRELS + "q1\t3\t1\n"}, "line 7 judges the document '3' of the question 'q1' again"),
        ({"qrels": QRELS + "q2\t3\tgood\n"}, "line 7: the grade 'good' is no whole number"),
        ({"qrels": QRELS + "q2\t3\n"}, "line 7 has 2 columns"),
        ({"qrels": "query-id\tcorpus-id\tscore\n"}, "has no judgments"),
        ({"qrels": "q3\t3\t0\n"}, "has no questions"),
    ],
)
def test_bad_files_are_named_with_the_place(tmp_path: Path, changes: dict[str, str], problem: str) -> None:
    with pytest.raises(EvalError, match=re.escape(problem)) as caught:
        load_dataset(beir(tmp_path, **changes))
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_missing_files_and_other_encodings(tmp_path: Path, name: str) -> None:
    folder = beir(tmp_path)
    (folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(EvalError, match="is not UTF-8"):
        load_dataset(folder)
    (folder / name).unlink()
    with pytest.raises(EvalError, match=r"does not exist|has no qrels"):
        load_dataset(folder)


def test_a_split_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"question": "Why?", "answers": []}\n', encoding="utf-8")
    with pytest.raises(EvalError, match="has no splits"):
        load_dataset(tmp_path / "own.jsonl", split="test")


IDS = st.text(string.ascii_letters + string.digits + "-:/é ", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: bool(text.strip()))
TITLES = st.lists(st.text(string.ascii_letters, min_size=1, max_size=5), max_size=3).map(" ".join)


@given(st.data())
def test_a_folder_that_was_written_is_read_back(data: st.DataObject) -> None:
    names = data.draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    paragraphs = tuple(Paragraph(f"{n}.md", data.draw(TITLES), data.draw(TEXTS), name) for n, name in enumerate(names))
    grades = st.dictionaries(st.sampled_from([p.source for p in paragraphs]), st.integers(-1, 3), min_size=1)
    judged = grades.filter(lambda known: max(known.values()) > 0)
    questions = tuple(
        Question(name, data.draw(TEXTS), (), relevant=tuple(data.draw(judged).items()))
        for name in data.draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    )
    with TemporaryDirectory() as folder:
        write_beir(Dataset("set", "beir", "", questions, paragraphs), Path(folder))
        found = load_dataset(folder)
    assert [(p.id, p.title, p.text) for p in found.paragraphs] == [(p.id, p.title, p.text) for p in paragraphs]
    new = dict(zip((p.source for p in found.paragraphs), (p.source for p in paragraphs), strict=True))
    assert [(q.id, q.question, {new[s]: g for s, g in q.relevant}) for q in found.questions] == [
        (q.id, q.question, dict(q.relevant)) for q in questions
    ]


def test_a_squad_file_becomes_a_folder(tmp_path: Path) -> None:
    qas = [{"id": "a", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]},
           {"id": "b", "question": "Why?", "answers": []}]  # fmt: skip
    squad = {"version": "2.0", "data": [{"title": "T", "paragraphs": [{"context": "Ada.", "qas": qas}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(squad), encoding="utf-8")
    write_beir(load_dataset(tmp_path / "squad.json"), tmp_path / "beir", "dev")
    found = load_dataset(tmp_path / "beir")
    assert [(q.id, len(q.relevant)) for q in found.questions] == [("a", 1)]
    assert found.paragraphs[0].id == "T/001.md"


def test_what_no_folder_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="has questions only"):
        write_beir(Dataset("own", "jsonl", "", (Question("q", "Why?", ()),), ()), tmp_path)
    tabbed = Dataset("own", "beir", "", (), (Paragraph("a.md", "", "x", "a\tb"),))
    with pytest.raises(EvalError, match="white space that a table cannot hold"):
        write_beir(tabbed, tmp_path)


def judgments(seed: int) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Return random grades and scores with ties, questions without a ranking, and unjudged documents."""
    chance = random.Random(seed)
    documents = [f"d{n}" for n in range(40)]
    qrels = {
        f"q{n}": {name: chance.choice([0, 0, 1, 2, 3]) for name in chance.sample(documents, 8)} | {"d0": 1}
        for n in range(6)
    }
    run = {
        f"q{n}": {name: float(chance.randint(0, 12)) for name in chance.sample(documents, chance.randint(1, 30))}
        for n in range(5)
    }
    return qrels, run


@pytest.mark.parametrize("seed", range(20))
def test_a_scored_run_equals_ir_measures(seed: int) -> None:
    qrels, run = judgments(seed)
    found = score_run(qrels, run)
    expected = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, run)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    assert means == pytest.approx({name: expected[measure] for name, measure in MEASURES.items()})


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_of_an_evaluation_equal_ir_measures(seed: int, tmp_path: Path) -> None:
    qrels, scores = judgments(seed)
    run = {query: order(scores.get(query, {})) for query in qrels}
    questions = tuple(Question(name, "?", (), relevant=tuple(known.items())) for name, known in qrels.items())
    paragraphs = tuple(Paragraph(f"d{n}", "", "x", f"d {n}") for n in range(40))
    data = evaluate(
        Dataset("set", "beir", "", questions, paragraphs),
        lambda asked: [Prediction("", True, ranked_sources=tuple(run[q.id])) for q in asked],
        out=tmp_path, retrieval_only=True,
    )  # fmt: skip
    expected = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, scores)
    means = {name: data.metrics[name]["mean"] / METRICS[name].scale for name in MEASURES}
    assert means == pytest.approx({name: expected[measure] for name, measure in MEASURES.items()})
    # The files of the run give the same figures, by the document's own id.
    written = score_run(read_qrels(tmp_path / "qrels.trec"), read_run(tmp_path / "run.trec"))
    assert {name: sum(values) / len(values) for name, values in written.items()} == pytest.approx(means)
    assert "d%200 " in (tmp_path / "qrels.trec").read_text(encoding="utf-8")
    from_outside = ir_measures.calc_aggregate(
        list(MEASURES.values()),
        ir_measures.read_trec_qrels(str(tmp_path / "qrels.trec")),
        ir_measures.read_trec_run(str(tmp_path / "run.trec")),
    )
    assert {name: from_outside[measure] for name, measure in MEASURES.items()} == pytest.approx(means)


def test_without_judgments_there_is_no_map() -> None:
    case = Case(Question("q", "?", ("x",), source="d1"), Prediction("x", ranked_sources=("d1",)))
    assert METRICS["map"].compute(case) is None and METRICS["mrr"].compute(case) == 1.0


def test_an_evaluation_names_the_document_that_counted(tmp_path: Path) -> None:
    questions = (Question("q1", "?", ("x",), source="lease.pdf"), Question("q2", "?", ("x",), source="gone.pdf"))
    answer = Prediction("x", ranked_sources=("a/note.md", "a/lease.pdf", "b/lease.pdf"))
    evaluate(Dataset("own", "jsonl", "", questions, ()), lambda asked: [answer] * len(asked), out=tmp_path)
    assert (tmp_path / "qrels.trec").read_text(encoding="utf-8") == "q1 0 a/lease.pdf 1\nq2 0 gone.pdf 1\n"
    assert (tmp_path / "run.trec").read_text(encoding="utf-8").splitlines()[0] == "q1 Q0 a/note.md 1 3.0 own"
    evaluate(Dataset("own", "jsonl", "", questions, ()), lambda asked: ["x"] * len(asked), out=tmp_path / "plain")
    assert not (tmp_path / "plain" / "run.trec").exists()


NAMES = st.text(string.ascii_letters + string.digits + "-:/é", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(-2, 5), min_size=1), min_size=1))
def test_judgments_round_trip(qrels: dict[str, dict[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        write_qrels(Path(folder) / "q.trec", qrels)
        assert read_qrels(Path(folder) / "q.trec") == qrels


@given(
    st.dictionaries(
        NAMES, st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), min_size=1), min_size=1
    )
)
def test_runs_round_trip(run: dict[str, dict[str, float]]) -> None:
    with TemporaryDirectory() as folder:
        write_run(Path(folder) / "r.trec", run, "my run")
        assert read_run(Path(folder) / "r.trec") == run


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("q1 Q0 d1 1 0.5\n", "line 1 has 5 columns, not 6"),
        ("\nq1 Q0 d1 1 best tag\n", "line 2: the score 'best' is no number"),
        ("q1 Q0 d1 1 nan tag\n", "the score 'nan' is no number"),
        ("q1 Q0 d1 1 2 t\nq1 Q0 d1 2 1 t\n", "line 2 ranks the document 'd1' of the question 'q1' again"),
        ("\n", "ranks nothing"),
    ],
)
def test_bad_runs(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "r.trec").write_text(text, encoding="utf-8")
    with pytest.raises(EvalError, match=re.escape(problem)):
        read_run(tmp_path / "r.trec")


@pytest.mark.parametrize(
    ("qrels", "run", "problem"),
    [
        ({"q": {"d": 0}}, {"q": {"d": 1.0}}, "no question has a relevant"),
        ({"q": {"d": 1}}, {"x": {"d": 1.0}}, "none of"),
    ],
)
def test_runs_that_cannot_be_scored(qrels: Any, run: Any, problem: str) -> None:
    with pytest.raises(EvalError, match=problem):
        score_run(qrels, run)
