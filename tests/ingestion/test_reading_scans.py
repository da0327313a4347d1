"""A folder with scans and pictures is ingested: notes, boxes of citations, and reading again once there is OCR."""

from __future__ import annotations

from pathlib import Path

import pytest
from scans import ocr_or_skip, pdf_of, saved, scan

from indexes.store.store import Store
from rag.config import load_config
from rag.errors import UsageError
from rag.factory import ocr_is_usable
from rag.ingestion.report import IngestReport
from rag.ingestion.run import plan_ingest
from rag.ingestion.source_files import find_original
from rag.knowledge_base import KnowledgeBase
from rag.ops.doctor import _ocr
from rag.types import Answer

WINCH = "The winch on pier 4 lifts 1250 kg."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ocr_or_skip()
    (tmp_path / "mixed.pdf").write_bytes(pdf_of("The lease begins in March.", scan(WINCH)))
    (tmp_path / "scan.pdf").write_bytes(pdf_of(scan("The lamp on the quay is green.")))
    (tmp_path / "note.png").write_bytes(saved(scan("The ferry leaves at 7:45.")))
    (tmp_path / "words.md").write_text("# Words\n\nNo pictures here.\n", encoding="utf-8")
    return tmp_path


def ingest(folder: Path, ocr: str = "auto") -> IngestReport:
    with KnowledgeBase(folder / ".rag", load_config("test", [f"parsing.ocr={ocr}"])) as base:
        return base.ingest(folder)


def ask(folder: Path, question: str) -> Answer:
    with KnowledgeBase(folder / ".rag", load_config("test")) as base:
        return base.ask(question)


def test_what_ocr_reads_is_found_cited_and_boxed(folder: Path) -> None:
    report = ingest(folder)
    assert (report.added, report.failed) == (4, 0)
    assert {source: [note.kind for note in notes] for source, notes in report.notes.items()} == {
        name: ["read_by_ocr"] for name in ("mixed.pdf", "note.png", "scan.pdf")
    }
    answer = ask(folder, "How much does the winch on pier 4 lift?")
    citation = answer.citations[0]
    assert (citation.source, citation.page) == ("mixed.pdf", 2)
    text = "mixed.pdf was read by OCR (page 2): check names and numbers against the scan."
    assert [note.text for note in answer.notes if note.kind == "read_by_ocr"] == [text]
    original = find_original(folder / ".rag", citation.passage)
    assert original.is_drawable
    assert len(original.places(2, citation.start, citation.end)) == 1
    of_text = ask(folder, "When does the lease begin?")
    assert of_text.citations[0].page == 1
    assert [note.kind for note in of_text.notes if "ocr" in note.kind] == []
    picture = ask(folder, "When does the ferry leave?").citations[0].passage
    assert picture.source == "note.png"
    assert find_original(folder / ".rag", picture).is_drawable


def test_a_folder_is_read_again_once_there_is_ocr_and_only_once(folder: Path) -> None:
    before = ingest(folder, "off")
    assert (before.added, before.failed, before.skipped) == (2, 1, {".png": 1})
    assert [(f.source, f.reason, f.remedy) for f in before.failures] == [
        ("scan.pdf", "no ocr", "set parsing.ocr to auto")
    ]
    assert [note.kind for note in before.notes["mixed.pdf"]] == ["pages_without_text"]
    assert plan_ingest(folder / ".rag", [folder]).to_read == []
    planned = plan_ingest(folder / ".rag", [folder], ocr_is_ready=True)
    assert [item.file.source for item in planned.to_read] == ["mixed.pdf", "note.png", "scan.pdf"]
    after = ingest(folder)
    assert (after.added, after.changed, after.unchanged, after.failed) == (2, 1, 1, 0)
    again = ingest(folder)
    assert (again.added, again.changed, again.unchanged, again.failed) == (0, 0, 4, 0)


def test_a_picture_without_text_and_a_blank_scan_are_read_only_once(folder: Path) -> None:
    ingest(folder)
    for name in ("sky.png", "sea.png"):
        (folder / name).write_bytes(saved(scan()))
    (folder / "blank.pdf").write_bytes(pdf_of(scan()))
    first = ingest(folder)
    assert (first.added, first.failed) == (2, 1)
    assert [note.kind for note in first.notes["sky.png"]] == ["no_words_found"]
    assert (first.same, first.near) == (0, 0), "documents without text are no copies of each other"
    second = ingest(folder)
    assert (second.added, second.changed, second.reported) == (0, 0, 1)
    assert second.same is None


def test_boxes_survive_rollback_and_removal(folder: Path) -> None:
    ingest(folder)
    with Store.open(folder / ".rag", write=True) as store:
        boxes, generation = store.boxes("mixed.pdf"), store.generation
        assert boxes
        store.commit(removals=["mixed.pdf"])
        assert store.boxes("mixed.pdf") is None
        store.roll_back(generation)
        assert store.boxes("mixed.pdf") == boxes


def test_ocr_that_must_be_there_and_is_not_stops_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.ingestion.loaders.ocr_engine.PACKAGE", "no_such_engine")
    assert not ocr_is_usable(load_config("test").config)
    with pytest.raises(UsageError, match=r"parsing\.ocr is on") as caught:
        ingest(folder, "on")
    assert caught.value.remedy == "run `pip install no_such_engine`, or --set parsing.ocr=auto"


@pytest.mark.parametrize(
    ("settings", "state", "found", "fix"),
    [
        ([], "ok", "reads eng, rus", ""),
        (["parsing.ocr=off"], "ok", "off", ""),
        (["parsing.ocr_languages=eng+xyz"], "warn", "reads eng, and not xyz", "apt-get install tesseract-ocr-xyz"),
        (["parsing.ocr_languages=xyz"], "warn", "not installed", "apt-get install tesseract-ocr-xyz"),
        (["parsing.ocr_languages=xyz", "parsing.ocr=on"], "fail", "not installed", "tesseract-ocr-xyz"),
    ],
)
def test_the_doctor_says_whether_ocr_is_there(settings: list[str], state: str, found: str, fix: str) -> None:
    ocr_or_skip()
    (finding,) = _ocr(load_config("test", settings).config)
    assert finding.check == "ocr"
    assert finding.state == state
    assert found in finding.found
    assert fix in finding.fix
