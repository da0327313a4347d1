"""Datasets: both formats, samples, the named sets with an injected download, and every kind of bad file."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import squad_download
from eval.datasets import Dataset, Question, corpus_sha256, load_dataset, sample
from eval.errors import EvalError
from eval.squad_download import OFFICIAL, OfficialFile

SQUAD = Path(__file__).parents[3] / "shared" / "data" / "squad"
needs_squad = pytest.mark.skipif(not SQUAD.is_dir(), reason="../shared/data/squad is missing")


def squad_file(**changes: Any) -> dict[str, Any]:
    answers = [{"text": "Denver", "answer_start": 0}, {"text": "won", "answer_start": 7}]
    qas = [{"id": "q1", "question": "Who?", "answers": answers}]
    paragraphs = [{"context": "Denver won. Denver is big.", "qas": qas}, {"context": "Nothing asked.", "qas": []}]
    return {"version": "1.1", "data": [{"title": "Super_Bowl_50", "paragraphs": paragraphs}], **changes}


def write(folder: Path, content: object, name: str = "set.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_squad_shape(tmp_path: Path) -> None:
    path = write(tmp_path, squad_file())
    found = load_dataset(path)
    assert (found.name, found.version, found.misplaced) == ("set", "1.1", 0)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    source = "Super_Bowl_50/001.md"
    assert found.questions == (Question("q1", "Who?", ("Denver", "won"), (0, 7), 0, source),)
    assert [p.source for p in found.paragraphs] == [source, "Super_Bowl_50/002.md"]
    assert found.paragraphs[0].text == "Denver won. Denver is big."
    assert found.official
    assert not found.has_unanswerable


@pytest.mark.parametrize(
    ("version", "flag", "expected"),
    [
        ("1.1", None, "1.1"),
        ("v2.0", None, "2.0"),
        (2, None, "2.0"),
        ("1.1", False, "1.1"),  # a rebuilt file flags every question and is still 1.1
        (None, None, "1.1"),
        (None, False, "2.0"),
    ],
)
def test_the_version(tmp_path: Path, version: object, flag: bool | None, expected: str) -> None:
    content = squad_file(version=version)
    if flag is not None:
        content["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = flag
    assert load_dataset(write(tmp_path, content)).version == expected


@pytest.mark.parametrize("flag", [{}, {"is_impossible": True}, {"is_impossible": False}])
def test_without_answers_a_question_is_unanswerable(tmp_path: Path, flag: dict[str, bool]) -> None:
    content = squad_file(version="v2.0")
    content["data"][0]["paragraphs"][0]["qas"].append({"id": "q2", "question": "Why?", "answers": [], **flag})
    found = load_dataset(write(tmp_path, content))
    assert found.has_unanswerable
    assert found.questions[1].answers == found.questions[1].starts == ()


@pytest.mark.parametrize(
    ("start", "text", "expected", "misplaced"),
    [(12, "Denver", 12, 0), (3, "Denver", 0, 0), (-4, "Denver", 0, 0), (None, "won", 7, 0), (0, "Paris", -1, 1)],
)
def test_answer_starts_are_mended_or_counted(
    tmp_path: Path, start: int | None, text: str, expected: int, misplaced: int
) -> None:
    content = squad_file()
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"] = [{"text": text, "answer_start": start}]
    found = load_dataset(write(tmp_path, content))
    assert (found.questions[0].starts, found.misplaced) == ((expected,), misplaced)


def test_sources_are_unique_and_safe_paths(tmp_path: Path) -> None:
    titles = [
        "../../etc/passwd",
        "A b",
        "a_B",
        "",
        "nul",
        "Größe 中文",
        "x" * 500,
        "...",
        "C:\\x",
        "a\x00b",
        "中" * 300,
    ]
    paragraphs = squad_file()["data"][0]["paragraphs"][1:]
    articles = [{"title": title, "paragraphs": paragraphs} for title in titles]
    found = load_dataset(write(tmp_path, squad_file(data=squad_file()["data"] + articles)))
    sources = [paragraph.source for paragraph in found.paragraphs]
    assert len({source.casefold() for source in sources}) == len(sources)
    for source in sources:
        folder, name = PurePosixPath(source).parts
        assert folder not in {".", "..", "nul"}
        assert not set(folder) & set('<>:"/\\|?*\0')
        assert max(len(folder.encode()), len(name)) < 255
        (tmp_path / "corpus" / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "corpus" / source).write_text("x")


PARAGRAPH = "data[0].paragraphs[0]"
QA = f"{PARAGRAPH}.qas[0]"
ANSWER = f"{QA}.answers[1]"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("data",), None, '"data" is missing'),
        (("data",), {}, '"data" must be a list, not dict'),
        (("data", 0), "x", "data[0] must be an object, not str"),
        (("data", 0, "title"), 5, 'data[0]: "title" must be a text'),
        (("data", 0, "paragraphs"), None, 'data[0]: "paragraphs" is missing'),
        (("data", 0, "paragraphs", 0, "context"), None, f'{PARAGRAPH}: "context" is missing'),
        (("data", 0, "paragraphs", 0, "context"), " ", f'{PARAGRAPH}: "context" is blank'),
        (("data", 0, "paragraphs", 0, "qas"), None, f'{PARAGRAPH}: "qas" is missing'),
        (("data", 0, "paragraphs", 0, "qas", 0, "id"), None, f'{QA}: "id" is missing'),
        (("data", 0, "paragraphs", 0, "qas", 0, "id"), 7.5, f'{QA}: "id" must be a text, not float'),
        (("data", 0, "paragraphs", 0, "qas", 0, "question"), None, f'{QA}: "question" is missing'),
        (("data", 0, "paragraphs", 0, "qas", 0, "question"), "\n", f'{QA}: "question" is blank'),
        (("data", 0, "paragraphs", 0, "qas", 0, "question"), "\ud800", f'{QA}: "question" is not valid Unicode'),
        (("data", 0, "paragraphs", 0, "qas", 0, "answers"), None, f'{QA}: "answers" is missing'),
        (("data", 0, "paragraphs", 0, "qas", 0, "answers"), [], f'{QA}: "answers" is empty'),
        (("data", 0, "paragraphs", 0, "qas", 0, "answers", 1, "text"), None, f'{ANSWER}: "text" is missing'),
        (("data", 0, "paragraphs", 0, "qas", 0, "answers", 1, "answer_start"), "7", f'{ANSWER}: "answer_start" must'),
        (("data", 0, "paragraphs", 0, "qas", 0, "answers", 1, "answer_start"), True, f'{ANSWER}: "answer_start" must'),
        (("data", 0, "paragraphs", 0, "qas", 0, "is_impossible"), "no", f'{QA}: "is_impossible" must be true or false'),
        (("data", 0, "paragraphs", 0, "qas", 0, "is_impossible"), True, f'{QA}: "is_impossible" is true'),
    ],
)
def test_what_is_not_squad_shaped_is_refused_with_its_place(
    tmp_path: Path, path: tuple[Any, ...], value: object, message: str
) -> None:
    content = copy.deepcopy(squad_file())
    part: Any = content
    for key in path[:-1]:
        part = part[key]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    with pytest.raises(EvalError) as caught:
        load_dataset(write(tmp_path, content))
    assert message in caught.value.message
    assert "set.json" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "must be an object, not list"),
        ('{"data": []}', "has no questions"),
        ('{"data": NaN}', "NaN is not a number"),
        ("{", "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_an_invalid_json_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(EvalError, match=message):
        load_dataset(write(tmp_path, content))


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    content = squad_file()
    content["data"] += content["data"]
    with pytest.raises(EvalError, match="two questions have the id 'q1'"):
        load_dataset(write(tmp_path, content))


def test_jsonl(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "question": "One\u2028line?", "answers": ["x", "y"], "source": "doc.pdf", "owner": "me"},
        {"question": "Two?", "answers": "x"},
        {"id": 3, "question": "Three?", "answers": [], "source": None},
    ]
    text = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    found = load_dataset(write(tmp_path, "\ufeff" + text.replace("\r\n", "\r\n\r\n", 1) + "\n", "own.jsonl"))
    assert (found.name, found.version, found.paragraphs, found.official) == ("own", "jsonl", (), False)
    assert found.questions == (
        Question("a", "One\u2028line?", ("x", "y"), source="doc.pdf"),
        Question("line-3", "Two?", ("x",)),
        Question("3", "Three?", ()),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is not an object"),
        ('{"answers": []}', '"question" is missing'),
        ('{"question": " ", "answers": []}', '"question" must be a non-blank text'),
        ('{"question": 5, "answers": []}', '"question" must be'),
        ('{"question": "Q?"}', '"answers" is missing'),
        ('{"question": "Q?", "answers": ""}', '"answers" must be'),
        ('{"question": "Q?", "answers": ["x", " "]}', '"answers" must be'),
        ('{"question": "Q?", "answers": [5]}', '"answers" must be'),
        ('{"question": "Q?", "answers": null}', '"answers" must be'),
        ('{"question": "Q?", "answers": NaN}', "NaN is not a number"),
        ('{"question": "Q?", "answers": [], "source": ""}', '"source" must be'),
        ('{"question": "Q?", "answers": [], "id": ""}', '"id" must be'),
        ('{"question": "Q?", "answers": [], "id": true}', '"id" must be'),
        ('{"question": "Q?", "answers": [], "answers": ["x"]}', "'answers' is repeated"),
    ],
)
def test_an_invalid_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    good = '{"question": "Good?", "answers": ["x"]}'
    with pytest.raises(EvalError) as caught:
        load_dataset(write(tmp_path, f"{good}\n{line}\n{good}\n", "own.jsonl"))
    assert "line 2" in caught.value.message
    assert message in caught.value.message


def test_jsonl_without_questions_or_with_repeated_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="has no questions"):
        load_dataset(write(tmp_path, "\n\n", "own.jsonl"))
    row = '{"id": "line-2", "question": "Q?", "answers": []}\n'
    with pytest.raises(EvalError, match="'line-2'"):
        load_dataset(write(tmp_path, row + '{"question": "Q?", "answers": []}\n', "own.jsonl"))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"data": "\xe9"}')
    with pytest.raises(EvalError, match="is not UTF-8"):
        load_dataset(path)
    with pytest.raises(EvalError, match="does not exist"):
        load_dataset(tmp_path / "none.json")
    with pytest.raises(EvalError, match=r"is not a dataset.*`squad` or `squad_v2`"):
        load_dataset("squad_v3")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(EvalError, match="is not a BEIR folder"):
        load_dataset(tmp_path / "folder.json")


# -- samples ----------------------------------------------------------------------------------------------------------


def made_of(answerable: int, impossible: int) -> Dataset:
    questions = [Question(f"q{n}", "Q?", ("x",) if n < answerable else ()) for n in range(answerable + impossible)]
    return Dataset("made", "2.0", "", tuple(questions), ())


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 70), st.integers(1, 70), st.integers(0, 5))
def test_samples_are_stratified_nested_and_in_order(yes: int, no: int, one: int, other: int, seed: int) -> None:
    if yes + no == 0:
        return
    dataset = made_of(yes, no)
    small, large = sorted((one, other))
    drawn, more = sample(dataset, small, seed), sample(dataset, large, seed)
    assert set(drawn.questions) <= set(more.questions)
    assert len(drawn.questions) == min(small, yes + no)
    assert list(drawn.questions) == [q for q in dataset.questions if q in set(drawn.questions)]
    share = sum(bool(q.answers) for q in drawn.questions) / len(drawn.questions)
    assert abs(share - yes / (yes + no)) <= 0.5 / len(drawn.questions) + 1e-9
    assert drawn == sample(dataset, small, seed)


def test_another_seed_draws_others_and_no_limit_draws_all() -> None:
    dataset = made_of(100, 100)
    assert sample(dataset, 50, 0).questions != sample(dataset, 50, 1).questions
    assert sample(dataset, None, 0) is dataset
    assert sample(dataset, 200, 0) == dataset


def test_the_draw_does_not_depend_on_the_order_of_the_file() -> None:
    dataset = made_of(50, 50)
    turned = Dataset("made", "2.0", "", dataset.questions[::-1], ())
    assert set(sample(dataset, 20, 3).questions) == set(sample(turned, 20, 3).questions)


@pytest.mark.parametrize("limit", [0, -1])
def test_an_empty_sample_is_refused(limit: int) -> None:
    with pytest.raises(EvalError, match="sample"):
        sample(made_of(5, 0), limit, 0)


def test_the_corpus_digest_is_of_the_paragraphs_alone(tmp_path: Path) -> None:
    base = load_dataset(write(tmp_path, squad_file()))
    other = squad_file()
    other["data"][0]["paragraphs"][0]["qas"][0]["question"] = "Who won?"
    assert corpus_sha256(load_dataset(write(tmp_path, other))) == corpus_sha256(base)
    other["data"][0]["paragraphs"][1]["context"] = "Nothing asked?"
    assert corpus_sha256(load_dataset(write(tmp_path, other))) != corpus_sha256(base)


# -- the sets that are known by name ----------------------------------------------------------------------------------


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small file in the place of the official one, and no ban on downloading."""
    found = json.dumps(squad_file()).encode()
    monkeypatch.setitem(OFFICIAL, "squad", OfficialFile("dev-v1.1.json", hashlib.sha256(found).hexdigest()))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    return found


