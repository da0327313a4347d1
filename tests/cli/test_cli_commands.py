"""The commands doing their work: what they print, the shapes of ``--json``, and what goes to which stream."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_runner import ENTRY_POINT, EXAMPLES, Rag, environment, error_of, process

from indexes import Index
from rag import __version__
from rag.cli.main import app
from rag.ingestion.loaders import extensions

KEY = "Where does the spare key of the pump house hang?"
GLASS = "How is the lantern glass wiped with vinegar?"
HORN = "How long does the fog horn sound?"

INGEST = {
    "added", "changed", "unchanged", "moved", "removed", "gone", "ignored", "spared", "failed", "chunks", "embedded",
    "generation", "seconds", "skipped", "failures", "stages", "index", "reported", "tokens", "bytes", "parse_seconds",
    "limit", "same", "near", "notes", "versions",
}  # fmt: skip
PASSAGE = {
    "id", "source", "title", "page", "headings", "start", "end", "text", "score", "dense", "lexical", "dense_rank",
    "lexical_rank", "reranked", "fused_rank", "prominence", "duplicates",
}  # fmt: skip
ANSWER = {
    "question", "answer", "abstained", "confidence", "generator", "citations", "sentences", "passages", "dropped",
    "finish_reason", "notes", "note_kinds", "timings", "usage", "generation", "config_digest",
    "short", "short_start", "kind", "claims", "band",
}  # fmt: skip


def sources(value: dict[str, Any]) -> set[str]:
    return {passage["source"] for passage in value["passages"]}


def give_stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


# Ingest -----------------------------------------------------------------------------------------------------


def test_ingest_adds_then_skips_then_replaces(corpus: Path, rag: Rag) -> None:
    first = rag("ingest", "docs")
    assert first.code == 0
    assert first.err == ""
    assert re.fullmatch(
        r"3 added, 0 changed, 0 unchanged, 0 failed · 6 chunks, 6 embedded \([\d.]+/s\)"
        r" · [\d.]+ s · generation 1 in \.rag\n"
        r"0\.00 MB, \d+ tokens \([\d,]+/s\) · time: [a-z ]+ \d+ %.* · bottleneck: [a-z ]+\n",
        first.out,
    )
    again = rag("ingest", "docs")
    assert again.out.startswith("0 added, 0 changed, 3 unchanged, 0 failed · 0 chunks, 0 embedded")
    assert again.out.endswith("generation 1 in .rag\n")

    (corpus / "docs" / "horn.txt").write_text("The fog horn sounds for nine seconds.\n", encoding="utf-8")
    changed = rag("ingest", "docs")
    assert changed.out.startswith("0 added, 1 changed, 2 unchanged, 0 failed · 1 chunk, 1 embedded")
    found = rag("search", HORN, "--filter", "source=docs/horn.txt")
    assert "nine seconds" in found.out
    assert "four seconds" not in found.out


LOADED = """
import sys
from rag.cli.main import main
code = main(["ingest", "docs", "--config", "cpu"])
print(code, "torch" in sys.modules)
"""


def test_the_embedder_is_loaded_only_where_there_is_something_to_embed(
    indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("rag.factory.make_embedder", refuse)
    ran = rag("ingest", "docs")
    assert ran.out.startswith("0 added, 0 changed, 3 unchanged, 0 failed · 0 chunks, 0 embedded")
    assert set(rag("ingest", "docs", "--json").json) == INGEST
    for path in (indexed / ".rag" / "dense").iterdir():
        shutil.rmtree(path)
    assert rag("ingest", "docs").code == 0
    assert rag("index", "info", "--json").json["derived"] == {"dense": 1, "lexical": 1}
    with pytest.raises(AssertionError, match="loaded"):
        rag("ingest", "docs", "--set", "chunking.size=64")
    (indexed / "docs" / "horn.txt").write_text("The horn is new.\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="loaded"):
        rag("ingest", "docs")
    (indexed / "docs" / "horn.txt").unlink()
    (indexed / "docs" / "new.txt").write_text("New.\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="loaded"):
        rag("ingest", "docs")


@pytest.mark.slow
def test_an_unchanged_folder_needs_no_torch(corpus: Path) -> None:
    environ = environment() | {"RAG_CONFIG": "cpu"}
    told = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environ, check=True)
        told.append(done.stdout.splitlines())
    assert told[0][-1].startswith("0 ")  # with torch or without: the embedder decides
    assert told[1][-1] == "0 False"
    assert told[1][0].startswith("0 added, 0 changed, 3 unchanged")


def test_ingest_json_has_every_count(corpus: Path, rag: Rag) -> None:
    value = rag("ingest", "docs", "--json").json
    assert set(value) == INGEST
    assert (value["added"], value["failed"], value["chunks"], value["embedded"]) == (3, 0, 6, 6)
    assert (value["failures"], value["skipped"], value["index"]) == ([], {}, ".rag")
    stages = value["stages"]
    assert set(stages) == {"find", "load", "read", "parse", "chunk", "tokenise", "embed", "compare", "write", "index"}
    assert sum(stages.values()) <= value["seconds"] + 0.01
    assert value["tokens"] > 6
    assert value["bytes"] == sum(path.stat().st_size for path in (corpus / "docs").iterdir())
    assert set(value["limit"]) == {"stage", "share"}
    assert value["parse_seconds"] > 0


def test_ingest_json_names_the_failures(corpus: Path, rag: Rag) -> None:
    (corpus / "docs" / "zero.txt").touch()
    ran = rag("ingest", "docs", "--json")
    assert ran.code == 7
    [failure] = ran.json["failures"]
    assert set(failure) == {"source", "reason", "message", "remedy"}
    assert failure["source"] == "docs/zero.txt"


def test_other_kinds_of_files_are_passed_over_and_counted(corpus: Path, rag: Rag) -> None:
    (corpus / "docs" / "photo.png").write_bytes(b"\x89PNG")
    (corpus / "docs" / ".hidden.txt").write_text("secret", encoding="utf-8")
    (corpus / "docs" / "photo.heic").write_bytes(b"\x00")
    ran = rag("ingest", "docs", "--set", "parsing.ocr=off")
    assert ran.code == 0
    assert ran.out.startswith("3 added")
    assert ran.err.splitlines() == [
        "skipped, unknown format: 1 .heic",
        "skipped, pictures without OCR: 1 .png; `rag doctor` says how to read them",
    ]


def test_a_linked_folder_is_passed_over_and_said(corpus: Path, rag: Rag) -> None:
    (corpus / "more").mkdir()
    (corpus / "more" / "soup.txt").write_text("Lentil soup on Mondays.\n", encoding="utf-8")
    (corpus / "docs" / "linked").symlink_to(corpus / "more", target_is_directory=True)
    (corpus / "docs" / "round").symlink_to(corpus / "docs", target_is_directory=True)
    ran = rag("ingest", "docs")
    assert ran.code == 0
    assert ran.out.startswith("3 added")
    assert ran.err == "skipped: 2 linked folders; to read one, name it\n"
    assert rag("ingest", "docs", "--json").json["skipped"] == {"linked folder": 2}
    assert rag("ingest", "docs/linked").out.startswith("1 added")


def test_in_folders_the_ending_decides_and_a_file_that_is_named_is_read(corpus: Path, rag: Rag) -> None:
    (corpus / "docs" / "tides.tide").write_text("harbour,tide\nNarvik,3.2 m\n", encoding="utf-8")
    ran = rag("ingest", "docs")
    assert (ran.out[:7], ran.err) == ("3 added", "skipped, unknown format: 1 .tide\n")
    assert rag("ingest", "docs/tides.tide").out.startswith("1 added")
    named = set(re.findall(r" (\.[a-z]+)", rag("ingest", "--help").out)) - {".ragignore", ".rag"}
    assert named <= set(extensions()), "the help names what is read"
    assert len(named) >= 8


def test_folders_of_the_users_own_beside_the_index_are_left_alone(corpus: Path, rag: Rag) -> None:
    for name in ("dense", "lexical"):
        (corpus / name / "src").mkdir(parents=True)
        (corpus / name / "src" / "precious.py").write_text("theirs", encoding="utf-8")
    for _ in range(2):
        (corpus / "docs" / "horn.txt").write_text(f"The horn is new, {time.monotonic()}.\n", encoding="utf-8")
        assert rag("ingest", "docs", "--index", ".").code == 0
    assert rag("index", "verify", "--repair", "--index", ".").code == 0
    for name in ("dense", "lexical"):
        assert (corpus / name / "src" / "precious.py").read_text(encoding="utf-8") == "theirs"
        assert len(list((corpus / name).iterdir())) == 2, "theirs and the newest of ours"


def test_long_lists_of_failures_are_cut_and_say_so(corpus: Path, rag: Rag) -> None:
    for number in range(23):
        (corpus / "docs" / f"zero-{number}.txt").touch()
    lines = rag("ingest", "docs").err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 3 more; `rag documents list --failed` lists them all"
    assert len(rag("index", "info", "--json").json["failures"]) == 23


def test_the_example_corpus_is_read_whole(work: Path, rag: Rag) -> None:
    ran = rag("ingest", str(EXAMPLES), "--json")
    assert ran.code == 0
    assert (ran.json["added"], ran.json["failures"]) == (12, [])
    manual = rag("search", "calibration plate", "--filter", "source=*field-manual.pdf", "--json").json
    assert "between 412 and 428 counts" in next(p["text"] for p in manual["passages"] if p["page"] == 2)
    windows_1251 = rag("search", "наименьшая видимость", "--filter", "source=*protokol.txt", "-k", "9", "--json")
    assert "37 метров" in "".join(p["text"] for p in windows_1251.json["passages"])


# Search -----------------------------------------------------------------------------------------------------


def test_search_prints_place_scores_and_text(indexed: Path, rag: Rag) -> None:
    ran = rag("search", GLASS, "-k", "1")
    assert ran.code == 0
    assert ran.err == ""
    place, scores, *text = ran.out.rstrip().splitlines()
    assert place == "[1] docs/lantern.md · Lantern handbook > Cleaning"
    assert re.fullmatch(
        r"    score [\d.]+, dense [\d.]+ \(rank 1\), lexical [\d.]+ \(rank 1\)",
        scores,
    )
    assert text[-1] == "    Wipe the lantern glass with vinegar every Friday."


def test_search_json(indexed: Path, rag: Rag) -> None:
    value = rag("search", KEY, "--json").json
    assert set(value) == {"question", "relevance", "generation", "passages", "config_digest"}
    best = value["passages"][0]
    assert set(best) == PASSAGE
    assert (best["source"], best["page"], best["headings"]) == ("docs/pump.pdf", 2, [])
    scores = [passage["score"] for passage in value["passages"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_k_is_the_number_of_passages(indexed: Path, rag: Rag, k: int) -> None:
    assert len(rag("search", KEY, "-k", str(k), "--json").json["passages"]) == k
    assert rag("search", KEY, "-k", str(k)).out.count("    score ") == k


def test_set_changes_a_value_and_k_wins_over_it(indexed: Path, rag: Rag) -> None:
    assert len(rag("search", KEY, "--set", "retrieval.k=2", "--json").json["passages"]) == 2
    assert len(rag("search", KEY, "--set", "retrieval.k=2", "-k", "1", "--json").json["passages"]) == 1


@pytest.mark.parametrize("command", ["search", "ask"])
@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("docs/*.md", {"docs/lantern.md"}),
        ("*.[tp]??", {"docs/horn.txt", "docs/pump.pdf"}),
        ("docs/pump.pdf", {"docs/pump.pdf"}),
        ("elsewhere/*", set()),
    ],
)
def test_a_filter_leaves_only_matching_documents(
    indexed: Path, rag: Rag, command: str, glob: str, expected: set[str]
) -> None:
    assert sources(rag(command, KEY, "--filter", f"source={glob}", "--json").json) == expected


def test_a_filter_that_matches_nothing_is_said(indexed: Path, rag: Rag) -> None:
    ran = rag("search", KEY, "--filter", "source=elsewhere/*")
    assert ran.code == 0
    assert ran.out == "Nothing found among the documents with source=elsewhere/*.\n"


# Ask --------------------------------------------------------------------------------------------------------


def test_ask_prints_the_answer_and_its_numbered_sources(indexed: Path, rag: Rag) -> None:
    ran = rag("ask", KEY)
    assert ran.code == 0
    assert ran.err == ""
    answer = "The spare key of the pump house hangs behind the third shelf."
    assert ran.out.splitlines() == [
        answer,
        "",
        "Sources",
        "[1] docs/pump.pdf · page 2",
        f"    “{answer}” (characters 35-96)",
        "",
        "Answered by fake, confidence 1.00",
    ]


def test_ask_names_the_heading_of_a_source(indexed: Path, rag: Rag) -> None:
    assert "[1] docs/lantern.md · Lantern handbook > Cleaning\n" in rag("ask", GLASS).out


def test_ask_abstains_and_shows_the_nearest_passages(indexed: Path, rag: Rag) -> None:
    lines = rag("ask", "zzz qqq").out.splitlines()
    assert lines[:3] == ["not in the documents", "", "Nearest passages"]
    assert lines[3].startswith("[1] docs/")
    assert lines[4].startswith("    ")  # its text
    assert sum(line.startswith("[") for line in lines) <= 3
    assert lines[-1] == "No answer by fake: no passage is similar enough to the question"
    value = rag("ask", "zzz qqq", "--json").json
    assert (value["abstained"], value["confidence"], value["citations"]) == (True, 0.0, [])


def test_an_unsupported_sentence_is_named(indexed: Path, rag: Rag) -> None:
    # Cut after one word, the fake's answer is "The", which no passage can support.
    ran = rag("ask", KEY, "--set", "prompt.max_tokens=1")
    assert "Not found in the passages: “The”\n\nPassages read\n[1] docs/" in ran.out
    assert ran.err == "note: The answer was cut at 1 token (prompt.max_tokens).\n"


def test_ask_json(indexed: Path, rag: Rag) -> None:
    ran = rag("ask", KEY, "--json")
    value = ran.json
    assert ran.code == 0
    assert set(value) == ANSWER
    assert value["answer"] == "The spare key of the pump house hangs behind the third shelf."
    assert (value["abstained"], value["confidence"]) == (False, 1.0)
    assert {key for citation in value["citations"] for key in citation} == {
        "passage", "source", "page", "start", "end", "quote", "around",
    }  # fmt: skip
    assert {key for passage in value["passages"] for key in passage} == PASSAGE
    assert {key for sentence in value["sentences"] for key in sentence} == {
        "text", "start", "end", "supported", "support", "citation",
    }  # fmt: skip
    assert set(value["timings"]) == {"load", "embed", "search", "prompt", "generate", "cite"}
    assert value["timings"]["load"] > 0
    assert set(value["usage"]) == {"prompt_tokens", "completion_tokens", "cached_tokens"}
    assert value["usage"]["prompt_tokens"] > value["usage"]["completion_tokens"] > 0
    assert value["config_digest"] == rag("config", "show", "--json").json["digest"]


@pytest.mark.parametrize("question", [KEY, GLASS, HORN])
def test_quotes_stand_in_the_stored_text_where_they_say(indexed: Path, rag: Rag, question: str) -> None:
    value = rag("ask", question, "--json").json
    store = Index.open(indexed / ".rag").store
    assert value["citations"]
    for citation in value["citations"]:
        text = store.text(citation["source"])
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        assert citation["passage"] in {passage["id"] for passage in value["passages"]}
    for passage in value["passages"]:
        assert store.text(passage["source"])[passage["start"] : passage["end"]] == passage["text"]
    store.close()


def test_ask_reads_questions_from_stdin(indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, f"{KEY}\n\n  {GLASS}\n{HORN}")
    ran = rag("ask", "-")
    assert ran.code == 0
    assert [line[2:] for line in ran.out.splitlines() if line.startswith("> ")] == [KEY, GLASS, HORN]
    assert ran.out.count("\nSources\n") == 3


def test_ask_from_stdin_prints_one_json_value_a_line(indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, f"{KEY}\n{GLASS}\n")
    values = [json.loads(line) for line in rag("ask", "-", "--json").out.splitlines()]
    assert [value["question"] for value in values] == [KEY, GLASS]
    assert [value["timings"]["load"] > 0 for value in values] == [True, False]  # who waited for the models


# Ask, a file of questions -----------------------------------------------------------------------------------


@pytest.fixture
def questions(indexed: Path) -> Path:
    path = indexed / "questions.jsonl"
    rows = [{"question": KEY, "id": "key"}, {"question": GLASS}, {"question": "zzz qqq", "id": 3}]
    path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_a_batch_answers_each_line(questions: Path, rag: Rag) -> None:
    ran = rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "3 answered, 0 already there, 0 failed · answers.jsonl\n"
    rows = read_rows(Path("answers.jsonl"))
    assert [(row["line"], row["id"], row["question"]) for row in rows] == [
        (1, "key", KEY),
        (3, None, GLASS),
        (5, 3, "zzz qqq"),
    ]
    assert all(set(row) == ANSWER | {"line", "id", "filter", "generation"} for row in rows)
    assert [row["abstained"] for row in rows] == [False, False, True]


def test_a_batch_answers_like_single_questions(questions: Path, rag: Rag) -> None:
    rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    for row in read_rows(Path("answers.jsonl")):
        alone = rag("ask", row["question"], "--json").json
        for key in ANSWER - {"timings"}:
            assert row[key] == alone[key]


def test_a_batch_obeys_the_filter(questions: Path, rag: Rag) -> None:
    rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl", "--filter", "source=*.md")
    rows = read_rows(Path("answers.jsonl"))
    assert {s for row in rows for s in sources(row)} == {"docs/lantern.md"}
    assert [(row["filter"], row["generation"]) for row in rows] == [(["source=*.md"], 1)] * len(rows)


def test_a_batch_with_nothing_to_do_starts_no_models(questions: Path, rag: Rag) -> None:
    rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    digest = read_rows(Path("answers.jsonl"))[0]["config_digest"]
    missing = ("--set", "embedding.model=./nowhere")
    other = rag("config", "show", *missing, "--json").json["digest"]
    text = Path("answers.jsonl").read_text(encoding="utf-8")
    Path("answers.jsonl").write_text(text.replace(digest, other), encoding="utf-8")
    ran = rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl", *missing)
    assert (ran.code, ran.out) == (0, "0 answered, 3 already there, 0 failed · answers.jsonl\n")


def test_a_stream_that_lacks_evidence_ends_in_an_abstention(indexed: Path, rag: Rag) -> None:
    cut = ("--set", "prompt.max_tokens=1", "--set", "answers.min_confidence=0.5")
    lines = rag("ask", KEY, *cut).out.splitlines()
    assert lines[:5] == ["The", "", "The passages do not support this: not in the passages", "", "Nearest passages"]
    assert rag("ask", KEY, *cut, "--json").json["answer"] == "not in the passages"


def test_a_batch_reports_as_json(questions: Path, rag: Rag) -> None:
    value = rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl", "--json").json
    assert value == {"answered": 3, "resumed": 0, "failed": [], "out": "answers.jsonl"}


@pytest.mark.parametrize("kept", [0, 1, 2, 3], ids=lambda n: f"{n} whole lines")
def test_a_cut_batch_goes_on_where_it_was(questions: Path, rag: Rag, kept: int) -> None:
    rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    answers = Path("answers.jsonl")
    whole = answers.read_text(encoding="utf-8").splitlines(keepends=True)
    answers.write_text("".join(whole[:kept]) + "".join(whole[kept : kept + 1])[:40], encoding="utf-8")
    ran = rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{3 - kept} answered, {kept} already there, 0 failed · answers.jsonl\n"
    assert answers.read_text(encoding="utf-8").splitlines(keepends=True)[:kept] == whole[:kept]
    assert [row["line"] for row in read_rows(answers)] == [1, 3, 5]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"], ids=["U+2028", "U+2029", "U+0085"])
def test_line_separators_in_a_document_do_not_undo_a_batch(corpus: Path, rag: Rag, separator: str) -> None:
    (corpus / "docs" / "horn.txt").write_text(f"The fog horn{separator}sounds.\n", encoding="utf-8")
    (corpus / "questions.jsonl").write_text(json.dumps({"question": HORN}), encoding="utf-8")
    rag("ingest", "docs")
    command = ("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    assert rag(*command).out.startswith("1 answered, 0 already there")
    assert rag(*command).out.startswith("0 answered, 1 already there")


def test_a_question_that_changed_is_asked_again(questions: Path, rag: Rag) -> None:
    rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    questions.write_text(questions.read_text(encoding="utf-8").replace(GLASS, HORN), encoding="utf-8")
    ran = rag("ask", "--batch", "questions.jsonl", "--out", "answers.jsonl")
    assert ran.out.startswith("1 answered, 2 already there")
    assert ran.err.endswith("1 of the questions answered in answers.jsonl have changed and are asked again\n")
    assert {row["question"] for row in read_rows(Path("answers.jsonl"))} == {KEY, HORN, "zzz qqq"}


# Index, config, doctor --------------------------------------------------------------------------------------


def test_index_info(indexed: Path, rag: Rag) -> None:
    ran = rag("index", "info")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^index +\.rag \([\d.]+ MB\), generation 1$", ran.out, re.MULTILINE)
    assert re.search(r"^documents +3 ready, 0 stale, 0 failed$", ran.out, re.MULTILINE)
    assert "  chunking.size = 200\n" in ran.out


def test_index_info_says_why_there_are_more_vectors_than_chunks(indexed: Path, rag: Rag) -> None:
    assert re.search(r"^chunks +6$", rag("index", "info").out, re.MULTILINE)
    (indexed / "docs" / "horn.txt").write_text("The horn is new.\n", encoding="utf-8")
    rag("ingest", "docs")
    assert re.search(
        r"^chunks +6, and 1 unused vector for texts that may come back$",
        rag("index", "info").out,
        re.MULTILINE,
    )


def test_index_info_json(indexed: Path, rag: Rag) -> None:
    value = rag("index", "info", "--json").json
    assert set(value) == {
        "index", "generation", "counts", "bytes", "settings", "derived", "commits", "failures", "problems",
    }  # fmt: skip
    assert value["counts"] == {
        "ready": 3, "stale": 0, "failed": 0, "chunks": 6, "vectors": 6, "tombstones": 0,
    }  # fmt: skip
    assert value["derived"] == {"dense": 1, "lexical": 1}
    assert value["settings"]["embedding.model"] == "fake"
    assert [set(commit) for commit in value["commits"]] == [
        {"generation", "committed_at", "added", "changed", "removed", "failed", "run", "milliseconds", "bytes"}
    ]


BROKEN_CALIBRATIONS = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b'{"min_confidence": 2, "answering": "", "run": ""}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", BROKEN_CALIBRATIONS, ids=lambda content: content[:12].decode("latin-1"))
def test_a_broken_calibration_stops_answers_only(indexed: Path, rag: Rag, content: bytes) -> None:
    (indexed / ".rag" / "calibration.json").write_bytes(content)
    problem = ".rag/calibration.json is not a calibration; delete it, or run `rag eval calibrate` again"
    ran = rag("index", "info")
    assert (ran.code, ran.err) == (0, f"warning: {problem}\n")
    assert re.search(r"^documents +3 ready, 0 stale, 0 failed$", ran.out, re.MULTILINE)
    assert rag("index", "info", "--json").json["problems"] == [problem]
    for arguments in [("search", KEY), ("why", KEY, "--expect", "pump.pdf"), ("documents", "list")]:
        assert rag(*arguments).code == 0
    for arguments in [("ask", KEY), ("ask", "-"), ("ask", "--batch", "q.jsonl", "--out", "a.jsonl")]:
        asked = rag(*arguments)
        assert asked.code == 2
        assert error_of(asked)[0] == ".rag/calibration.json is not a calibration"


@pytest.mark.parametrize("name", ["calibration.json", "dense", "lexical"])
def test_index_info_shows_the_rest_where_something_cannot_be_read(
    indexed: Path, unprivileged: list[str], name: str
) -> None:
    (indexed / ".rag" / "calibration.json").write_text("{}", encoding="utf-8")
    (indexed / ".rag" / name).chmod(0)
    ran = process("index", "info", prefix=unprivileged)
    (indexed / ".rag" / name).chmod(0o755)
    assert ran.code == 0
    assert f"warning: .rag/{name} " in ran.err
    assert re.search(r"^documents +3 ready, 0 stale, 0 failed$", ran.out, re.MULTILINE)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff", b'{"version": 1}'])
def test_index_info_takes_a_broken_manifest_for_none(indexed: Path, rag: Rag, content: bytes) -> None:
    [manifest] = (indexed / ".rag" / "dense").glob("*/manifest.json")
    manifest.write_bytes(content)
    ran = rag("index", "info")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^dense +built at the next ingestion$", ran.out, re.MULTILINE)


def test_index_verify(indexed: Path, rag: Rag) -> None:
    ran = rag("index", "verify")
    assert (ran.code, ran.out, ran.err) == (0, "no problems: generation 1, 6 chunks\n", "")
    assert rag("index", "verify", "--json").json == {"ok": True, "problems": [], "repaired": False}


def test_reembed_makes_the_index_anew_without_the_files(indexed: Path, rag: Rag) -> None:
    for path in (indexed / "docs").iterdir():
        path.unlink()
    smaller = ("--set", "chunking.size=16", "--set", "chunking.overlap=4")
    ran = rag("index", "reembed", *smaller)
    assert ran.code == 0
    assert re.fullmatch(r"3 documents, \d+ chunks, \d+ embedded · [\d.]+ s · generation 2 in \.rag\n", ran.out)
    assert rag("index", "info", "--json").json["settings"]["chunking.size"] == 16
    assert rag("search", KEY, *smaller, "--json").json["passages"][0]["source"] == "docs/pump.pdf"
    assert rag("index", "verify").code == 0
    assert set(rag("index", "reembed", "--json").json) == INGEST


def test_config_show_says_where_values_come_from(work: Path, rag: Rag) -> None:
    (work / "mine.yaml").write_text("extends: test\nretrieval:\n  k: 9\n", encoding="utf-8")
    ran = rag("config", "show", "--config", "mine.yaml", "--set", "retrieval.rrf_k=7")
    rows = {line.split()[0]: line.split(maxsplit=2) for line in ran.out.splitlines()}
    assert rows["embedding.model"][1:] == ['"fake"', "preset test"]
    assert rows["retrieval.k"][1:] == ["9", "file mine.yaml"]
    assert rows["retrieval.rrf_k"][1:] == ["7", "--set"]
    assert rows["chunking.size"][1:] == ["200", "default"]
    assert re.fullmatch("[0-9a-f]{16}", rows["digest"][1])


def test_config_show_json(work: Path, rag: Rag) -> None:
    value = rag("config", "show", "--json").json
    assert set(value) == {"digest", "values"}
    assert value["values"]["embedding.model"] == {"value": "fake", "from": "preset test"}
    assert rag("config", "show", "--set", "retrieval.k=9", "--json").json["digest"] != value["digest"]


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["text", "json"])
def test_config_show_hides_a_password(work: Path, rag: Rag, json_: tuple[str, ...]) -> None:
    ran = rag("config", "show", "--set", "generator.openai.base_url=http://me:se@cret@host:8000/v1", *json_)
    assert "http://***@host:8000/v1" in ran.out
    assert "cret" not in ran.out


def test_doctor(indexed: Path, rag: Rag) -> None:
    ran = rag("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^ok    index       3 documents ready, 6 chunks, verified$", ran.out, re.MULTILINE)


def test_doctor_json(indexed: Path, rag: Rag) -> None:
    findings = rag("doctor", "--json").json
    assert all(set(finding) == {"check", "state", "found", "fix"} for finding in findings)
    assert all(finding["fix"] for finding in findings if finding["state"] != "ok")
    assert {finding["check"] for finding in findings} == {
        "python", "sqlite", "torch", "faiss", "tantivy", "generator", "ocr", "disk", "index",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "state", "told"),
    [
        (["embedding.model=bundled:minilm", "embedding.device=cuda:0"], "fail", "embedding.device is cuda:0"),
        (["index.dense.gpu=shard"], "fail", "index.dense.gpu is shard, and this FAISS sees no GPU"),
        (
            ["generator.type=vllm", "generator.vllm.tensor_parallel_size=2"],
            "fail", "generator.vllm.tensor_parallel_size is 2, and there is no GPU",
        ),
        (
            ["generator.type=vllm", "generator.model=Qwen/Qwen2.5-7B-Instruct"],
            "warn", "Qwen/Qwen2.5-7B-Instruct would run on the CPU",
        ),
        (["generator.type=vllm", "generator.model=bundled:smollm2"], None, ""),
    ],
)  # fmt: skip
def test_the_doctor_says_where_a_gpu_is_wanted_and_missing(
    work: Path, rag: Rag, settings: list[str], state: str | None, told: str
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    ran = rag("doctor", "--json", *(word for setting in settings for word in ("--set", setting)))
    found = [finding for finding in ran.json if finding["check"] == "gpu"]
    assert [finding["state"] for finding in found] == ([state] if state else [])
    assert all(told in finding["found"] and "--" in finding["fix"] for finding in found)
    if state == "fail":
        assert ran.code == 1


def test_doctor_only_warns_where_there_is_no_index_yet(work: Path, rag: Rag) -> None:
    ran = rag("doctor", "--json")
    assert ran.code == 0
    [index] = [finding for finding in ran.json if finding["check"] == "index"]
    assert (index["state"], index["fix"]) == ("warn", "run `rag ingest PATH`")


# Options, help, environment ---------------------------------------------------------------------------------


def test_the_index_is_named_by_the_environment_and_the_option_wins(
    indexed: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    (indexed / ".rag").rename(indexed / "elsewhere")
    assert rag("index", "info").code == 4
    monkeypatch.setenv("RAG_INDEX", "elsewhere")
    assert rag("index", "info", "--json").json["index"] == "elsewhere"
    assert rag("index", "info", "--index", ".rag").code == 4


def test_the_configuration_is_named_by_the_environment_and_the_option_wins(
    work: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def k(*arguments: str) -> int:
        return int(rag("config", "show", *arguments, "--json").json["values"]["retrieval.k"]["value"])

    monkeypatch.delenv("RAG_CONFIG")
    assert k() == 10
    monkeypatch.setenv("RAG_CONFIG", "cluster")
    assert k() == 8
    assert k("--config", "test") == 5


def test_version(work: Path, rag: Rag) -> None:
    ran = rag("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"rag {__version__}\n", "")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in sorted(group.list_commands(None)):
        command = group.get_command(None, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def test_these_are_the_commands() -> None:
    assert [" ".join(path) for path, _ in COMMANDS] == [
        "ask", "config", "config show", "doctor", "documents", "documents list", "documents rm", "documents show",
        "documents text",
        "eval", "eval calibrate", "eval compare", "eval run", "eval score", "eval sweep",
        "index", "index compact", "index info", "index reembed", "index restore", "index rollback", "index snapshot",
        "index verify", "ingest",
        "search", "train", "train finish", "train reader", "train reranker", "ui", "watch",
        "why",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_help_describes_a_command_and_each_of_its_options(
    work: Path, rag: Rag, path: tuple[str, ...], command: Any
) -> None:
    ran = rag(*path, "--help")
    shown = re.sub(r"\x1b\[[\d;]*m", "", ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert command.help
    assert command.help.split(".")[0] in " ".join(shown.split())
    for parameter in command.params:
        assert parameter.help, parameter.name
        for option in (
            parameter.opts if parameter.param_type_name == "option" else [parameter.metavar or parameter.name]
        ):
            assert option in shown


def test_help_lists_the_commands_and_the_exit_codes(work: Path, rag: Rag) -> None:
    shown = " ".join(rag("--help").out.split())
    for path, _ in COMMANDS:
        if len(path) == 1:
            assert path[0] in shown
    for told in ["0 ok", "1 error", "2 usage", "4 no index", "5 index damaged", "6 generator unreachable",
                 "7 some files failed", "75 index locked", "130 interrupted"]:  # fmt: skip
        assert told in shown


def complete(**asked: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENTRY_POINT], env=environment(**asked), capture_output=True, text=True, timeout=60, check=True
    )


def test_a_completion_script_is_printed() -> None:
    assert "_RAG_COMPLETE=complete_bash" in complete(_RAG_COMPLETE="source_bash").stdout


def test_completion_completes_commands() -> None:
    asked = complete(_RAG_COMPLETE="complete_bash", COMP_WORDS="rag in", COMP_CWORD="1")
    assert asked.stdout.split() == ["ingest", "index"]


# Streams ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "docs"),
        ("search", KEY),
        ("ask", KEY),
        ("index", "info"),
        ("index", "verify"),
        ("config", "show"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_stdout_is_one_json_value_and_stderr_is_empty(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag(*arguments, "--json")
    assert ran.code == 0
    assert ran.json
    assert ran.err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_data_and_progress_go_separate_ways_in_a_real_process(corpus: Path) -> None:
    import pty

    (corpus / "docs" / "zero.txt").touch()
    controller, terminal = pty.openpty()
    with open(controller, "rb", buffering=0) as seen:
        worker = subprocess.Popen(
            [ENTRY_POINT, "ingest", "docs", "--json"], env=environment(TERM="xterm"), stdout=subprocess.PIPE,
            stderr=terminal, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(terminal)
        shown = b""
        try:
            while piece := seen.read(4096):
                shown += piece
        except OSError:  # Linux's way of saying that the other end was closed
            pass
        out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 7
    assert json.loads(out)["added"] == 3
    assert b"chunks/s" in shown
    assert b"4 of 4 files" in shown
    assert b"failed: docs/zero.txt: the file is empty; fill it or remove it\r\n" in shown
