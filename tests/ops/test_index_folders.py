"""Index folders as a whole, uploads among their documents, and what is read again although it has not changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rag_project import Project

from indexes.errors import IndexLockedError
from indexes.lock import holder, writer_lock
from rag.embedding.fake import FakeEmbedder
from rag.factory import make_chunker
from rag.ingestion.discovery import Found, SourceFile, find_sources
from rag.ingestion.ingestor import Ingestor
from rag.ingestion.report import IngestReport
from rag.ingestion.sync import IngestOptions, make_plan
from rag.ops.index_folders import holds_index, remove_documents, remove_index, writer_of
from rag.retrieval.filters import Filter


def take_in(project: Project, path: Path, source: str, *, reread: bool = False) -> IngestReport:
    """Ingest one file under another name than its own."""
    found = Found([SourceFile(path, source, path.stat())])
    with project.index.writing("test"):
        plan = make_plan(project.index.store, found, project.folder, IngestOptions(reread=reread))
        embedder = FakeEmbedder()
        return Ingestor(project.index, embedder, make_chunker(project.config, embedder)).carry_out(plan, found)


def test_who_writes_is_said_and_forgotten(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with writer_lock(tmp_path, "a test"):
        found = writer_of(tmp_path)
        assert found is not None
        assert (found.pid, found.purpose) == (os.getpid(), "a test")
    assert holder(tmp_path) is None


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"pid": "x"}', "null"])
def test_a_broken_note_names_nobody(tmp_path: Path, note: str) -> None:
    (tmp_path / "writer.json").write_text(note, encoding="utf-8")
    assert holder(tmp_path) is None


def test_a_note_of_the_dead_names_nobody(tmp_path: Path) -> None:
    with writer_lock(tmp_path, "a test"):
        note = json.loads((tmp_path / "writer.json").read_text(encoding="utf-8"))
    note["pid"] = 2**22 + 1  # beyond what Linux gives
    (tmp_path / "writer.json").write_text(json.dumps(note), encoding="utf-8")
    assert holder(tmp_path) is None
    (tmp_path / "writer.json").write_text(json.dumps(note | {"host": "elsewhere"}), encoding="utf-8")
    assert holder(tmp_path) is not None  # of another machine nobody knows


def test_removed_documents_are_gone_at_once_from_a_running_reader(fog: Project) -> None:
    retriever = fog.retriever()
    assert retriever.retrieve("Lentil soup").passages[0].source == "canteen.txt"
    assert remove_documents(fog.index.folder, fog.config, lambda _: ["canteen.txt"], "test")[0] == ["canteen.txt"]
    assert "canteen.txt" not in {p.source for p in retriever.retrieve("Lentil soup").passages}
    assert "canteen.txt" not in fog.states()


def test_an_index_is_removed_with_its_folder_and_nothing_else(fog: Project) -> None:
    folder = fog.index.folder
    assert holds_index(folder)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with fog.index.writing("somebody"), pytest.raises(IndexLockedError, match="somebody"):
        remove_index(folder)
    assert holds_index(folder)
    remove_index(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["notes.txt"]
    (folder / "notes.txt").unlink()
    remove_index(folder)
    assert not folder.exists()
    remove_index(folder)  # a second time: nothing to do


def test_a_damaged_index_is_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "rag.db").write_bytes(b"no database at all" * 400)
    assert holds_index(tmp_path)
    remove_index(tmp_path)
    assert not holds_index(tmp_path)


def test_no_look_at_the_disk_removes_or_renames_an_upload(project: Project, tmp_path: Path) -> None:
    blob = tmp_path / "5f3a"
    blob.write_text("The gull sits on the mast.\n", encoding="utf-8")
    project.write({"a.txt": "A lamp.\n"}).ingest()
    take_in(project, blob, "upload://gull.txt")
    # The same content turns up as a file; pruning the whole folder; neither touches the upload.
    project.write({"b.txt": "The gull sits on the mast.\n"})
    (project.folder / "a.txt").unlink()
    found = find_sources([project.folder], project.folder)
    plan = make_plan(project.index.store, found, project.folder, IngestOptions(prune=True))
    assert (plan.moves, plan.removed, [w.file.source for w in plan.to_read]) == ([], ["a.txt"], ["b.txt"])
    only = Filter(sources=("*gull.txt",))
    assert [p.source for p in project.retriever().retrieve("gull", only=only).passages] == ["upload://gull.txt"]


def test_what_has_not_changed_is_read_again_when_it_is_asked_for(project: Project) -> None:
    project.write({"a.txt": "A lamp.\n", "bad.pdf": b"%PDF-1.4 nothing"}).ingest()
    before = project.index.store.generation
    path = project.folder / "a.txt"
    assert take_in(project, path, "a.txt").unchanged == 1
    report = take_in(project, path, "a.txt", reread=True)
    assert (report.changed, report.unchanged) == (1, 0)
    assert project.index.store.generation == before + 1
    again = take_in(project, project.folder / "bad.pdf", "bad.pdf", reread=True)
    assert again.failed == 1
