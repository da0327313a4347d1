"""The index equals the folder: moved, removed, ignored and unchanged files, and what is never trusted."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from rag_project import CountingEmbedder, Project

from rag.errors import InputError
from rag.ingestion import file_stamps
from rag.ingestion.discovery import IGNORED, find_sources
from rag.ingestion.ingestor import Ingestor, Job, Parsed, carry_out_without_reading, parse_here
from rag.ingestion.report import IngestReport
from rag.ingestion.sync import IngestOptions, Plan, make_plan

Settle = Callable[[Path], None]
FILES: dict[str, str | bytes] = {
    "a/fog.md": "# Fog sensor\n\nThe fog sensor weighs 3.4 kg.\n",
    "a/soup.txt": "Lentil soup is served on Mondays.\n",
    "b/net.md": "# Net\n\nThe net hangs still.\n",
}


@pytest.fixture
def synced(project: Project) -> Project:
    project.write(FILES).ingest()
    return project


def plan(project: Project, *paths: Path, **options: bool) -> Plan:
    wanted = IngestOptions(**options)
    found = find_sources(list(paths) or [project.folder], project.folder, may_be_gone=wanted.prune)
    return make_plan(project.index.store, found, project.folder, wanted)


@pytest.fixture
def settle(monkeypatch: pytest.MonkeyPatch) -> Settle:
    """Return a function after which every file in a folder counts as left alone for a while."""

    def wait(folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                os.utime(path, (1, 1))  # sets the status-change time to now
        monkeypatch.setattr(file_stamps, "SETTLED_NS", 50_000_000)
        time.sleep(0.1)

    return wait


def rows(project: Project) -> dict[str, list[int]]:
    """The chunk ids of each document."""
    found: dict[str, list[int]] = {}
    for row in project.chunks():
        found.setdefault(row.source, []).append(row.id)
    return found


def prune(
    project: Project, *paths: Path, force: bool = False, embedder: CountingEmbedder | None = None
) -> IngestReport:
    from rag.factory import make_chunker

    embedder = embedder or CountingEmbedder()
    with project.index.writing("test"):
        return Ingestor(project.index, embedder, make_chunker(project.config, embedder)).run(
            list(paths) or [project.folder], prune=True, force=force
        )


# Moved ------------------------------------------------------------------------------------------------------


def test_a_moved_file_is_renamed_without_parsing_or_embedding(synced: Project) -> None:
    before = rows(synced)
    (synced.folder / "c").mkdir()
    (synced.folder / "a").rename(synced.folder / "c" / "a")
    made = plan(synced)
    assert [(move.old, move.new) for move in made.moves] == [("a/fog.md", "c/a/fog.md"), ("a/soup.txt", "c/a/soup.txt")]
    assert made.to_read == []
    with synced.index.writing("test"):
        report = carry_out_without_reading(synced.index, made, find_sources([synced.folder], synced.folder))
    assert (report.moved, report.unchanged, report.failed) == (2, 1, 0)
    assert rows(synced) == {key.replace("a/", "c/a/"): ids for key, ids in before.items()}
    assert synced.index.verify(deep=True) == []
    assert plan(synced).unchanged == 3


def test_a_renamed_file_is_read_under_its_new_name(synced: Project, tmp_path: Path) -> None:
    (synced.folder / "a" / "soup.txt").rename(synced.folder / "a" / "stew.txt")
    (synced.folder / "a" / "fog.md").rename(synced.folder / "a" / "mist.md")
    embedder = CountingEmbedder()
    report = synced.ingest(embedder=embedder)
    assert (report.added, report.changed, report.moved, report.removed) == (0, 0, 2, 0)
    assert sorted(text.partition("\n")[0] for text in embedder.texts) == ["Fog sensor (mist)", "stew"]
    fresh = Project(tmp_path / "fresh").write(
        {"a/mist.md": FILES["a/fog.md"], "a/stew.txt": FILES["a/soup.txt"], "b/net.md": FILES["b/net.md"]}
    )
    fresh.ingest()
    assert synced.contents() == fresh.contents()


def test_a_file_with_another_ending_is_parsed_again(synced: Project, tmp_path: Path) -> None:
    (synced.folder / "b" / "net.md").rename(synced.folder / "b" / "net.txt")
    assert synced.ingest().moved == 1
    fresh = Project(tmp_path / "fresh").write(
        {"a/fog.md": FILES["a/fog.md"], "a/soup.txt": FILES["a/soup.txt"], "b/net.txt": FILES["b/net.md"]}
    )
    fresh.ingest()
    assert synced.contents() == fresh.contents()


def test_a_copy_is_no_move(synced: Project) -> None:
    shutil.copy(synced.folder / "b" / "net.md", synced.folder / "net.md")
    report = synced.ingest()
    assert (report.added, report.moved, report.embedded) == (1, 0, 0)
    assert set(synced.states()) == {*FILES, "net.md"}


def test_two_files_that_swap_names_are_changed(synced: Project) -> None:
    a, b = synced.folder / "a" / "fog.md", synced.folder / "b" / "net.md"
    one, two = a.read_bytes(), b.read_bytes()
    a.write_bytes(two)
    b.write_bytes(one)
    report = synced.ingest()
    assert (report.changed, report.moved, report.embedded) == (2, 0, 2), "a file's name is embedded with its text"


def test_a_file_that_moved_and_another_copy_of_it_are_a_move_and_an_addition(synced: Project) -> None:
    shutil.copy(synced.folder / "b" / "net.md", synced.folder / "b" / "other.md")
    (synced.folder / "b" / "net.md").rename(synced.folder / "net.md")
    report = synced.ingest()
    assert (report.added, report.moved, report.embedded) == (1, 1, 1)
    assert set(synced.states()) == {"a/fog.md", "a/soup.txt", "net.md", "b/other.md"}


# Removed ----------------------------------------------------------------------------------------------------


def test_documents_without_files_stay_until_pruned(synced: Project) -> None:
    (synced.folder / "a" / "soup.txt").unlink()
    report = synced.ingest()
    assert (report.gone, report.removed, len(synced.states())) == (1, 0, 3)
    report = prune(synced)
    assert (report.gone, report.removed) == (0, 1)
    assert sorted(synced.states()) == ["a/fog.md", "b/net.md"]
    assert synced.index.verify(deep=True) == []


def test_only_what_is_below_the_paths_given_is_removed(synced: Project) -> None:
    (synced.folder / "a" / "soup.txt").unlink()
    (synced.folder / "b" / "net.md").unlink()
    (synced.folder / "b" / "more.md").write_text("more\n", encoding="utf-8")
    assert prune(synced, synced.folder / "a").removed == 1
    assert sorted(synced.states()) == ["a/fog.md", "b/net.md"]


@pytest.mark.parametrize("how", ["emptied", "gone"])
def test_a_root_that_is_empty_or_gone_is_refused(synced: Project, how: str) -> None:
    shutil.rmtree(synced.folder / "a")
    if how == "emptied":
        (synced.folder / "a").mkdir()
    with pytest.raises(InputError, match=r"a (contains no document|does not exist), but the index has 2 documents"):
        prune(synced, synced.folder / "a")
    assert len(synced.states()) == 3
    assert prune(synced, synced.folder / "a", force=True).removed == 2
    assert list(synced.states()) == ["b/net.md"]


def test_one_vanished_root_among_several_is_refused(synced: Project) -> None:
    shutil.rmtree(synced.folder / "a")
    with pytest.raises(InputError, match="does not exist, but"):
        prune(synced, synced.folder / "b", synced.folder / "a")
    assert len(synced.states()) == 3


def test_a_path_that_never_was_is_wrong_even_when_forced(synced: Project) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        prune(synced, synced.folder / "nowhere", force=True)


def test_what_came_from_an_empty_folder_is_spared(synced: Project) -> None:
    shutil.rmtree(synced.folder / "a")
    (synced.folder / "a").mkdir()
    (synced.folder / "b" / "net.md").rename(synced.folder / "b" / "knot.md")
    report = prune(synced)
    assert (report.spared, report.removed, report.moved) == ({"a/": 2}, 0, 1)
    assert sorted(synced.states()) == ["a/fog.md", "a/soup.txt", "b/knot.md"]
    assert prune(synced, force=True).removed == 2


def test_what_is_below_an_unreadable_folder_is_never_removed(synced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "a":  # root may list everything: permissions alone would prove nothing
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    (synced.folder / "a" / "soup.txt").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        report = prune(synced)
    assert (report.removed, report.failed) == (0, 1)
    assert len(synced.states()) == 3


def test_a_file_that_only_the_defaults_pass_over_is_not_removed(project: Project) -> None:
    project.write({"a.txt": "fog\n", ".hidden.txt": "soup\n"})
    project.ingest(project.folder, project.folder / ".hidden.txt")
    assert prune(project).removed == 0
    assert sorted(project.states()) == [".hidden.txt", "a.txt"]


def test_a_document_elsewhere_is_not_below_the_projects_folder(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.txt"
    outside.write_text("net\n", encoding="utf-8")
    project.write({"a.txt": "fog\n"}).ingest(project.folder, outside)
    outside.unlink()
    assert prune(project).removed == 0


# Ignored ----------------------------------------------------------------------------------------------------


def test_ignore_files_have_gitignores_syntax_and_nest(project: Project) -> None:
    project.write(
        {
            ".ragignore": "drafts/\n*.log\n!keep.log\n/top.txt\n",
            "top.txt": "x\n", "a.log": "x\n", "keep.log": "kept\n",
            "drafts/a.txt": "x\n", "deep/drafts/b.txt": "x\n", "deep/top.txt": "kept too\n",
            "deep/.ragignore": "!b.log\nold-?.txt\n", "deep/b.log": "brought back\n", "deep/old-1.txt": "x\n",
        }
    )  # fmt: skip
    report = project.ingest()
    assert sorted(project.states()) == ["deep/b.log", "deep/top.txt", "keep.log"]
    assert report.skipped == {IGNORED: 5}


def test_an_ignore_file_above_the_path_given_counts(project: Project) -> None:
    project.write({".ragignore": "*.log\nsealed/\n", "a/b.log": "x\n", "a/c.txt": "fog\n", "sealed/d.txt": "soup\n"})
    project.ingest(project.folder / "a")
    assert list(project.states()) == ["a/c.txt"]
    project.ingest(project.folder / "sealed")
    assert sorted(project.states()) == ["a/c.txt", "sealed/d.txt"], "a folder that is named is read"


def test_a_document_that_is_ignored_later_is_removed_by_pruning(synced: Project) -> None:
    synced.write({".ragignore": "a/\n"})
    assert synced.ingest().removed == 0
    assert prune(synced).removed == 2
    assert list(synced.states()) == ["b/net.md"]


def test_folders_that_tools_fill_are_passed_over_and_can_be_brought_back(project: Project) -> None:
    project.write(
        {
            "a.txt": "fog\n", "node_modules/x.md": "x\n", "deep/__pycache__/x.txt": "x\n", "env/pyvenv.cfg": "",
            "env/x.txt": "x\n", ".git/x.txt": "x\n",
        }
    )  # fmt: skip
    report = project.ingest()
    assert list(project.states()) == ["a.txt"]
    assert report.skipped == {"node_modules/": 1, "__pycache__/": 1, "env/": 1}
    project.write({".ragignore": "!node_modules/\n!.git/\n"}).ingest()
    assert sorted(project.states()) == [".git/x.txt", "a.txt", "node_modules/x.md"]


def test_an_ignore_file_that_cannot_be_read_stops_the_run(project: Project) -> None:
    project.write({"a.txt": "fog\n", ".ragignore": b"\xff\xfe\x00"})
    with pytest.raises(InputError, match=r"\.ragignore cannot be read"):
        project.ingest()


# Unchanged --------------------------------------------------------------------------------------------------


def test_settled_files_are_recognised_without_being_read(
    settle: Settle, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(FILES)
    settle(project.folder)
    project.ingest()
    assert set(project.index.store.stamps()) == set(FILES)
    monkeypatch.setattr("rag.ingestion.sync.read_file", lambda path: pytest.fail(f"{path} was read"))
    assert plan(project).unchanged == 3
    monkeypatch.undo()
    assert plan(project, rehash=True).unchanged == 3


def test_a_file_that_was_just_written_gets_no_stamp(settle: Settle, project: Project) -> None:
    project.write(FILES).ingest()
    assert project.index.store.stamps() == {}
    settle(project.folder)
    project.ingest()
    assert set(project.index.store.stamps()) == set(FILES), "and is once it has settled"


def test_a_write_within_the_clocks_granularity_is_seen(project: Project) -> None:
    """Two writes of one length whose times are equal: what git calls racily clean."""
    path = project.folder / "a.txt"
    project.write({"a.txt": "one\n"})
    status = path.stat()
    project.ingest()
    path.write_text("two\n", encoding="utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.ingest().changed == 1


def test_times_that_were_set_back_are_detected(settle: Settle, project: Project) -> None:
    project.write({"a.txt": "one\n"})
    settle(project.folder)
    project.ingest()
    status = (project.folder / "a.txt").stat()
    (project.folder / "a.txt").write_text("two\n", encoding="utf-8")
    os.utime(project.folder / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.ingest().changed == 1, "the status-change time cannot be set back"


def test_a_damaged_stamp_is_ignored(settle: Settle, project: Project) -> None:
    project.write({"a.txt": "one\n"})
    settle(project.folder)
    project.ingest()
    with project.index.store.transaction() as db:
        db.execute("UPDATE stamps SET stamp = stamp || '0'")
    assert project.index.store.stamps() == {}
    [problem] = project.index.verify()
    assert (problem.part, problem.repairable) == ("stamps", True)
    project.index.rebuild({problem.part})
    assert project.index.verify() == []
    assert plan(project).unchanged == 1


def test_a_file_that_grows_while_it_is_read_gets_no_stamp(
    settle: Settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n", encoding="utf-8")
    settle(tmp_path)
    assert file_stamps.read_file(path).stamp is not None
    listed, calls = os.fstat, []

    def fstat(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) == 2:
            with path.open("a", encoding="utf-8") as handle:
                handle.write("more\n")
        return listed(descriptor)

    monkeypatch.setattr("rag.ingestion.file_stamps.os.fstat", fstat)
    assert file_stamps.read_file(path).stamp is None


# Failed -----------------------------------------------------------------------------------------------------


def test_a_file_that_failed_is_reported_and_tried_again_only_on_request(project: Project) -> None:
    project.write({"a.txt": "fog\n", "bad.txt": b"\x00\x01" * 99})
    project.ingest()
    made = plan(project)
    assert (made.to_read, [f.reason for f in made.failures], made.unchanged) == ([], ["binary"], 1)
    assert [work.file.source for work in plan(project, retry_failed=True).to_read] == ["bad.txt"]
    project.write({"bad.txt": "good now\n"})
    assert project.ingest().added == 1


# Parsing elsewhere ------------------------------------------------------------------------------------------


def test_the_parser_is_called_lazily(project: Project) -> None:
    from rag.factory import make_chunker

    seen: list[str] = []

    def parse(jobs: Iterable[Job]) -> Iterator[Parsed]:
        for job in jobs:
            seen.append(job[0])
            yield from parse_here([job])

    project.write(FILES)
    embedder = CountingEmbedder()
    with project.index.writing("test"):
        ingestor = Ingestor(project.index, embedder, make_chunker(project.config, embedder), parse_all=parse)
        assert ingestor.run([project.folder]).added == 3
    assert seen == sorted(FILES)


def test_interrupted_renaming_is_finished_by_the_next_run(synced: Project) -> None:
    (synced.folder / "c").mkdir()
    (synced.folder / "a").rename(synced.folder / "c" / "a")
    made = plan(synced)
    synced.index.store.commit(moves=[(move.old, move.new) for move in made.moves])  # and killed before the sync
    report = synced.ingest()
    assert (report.moved, report.unchanged) == (0, 3)
    assert synced.index.verify(deep=True) == []