class Site:
    """Answers like the site, and counts."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer, self.asked = answer, [""][:0]

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_named_set_is_downloaded_once(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(content)
    cache = tmp_path / "cache" / "datasets"
    first = load_dataset("squad", cache=cache, fetch=site)
    assert first == load_dataset("squad", cache=cache, fetch=site)
    assert site.asked == ["https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json"]
    assert (first.name, [p.name for p in cache.iterdir()]) == ("dev-v1.1", ["dev-v1.1.json"])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert load_dataset("squad", cache=cache) == first


def test_a_damaged_copy_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dev-v1.1.json").write_bytes(content[:-10])
    site = Site(content)
    assert load_dataset("squad", cache=tmp_path, fetch=site).name == "dev-v1.1"
    assert len(site.asked) == 1


def test_offline_a_sentence_names_the_file_to_supply(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    site = Site(content)
    with pytest.raises(EvalError) as caught:
        load_dataset("squad", cache=tmp_path, fetch=site)
    assert "HF_HUB_OFFLINE" in caught.value.message
    assert "rag eval /path/to/dev-v1.1.json" in caught.value.remedy
    assert str(tmp_path / "dev-v1.1.json") in caught.value.remedy
    assert site.asked == []
    (tmp_path / "dev-v1.1.json").write_bytes(b"damaged")
    with pytest.raises(EvalError, match="does not have the official checksum"):
        load_dataset("squad", cache=tmp_path, fetch=site)


@pytest.mark.parametrize("error", [OSError("no route to host"), TimeoutError("late"), ValueError("broke off")])
def test_a_failed_download_is_an_error_and_leaves_no_file(tmp_path: Path, content: bytes, error: Exception) -> None:
    with pytest.raises(EvalError, match="could not be downloaded") as caught:
        load_dataset("squad", cache=tmp_path, fetch=Site(error))
    assert str(error) in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_other_content_is_refused_and_not_stored(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EvalError, match="official checksum"):
        load_dataset("squad", cache=tmp_path, fetch=Site(content + b" "))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EvalError, match="cannot be written"):
        load_dataset("squad", cache=tmp_path / "file" / "cache", fetch=Site(content))


def test_the_pinned_checksums_are_complete() -> None:
    assert set(OFFICIAL) == {"squad", "squad_v2"}
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in OFFICIAL.values())
    assert squad_download.default_cache().parts[-2:] == ("rag-qa", "datasets")


@pytest.mark.squad
@needs_squad
def test_the_development_sets() -> None:
    v1, v2 = load_dataset(SQUAD / "dev-v1.1.json"), load_dataset(SQUAD / "dev-v2.0.json")
    assert (v1.version, len(v1.questions), len(v1.paragraphs), v1.misplaced) == ("1.1", 10570, 2067, 0)
    assert (v2.version, len(v2.questions), len(v2.paragraphs), v2.misplaced) == ("2.0", 11873, 1204, 0)
    assert not v1.has_unanswerable
    assert sum(not q.answers for q in v2.questions) == 5945
    drawn = sample(v2, 300, 0)
    assert sum(not q.answers for q in drawn.questions) == 150
    assert corpus_sha256(drawn) == corpus_sha256(v2)
    for dataset in (v1, v2):
        for question in dataset.questions:
            text = dataset.paragraphs[question.paragraph or 0].text
            assert all(text.startswith(a, s) for a, s in zip(question.answers, question.starts, strict=True))


def test_importing_the_package_loads_nothing_heavy() -> None:
    names = [
        "metrics",
        "datasets",
        "squad_format",
        "squad_scores",
        "statistics",
        "abstention",
        "comparison",
        "files",
        "squad_download",
        "runs",
    ]
    code = "import sys\n" + "".join(f"import eval.{name}\n" for name in names)
    code += "print(sorted({name.partition('.')[0] for name in sys.modules} & "
    code += "{'scipy', 'sklearn', 'pandas', 'plotly', 'torch', 'rag', 'indexes', 'ui', 'platformdirs'}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
