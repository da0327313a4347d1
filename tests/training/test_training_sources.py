"""What training data is read from: tokens, QAMR, pairs, SQuAD's format, and every kind of bad file."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.training.data.corpus import Example, detokenise, read_lines
from rag.training.data.pairs import read_pairs
from rag.training.data.qamr import read_qamr
from rag.training.data.squad_format import read_squad

BOM = b"\xef\xbb\xbf"
MARKS = {"-LRB-": "(", "-rrb-": ")", "``": '"', "''": '"', "`": "'"}


# --- tokens to text ---


@given(st.lists(st.sampled_from((*MARKS, ",", ".", "$", "'s", "n't", "%", "(", "")) | st.text(max_size=5)))
def test_every_token_stands_where_it_is_said_to(tokens: list[str]) -> None:
    text, spans = detokenise(tokens)
    assert len(spans) == len(tokens)
    assert [text[start:end] for start, end in spans] == [MARKS.get(token, token) for token in tokens]
    assert all(0 <= after[0] - before[1] <= 1 for before, after in pairwise(spans))
    gaps = [text[before[1] : after[0]] for before, after in pairwise(spans)]
    assert set(gaps) <= {"", " "}
    assert len(text) == sum(end - start for start, end in spans) + gaps.count(" ")


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("The dog -LRB- a pug -RRB- ca n't bark , it 's 5 % deaf .", "The dog (a pug) can't bark, it's 5% deaf."),
        ("he said `` hi '' for $ 5", 'he said "hi" for $5'),
        ("a  b", "a b"),
        ("", ""),
    ],
)
def test_running_text_reads_as_written(tokens: str, text: str) -> None:
    assert detokenise(tokens.split(" "))[0] == text


# --- lines ---


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(BOM + "a\u2028b\rc\t\r\n\r\nd\t\r\n \n\n".encode())
    assert read_lines(path, "") == ["a\u2028b\rc\t", "", "d\t"]
    path.write_bytes(b"")
    assert read_lines(path, "") == []


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for read in (lambda: read_pairs(path, path), lambda: read_qamr(path, []), lambda: read_squad(path)):
        with pytest.raises(InputError, match="cannot be read") as raised:
            read()
        assert raised.value.remedy


# --- QAMR ---

SENTENCES = {
    "W:wiki:7:2:10": "He was 5 .",
    "W:wiki:7:2:9": "Bob -LRB- a dog -RRB- barked .",
    "W:wiki:7:10:0": "Later .",
    "W:wiki:30:0:0": "Elsewhere it rained .",
}


def row(sentence: str, question: str, *answers: str) -> str:
    first, second, third = (*answers, "", "")[:3]
    return "\t".join((sentence, "0", "1", "0", "0", question, first, f"1:{second}", f"2:{third}"))


def qamr(folder: Path, *rows: str, sentences: dict[str, str] = SENTENCES, end: str = "\n") -> tuple[Path, Path]:
    paths = folder / "sentences.tsv", folder / "questions.tsv"
    paths[0].write_bytes(BOM + end.join(f"{key}\t{text}" for key, text in sentences.items()).encode())
    paths[1].write_bytes(BOM + end.join(rows).encode() + end.encode())
    return paths


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_qamr(end: str, tmp_path: Path) -> None:
    rows = (
        row("W:wiki:7:2:9", "Who barked ?", "0", "0 1 2 3 4", "Invalid"),
        "",
        row("W:wiki:7:2:10", "How old was he?", "2"),
        row("W:wiki:7:2:9", "What?", "0 5", "Redundant"),
    )
    sentences, questions = qamr(tmp_path, *rows, end=end)
    corpus = read_qamr(sentences, [questions])
    # Documents by their ids as text; paragraphs and sentences of one by their numbers: 9 comes before 10.
    assert corpus.sentences == ("Elsewhere it rained.", "Bob (a dog) barked.", "He was 5.", "Later.")
    assert corpus.paragraphs == (0, 1, 1, 2)
    first, second = corpus.questions
    assert (first.id, first.text, first.sentence) == ("questions:1", "Who barked ?", 1)
    assert [corpus.sentences[1][start:end] for start, end in first.answers] == ["Bob", "Bob (a dog)"]
    assert (second.id, [corpus.sentences[2][a:b] for a, b in second.answers]) == ("questions:3", ["5"])
    assert corpus.notes == ("1 question has no answer whose words stand together: left out",)


@pytest.mark.parametrize("marked", ["", "-1", "7", "6 7", "1 0", "0 0", "0 2", "x", "9" * 5000, "1.0"])
def test_an_answer_that_is_no_run_of_tokens_does_not_count(marked: str, tmp_path: Path) -> None:
    sentences, questions = qamr(tmp_path, row("W:wiki:7:2:9", "Who?", marked), row("W:wiki:7:2:9", "Who?", "0", marked))
    corpus = read_qamr(sentences, [questions])
    assert [question.answers for question in corpus.questions] == [((0, 3),)]


def test_a_blank_question_is_left_out(tmp_path: Path) -> None:
    sentences, questions = qamr(tmp_path, row("W:wiki:7:2:9", " ", "0"))
    assert read_qamr(sentences, [questions]).questions == ()


def test_an_empty_token_is_counted_and_answers_nothing(tmp_path: Path) -> None:
    texts = {"a:0:0": "Bob  barked"}
    sentences, questions = qamr(tmp_path, row("a:0:0", "Q?", "1"), row("a:0:0", "Q?", "2"), sentences=texts)
    corpus = read_qamr(sentences, [questions])
    assert [[corpus.sentences[0][a:b] for a, b in q.answers] for q in corpus.questions] == [["barked"]]


IDS = st.lists(st.text(alphabet="ab:0129²x", min_size=1, max_size=8), unique=True, min_size=1, max_size=12)


@given(ids=IDS)
def test_sentences_of_a_paragraph_stand_together_whatever_the_ids(
    ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("qamr")
    sentences, questions = qamr(folder, *(row(key, key, "0") for key in ids), sentences={k: f"s{k}" for k in ids})
    corpus = read_qamr(sentences, [questions])
    assert [corpus.sentences[q.sentence] for q in corpus.questions] == [f"s{q.text}" for q in corpus.questions]
    assert sorted(corpus.paragraphs) == list(corpus.paragraphs)
    paragraphs = {corpus.paragraphs[q.sentence]: q.text.rsplit(":", 1)[0] for q in corpus.questions}
    assert len(set(paragraphs.values())) == len(paragraphs) == len({key.rsplit(":", 1)[0] for key in ids})


@pytest.mark.parametrize(
    ("sentences", "rows", "told"),
    [
        (SENTENCES, ["W:wiki:7:2:9\t1"], "questions.tsv, line 1: 2 columns, and 9 are needed"),
        (SENTENCES, ["", row("other", "Q?", "0")], "questions.tsv, line 2: sentence other is not in"),
        ({"a": "x", "b\ty\n": ""}, [], "sentences.tsv, line 3: 1 columns, and 2 are needed"),
        ({"a": "x\na\ty"}, [], "sentences.tsv, line 2: sentence a was another one before"),
    ],
)
def test_lines_that_are_not_qamr_are_named(
    sentences: dict[str, str], rows: list[str], told: str, tmp_path: Path
) -> None:
    paths = qamr(tmp_path, *rows, sentences=sentences)
    if "line 3" in told:
        paths[0].write_text("a\tx\nb\ty\nc\n", encoding="utf-8")
    with pytest.raises(InputError, match=told) as raised:
        read_qamr(paths[0], [paths[1]])
    assert "filtered" in raised.value.remedy


def test_more_columns_and_a_repeated_sentence_do_no_harm(tmp_path: Path) -> None:
    sentences, questions = qamr(tmp_path, sentences={"a": "x\tmore\na\tx"})
    assert read_qamr(sentences, [questions]).sentences == ("x",)


# --- pairs ---


def pairs(folder: Path, sentences: str, questions: str) -> tuple[Path, Path]:
    paths = folder / "sentences.txt", folder / "questions.txt"
    for path, text in zip(paths, (sentences, questions), strict=True):
        path.write_bytes(text.encode())
    return paths


def test_pairs(tmp_path: Path) -> None:
    paths = pairs(
        tmp_path,
        "\ufeffthe dog barked . \r\nit \u2028was\rold .\nthe dog barked .\n\nlast\n\n\n",
        "who barked ?\nhow old ?\nwhat did it ?\nno sentence ?\n\n",
    )
    with pytest.raises(InputError, match=r"5 lines and .* 4"):  # a sentence at the end without a question
        read_pairs(*paths)
    paths[0].write_bytes(paths[0].read_bytes().replace(b"last", b""))
    paths[1].write_bytes(paths[1].read_bytes().replace(b"no sentence ?", b""))
    corpus = read_pairs(*paths)
    assert corpus.sentences == ("the dog barked.", "it was old.")
    assert corpus.paragraphs == (0, 0)
    assert [(q.id, q.text, q.sentence, q.answers) for q in corpus.questions] == [
        ("pair:1", "who barked?", 0, ()),
        ("pair:2", "how old?", 1, ()),
        ("pair:3", "what did it?", 0, ()),
    ]
    assert corpus.notes == ()


def test_lines_with_one_side_only_are_counted(tmp_path: Path) -> None:
    corpus = read_pairs(*pairs(tmp_path, "a\n\nb", "x\ny\nz"))
    assert [q.id for q in corpus.questions] == ["pair:1", "pair:3"]
    assert corpus.notes == ("1 line lacks the sentence or the question: left out",)


def test_empty_files_hold_no_pairs(tmp_path: Path) -> None:
    corpus = read_pairs(*pairs(tmp_path, "", "\n"))
    assert (corpus.sentences, corpus.questions) == ((), ())


# --- SQuAD's format ---


def squad(**changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "id": "q1", "question": " Who? ", "answers": [{"text": "Denver", "answer_start": 0}], **changes,
    }  # fmt: skip
    return {"data": [{"paragraphs": [{"context": "Denver won. Denver is big.", "qas": [asked]}]}]}


def write(folder: Path, tree: Any) -> Path:
    path = folder / "set.json"
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree), encoding="utf-8")
    return path


def test_squad_format(tmp_path: Path) -> None:
    answers = [{"text": "Denver", "answer_start": 12}, {"text": " won", "answer_start": 6}]
    tree = squad(answers=answers)
    qas = tree["data"][0]["paragraphs"][0]["qas"]
    qas.append({"id": 7, "question": "Why?", "answers": []})
    qas.append({"id": "q3", "question": "Why?", "is_impossible": True})
    qas.append({"id": "q4", "question": "Why?", "is_impossible": True, "answers": answers})
    context = "Denver won. Denver is big."
    path = write(tmp_path, tree)
    path.write_bytes(BOM + path.read_bytes())
    examples, notes = read_squad(path, strict=True)
    assert examples == (
        Example("q1", "Who?", context, ((12, 18), (7, 10))),  # no token holds the space around an answer
        Example("7", "Why?", context, ()),
        Example("q3", "Why?", context, ()),
        Example("q4", "Why?", context, ()),
    )
    assert notes == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "Denver", "answer_start": 1},
        {"text": "denver", "answer_start": 0},
        {"text": "big.", "answer_start": -4},
        {"text": "Denver", "answer_start": 10**9},
        {"text": "", "answer_start": 0},
        {"text": " ", "answer_start": 6},
    ],
)
def test_a_span_that_is_not_where_it_says_is_counted(wrong: dict[str, Any], tmp_path: Path) -> None:
    right = {"text": "Denver", "answer_start": 0}
    tree = squad(answers=[wrong, right])
    tree["data"][0]["paragraphs"][0]["qas"].append({"id": "q2", "question": "Who?", "answers": [wrong, wrong]})
    path = write(tmp_path, tree)
    examples, (note,) = read_squad(path)
    assert [(e.id, e.answers) for e in examples] == [("q1", ((0, 6),))]  # never an unanswerable question made of q2
    assert note.startswith("3 answers of set.json are not where answer_start says, first question q1: ")
    with pytest.raises(InputError, match=r"question q1: .* does not stand at .* \(3 such answers\)"):
        read_squad(path, strict=True)


def test_blank_questions_and_contexts_are_counted(tmp_path: Path) -> None:
    tree = squad(question=" ", answers=[])
    blank = copy.deepcopy(squad(answers=[])["data"][0])
    blank["paragraphs"][0]["context"] = "\n\u00a0"
    tree["data"].append(blank)
    examples, notes = read_squad(write(tmp_path, tree))
    assert examples == ()
    assert notes == ("2 questions of set.json are blank, or their context is: left out",)


ANSWER = {"text": "Denver", "answer_start": 0}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ("", "cannot be read as JSON"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON: it is nested too deeply"),
        ([], "the top is no object"),
        ({}, "the top has no key 'data'"),
        ({"data": 5}, "'data' of the top must be a list, not a whole number"),
        ({"data": {"a": 1}}, "'data' of the top must be a list, not an object"),
        ({"data": ["x"]}, r"data\[0\] is no object"),
        ({"data": [{"paragraphs": None}]}, r"'paragraphs' of data\[0\] must be a list, not null"),
        ({"data": [{"paragraphs": [{"context": 1.5, "qas": []}]}]}, "'context' of .* must be a text, not a number"),
        ({"data": [{"paragraphs": [{"context": "x"}]}]}, r"data\[0\].paragraphs\[0\] has no key 'qas'"),
        ({"data": [{"paragraphs": [{"context": "x", "qas": "y"}]}]}, "'qas' of .* must be a list, not a text"),
        ({"data": [{"paragraphs": [{"context": "x", "qas": [[]]}]}]}, r"qas\[0\] is no object"),
        (squad(question=None), "'question' of .* must be a text, not null"),
        (squad(id=None), "'id' of .* must be a text, not null"),
        (squad(is_impossible="false"), "'is_impossible' of .* must be true or false, not a text"),
        (squad(answers=None), "'answers' of .* must be a list, not null"),
        (squad(answers=ANSWER), "'answers' of .* must be a list, not an object"),
        (squad(answers=["Denver"]), r"qas\[0\].answers\[0\] is no object"),
        (squad(answers=[{**ANSWER, "text": 5}]), "'text' of .* must be a text, not a whole number"),
        (squad(answers=[{**ANSWER, "answer_start": "0"}]), "'answer_start' of .* must be a whole number, not a text"),
        (squad(answers=[{**ANSWER, "answer_start": True}]), "must be a whole number, not true or false"),
        (squad(answers=[{"text": "Denver"}]), r"qas\[0\].answers\[0\] has no key 'answer_start'"),
    ],
)
def test_what_is_not_squad_is_refused_with_its_place(tree: Any, told: str, tmp_path: Path) -> None:
    path = write(tmp_path, tree)
    with pytest.raises(InputError, match=told) as raised:
        read_squad(path)
    assert str(path) in raised.value.message and raised.value.remedy


@pytest.mark.parametrize("key", ["id", "question", "answers"])
def test_a_key_that_is_missing_is_named(key: str, tmp_path: Path) -> None:
    tree = squad()
    del tree["data"][0]["paragraphs"][0]["qas"][0][key]
    with pytest.raises(InputError, match=rf"qas\[0\] has no key '{key}'"):
        read_squad(write(tmp_path, tree))
