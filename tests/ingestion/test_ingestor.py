"""Ingestion: nothing is done twice, one bad file stops nothing, and an interruption loses nothing."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from rag_project import FOG, CountingEmbedder, Project

from indexes import NewChunk, SettingsMismatchError
from rag.config import load_config
from rag.embedding.base import Float32
from rag.embedding.fake import FakeEmbedder
from rag.errors import InputError
from rag.factory import index_settings, make_chunker, open_index, open_unless_other
from rag.ingestion.chunker import Chunker
from rag.ingestion.file_stamps import FileContent
from rag.ingestion.ingestor import Ingestor, Job, ParseAll, Parsed, parse_here
from rag.ingestion.reembed import reembed
from rag.ingestion.report import IngestReport, Progress, StageClock, bottleneck
from rag.ingestion.sandbox import ParserPool
from rag.types import Document

PDF_HEADER = b"%PDF-1.7\nbroken"


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, report.failed


def found(project: Project, question: str) -> list[str]:
    return [passage.text for passage in project.retriever().retrieve(question).passages]


# Counting and skipping --------------------------------------------------------------------------------------


def test_a_run_counts_what_it_did(project: Project) -> None:
    project.write({"a.md": "# A\n\nfog\n", "b.txt": "soup\n", "c.txt": b"\x00\x01\x02" * 99})
    report = project.ingest()
    assert counts(report) == (2, 0, 0, 1)
    assert (report.chunks, report.embedded, report.generation) == (2, 2, 1)
    assert set(report.stages) == {"find", "read", "parse", "chunk", "tokenise", "embed", "write", "index"}
    project.write({"b.txt": "stew\n", "d.txt": "bread\n"})
    report = project.ingest()
    assert counts(report) == (1, 1, 1, 1)
    assert (report.chunks, report.embedded, report.generation) == (2, 2, 2)


def test_a_second_run_embeds_and_commits_nothing(fog: Project) -> None:
    embedder = CountingEmbedder()
    before = fog.contents()
    report = fog.ingest(embedder=embedder)
    assert counts(report) == (0, 0, 3, 0)
    assert embedder.calls == []
    assert fog.index.store.generation == 1
    assert fog.contents() == before


def test_touching_a_file_does_not_change_it(fog: Project) -> None:
    os.utime(fog.folder / "fog.md", (1, 1))
    assert counts(fog.ingest()) == (0, 0, 3, 0)


def test_identical_text_in_two_files_is_embedded_once(project: Project) -> None:
    embedder = CountingEmbedder()
    project.write({"one/notes.txt": "The net hangs still.\n", "two/notes.txt": "The net hangs still.\n"})
    report = project.ingest(embedder=embedder)
    assert (report.chunks, report.embedded) == (2, 1)
    assert len(embedder.texts) == 1


def test_a_text_that_comes_back_needs_no_new_vector(project: Project) -> None:
    project.write({"a.txt": "The net hangs still.\n"}).ingest()
    project.write({"a.txt": "The cup tips over.\n"}).ingest()
    embedder = CountingEmbedder()
    project.write({"a.txt": "The net hangs still.\n"}).ingest(embedder=embedder)
    assert embedder.calls == []
    assert found(project, "net") == ["The net hangs still."]


def test_a_changed_file_answers_with_its_new_text_only(fog: Project) -> None:
    fog.write({"canteen.txt": "Pea soup is served on Thursdays.\n"})
    assert counts(fog.ingest()) == (0, 1, 2, 0)
    assert "Pea soup is served on Thursdays." in found(fog, "soup")
    assert not any("Lentil" in text for text in found(fog, "lentil soup"))


def test_progress_counts_every_file_and_ends_with_indexing(project: Project) -> None:
    project.write({f"{n}.txt": f"text number {n}\n" for n in range(3)})
    seen: list[Progress] = []
    ingestor = Ingestor(project.index, FakeEmbedder(), make_chunker(project.config, FakeEmbedder()), seen.append)
    ingestor.run([project.folder])
    assert [p.files_done for p in seen if p.stage == "reading"] == [1, 2, 3]
    last = seen[-1]
    assert (last.files_done, last.files, last.chunks, last.stage) == (3, 3, 3, "indexing")
    assert last.bytes_done == last.bytes == sum(len(f"text number {n}\n") for n in range(3))
    assert last.tokens == 3 * 6, "the title, three words and two special tokens a chunk"


# Bad files --------------------------------------------------------------------------------------------------


def test_a_broken_file_does_not_stop_the_others(project: Project) -> None:
    project.write({"a.txt": "fog\n", "b.pdf": PDF_HEADER, "c.txt": "", "d.txt": "net\n"})
    report = project.ingest()
    assert counts(report) == (2, 0, 0, 2)
    assert [(f.source, f.reason) for f in report.failures] == [("b.pdf", "broken"), ("c.txt", "empty")]
    assert project.states() == {"a.txt": "ready", "b.pdf": "failed", "c.txt": "failed", "d.txt": "ready"}


def test_front_matter_with_an_impossible_date_does_not_fail_the_file(project: Project) -> None:
    project.write({"a.md": "---\nrevised: 2031-02-30\n---\n\nfog\n"})
    assert counts(project.ingest()) == (1, 0, 0, 0)


class _BlindToZeroWidth(FakeEmbedder):
    """Passes over zero-width spaces, as every BERT tokenizer does."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return super().count_tokens([text.replace("\u200b", "") for text in texts])


def test_a_title_that_utf8_cannot_carry_does_not_stop_the_run(project: Project) -> None:
    project.write({"a.md": '---\ntitle: "\\ud800"\n---\n\nbody\n', "b.txt": "Soup."}).ingest()
    assert project.states() == {"a.md": "ready", "b.txt": "ready"}
    assert {row.title for row in project.chunks()} == {"\ufffd", "b"}


def test_a_text_with_zero_width_spaces_does_not_stop_the_run(project: Project) -> None:
    project.write({"a.txt": "fog net mast \u200b\n\n\u200b\n\n" * 120, "b.txt": "soup\n"})
    report = project.ingest(embedder=_BlindToZeroWidth())
    assert report.added + report.failed == 2
    assert project.states()["b.txt"] == "ready"


@pytest.mark.parametrize(("name", "state"), [("bad.txt", "failed"), ("canteen.txt", "stale")])
def test_a_file_that_still_fails_is_reported_and_commits_nothing_new(fog: Project, name: str, state: str) -> None:
    fog.write({name: b""})
    assert fog.ingest().generation == 2
    report = fog.ingest()
    assert (report.failed, len(report.failures), report.generation) == (1, 1, 2)
    assert fog.states()[name] == state


def test_a_good_file_that_breaks_is_stale_and_still_answers(fog: Project) -> None:
    fog.write({"canteen.txt": b""})
    assert counts(fog.ingest()) == (0, 0, 2, 1)
    assert fog.states()["canteen.txt"] == "stale"
    assert any("Lentil soup" in text for text in found(fog, "soup"))


@pytest.mark.parametrize("content", ["Lentil soup is served on Mondays. A bowl costs four tokens.\n", "Pea soup.\n"])
def test_a_stale_file_that_is_corrected_is_ready_again(fog: Project, content: str) -> None:
    fog.write({"canteen.txt": b""}).ingest()
    assert counts(fog.write({"canteen.txt": content}).ingest()) == (0, 1, 2, 0)
    assert fog.states()["canteen.txt"] == "ready"
    assert [d.reason for d in fog.index.store.documents() if d.source == "canteen.txt"] == [None]
    assert content.strip() in found(fog, "soup")


def test_a_file_that_was_never_good_becomes_added_when_corrected(project: Project) -> None:
    project.write({"a.txt": ""}).ingest()
    assert counts(project.write({"a.txt": "fog\n"}).ingest()) == (1, 0, 0, 0)
    assert project.states() == {"a.txt": "ready"}


def test_a_link_to_nothing_becomes_a_failed_row(project: Project) -> None:
    project.write({"a.txt": "fog\n"})
    (project.folder / "gone.txt").symlink_to(project.folder / "nowhere.txt")
    report = project.ingest()
    assert counts(report) == (1, 0, 0, 1)
    failure = report.failures[0]
    assert failure.reason == "dangling link"
    assert failure.message == f"it is a link to {project.folder / 'nowhere.txt'}, which does not exist"
    with pytest.raises(InputError, match=r"gone\.txt is a link to .*nowhere\.txt, which does not exist"):
        project.ingest(project.folder / "gone.txt")


def test_a_folder_that_cannot_be_listed_does_not_stop_the_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write({"a.txt": "fog\n", "sealed/b.txt": "soup\n", "z/c.txt": "net\n"})
    listed = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "sealed":  # root may list everything: permissions alone would prove nothing
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        report = project.ingest()
        assert counts(report) == (2, 0, 0, 1)
        assert (report.failures[0].source, report.failures[0].reason) == ("sealed", "unreadable")
        assert "Permission denied" in report.failures[0].message
        with pytest.raises(InputError, match="sealed cannot be read: Permission denied"):
            project.ingest(project.folder / "sealed")
    assert project.states() == {"a.txt": "ready", "z/c.txt": "ready"}, "the folder is no document"
    assert counts(project.ingest()) == (1, 0, 2, 0)


def test_a_pipe_is_not_waited_for(project: Project) -> None:
    project.write({"a.txt": "fog\n"})
    os.mkfifo(project.folder / "pipe.txt")
    assert counts(project.ingest()) == (1, 0, 0, 1)


def test_a_file_name_that_is_not_utf8_becomes_a_failed_row(project: Project) -> None:
    project.write({"a.txt": "fog\n"})
    try:
        (project.folder / os.fsdecode(b"caf\xe9.txt")).write_text("soup\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    report = project.ingest()
    assert counts(report) == (1, 0, 0, 1)
    assert (report.failures[0].source, report.failures[0].reason) == (r"caf\xe9.txt", "file name")


# Which files ------------------------------------------------------------------------------------------------


def test_hidden_and_foreign_files_are_passed_over(project: Project) -> None:
    project.write(
        {"a.txt": "fog\n", ".b.txt": "x\n", ".git/c.txt": "x\n", "d.bin": "x\n", "e.bin": "x\n", "Makefile": "x\n"}
    )
    report = project.ingest()
    assert list(project.states()) == ["a.txt"]
    assert report.skipped == {".bin": 2, "Makefile": 1}


def test_a_file_that_is_named_is_read_whatever_its_name(project: Project) -> None:
    project.write({".hidden.py": "fog\n"})
    assert counts(project.ingest(project.folder / ".hidden.py")) == (1, 0, 0, 0)


def test_a_folder_that_is_called_like_a_file_is_walked(project: Project) -> None:
    project.write({"x.txt/a.txt": "fog\n"}).ingest()
    assert list(project.states()) == ["x.txt/a.txt"]


def test_a_path_that_does_not_exist_stops_before_anything_is_done(project: Project) -> None:
    project.write({"a.txt": "fog\n"})
    with pytest.raises(InputError, match="does not exist"):
        project.ingest(project.folder / "a.txt", project.folder / "nowhere")
    assert project.states() == {}


def test_a_folder_without_documents_says_which_endings_count(project: Project) -> None:
    with pytest.raises(InputError, match="no document") as caught:
        project.ingest()
    assert ".md" in caught.value.remedy


def test_a_file_given_twice_is_read_once(project: Project) -> None:
    project.write({"a.txt": "fog\n"})
    file = project.folder / "a.txt"
    assert counts(project.ingest(file, project.folder, project.folder / "." / "a.txt", file)) == (1, 0, 0, 0)


def test_sources_are_named_from_the_folder_that_holds_the_index(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.txt"
    outside.write_text("net\n")
    project.write({"deep/er/a.txt": "fog\n"}).ingest(project.folder, outside)
    assert sorted(project.states()) == sorted(["deep/er/a.txt", outside.resolve().as_posix()])


def test_project_and_index_move_together(fog: Project, tmp_path: Path) -> None:
    fog.index.store.close()
    fog.folder.rename(tmp_path / "moved")
    moved = Project(tmp_path / "moved")
    assert counts(moved.ingest()) == (0, 0, 3, 0)


# Interruption -----------------------------------------------------------------------------------------------


def test_an_interrupted_run_keeps_its_batches_and_the_next_completes_it(project: Project, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{n:03}.txt": f"note {n} on fog\n" for n in range(300)}
    with pytest.raises(KeyboardInterrupt):
        project.write(files).ingest(embedder=CountingEmbedder(interrupt_at=3))
    before = len(project.states())
    assert 0 < before < 300
    embedder = CountingEmbedder()
    report = project.ingest(embedder=embedder)
    assert counts(report) == (300 - before, 0, before, 0)
    assert len(embedder.texts) == 300 - before
    clean = Project(tmp_path / "clean").write(files)
    clean.ingest()
    assert project.contents() == clean.contents()
    assert project.index.verify() == []
    assert found(project, "note 17") == found(clean, "note 17")


def test_an_interruption_inside_a_huge_file_keeps_the_vectors_that_were_made(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", "chunking.size=16", "chunking.overlap=0", "chunking.embed_headings=false")
    project.write(
        {"huge.txt": "\n\n".join(f"paragraph {n} tells of fog and of the net on the quay" for n in range(1100))}
    )
    first, second = CountingEmbedder(interrupt_at=2), CountingEmbedder()
    with pytest.raises(KeyboardInterrupt):
        project.ingest(embedder=first)
    assert project.states() == {}
    report = project.ingest(embedder=second)
    assert len(first.calls[0]) > 0
    assert set(second.texts).isdisjoint(first.calls[0])
    assert report.embedded == report.chunks - len(first.calls[0])


def test_a_text_that_cannot_be_split_costs_only_its_file(project: Project) -> None:
    class Refusing(Chunker):
        def chunk(self, document: Document) -> tuple[NewChunk, ...]:
            if document.source == "b.txt":
                raise IndexError("no way")
            return super().chunk(document)

    project.write({"a.txt": "fog", "b.txt": "soup", "c.txt": "net"})
    ingestor = Ingestor(project.index, FakeEmbedder(), Refusing(FakeEmbedder()))
    with project.index.writing("test"):
        report = ingestor.run([project.folder])
    assert (report.added, report.failed) == (2, 1)
    assert report.failures[0].message == "its text cannot be split: no way"
    assert project.states() == {"a.txt": "ready", "b.txt": "failed", "c.txt": "ready"}


class _Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class _Slow(CountingEmbedder):
    """Takes its time, by a clock, for each text."""

    def __init__(self, clock: _Clock, seconds_a_text: float, interrupt_at: int = 0) -> None:
        super().__init__(interrupt_at)
        self._clock, self._seconds_a_text = clock, seconds_a_text

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        self._clock.seconds += self._seconds_a_text * len(texts)
        return super().embed_passages(texts)


def ingest_by(clock: _Clock, project: Project, embedder: FakeEmbedder, parse_all: ParseAll = parse_here) -> Ingestor:
    chunker = make_chunker(project.config, embedder)
    return Ingestor(project.index, embedder, chunker, parse_all=parse_all, stages=StageClock(clock))


@pytest.mark.slow
@pytest.mark.parametrize("texts_a_second", [10, 80, 2000])
def test_no_part_and_no_commit_takes_longer_than_some_seconds(project: Project, texts_a_second: int) -> None:
    project.write({f"{n:04}.txt": f"note {n} on fog\n" for n in range(900)})
    clock = _Clock()
    embedder = _Slow(clock, 1 / texts_a_second)
    ingest_by(clock, project, embedder).run([project.folder])
    slowest = max(len(call) / texts_a_second for call in embedder.calls[1:])
    assert slowest <= max(2.5, 32 / texts_a_second)
    commits = [row.added for row in project.index.store.commits(1000)]
    assert sum(commits) == 900
    assert max(commits[:-1]) / texts_a_second <= 6
    if texts_a_second == 80:
        assert min(commits[1:-1]) / texts_a_second >= 3, "no commits for their own sake either"


def test_slow_files_are_committed_by_time_too(project: Project) -> None:
    project.write({f"{n}.txt": f"note {n} on fog\n" for n in range(12)})
    clock = _Clock()

    def parse_slowly(jobs: Iterable[Job]) -> Iterator[Parsed]:
        for parsed in parse_here(jobs):
            clock.seconds += 2
            yield parsed

    ingest_by(clock, project, CountingEmbedder(), parse_slowly).run([project.folder])
    assert [row.added for row in project.index.store.commits()] == [3, 3, 3, 3]


def test_what_is_in_hand_is_committed_while_a_parser_is_behind(project: Project) -> None:
    project.write({f"{n}.txt": f"note {n} on fog\n" for n in range(3)})
    seen = []

    def parse(jobs: Iterable[Job]) -> Iterator[Parsed | None]:
        for parsed in parse_here(jobs):
            yield None
            seen.append(len(project.states()))
            yield parsed

    ingest_by(_Clock(), project, CountingEmbedder(), parse).run([project.folder])
    assert seen == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("parsers", ["here", "pool"])
def test_a_file_is_let_go_before_its_text_is_embedded(project: Project, parsers: str) -> None:
    project.write({f"{n}.txt": f"fog {n} " * 90_000 for n in range(3)})  # each large enough for a commit of its own
    held: list[int] = []

    class Looking(FakeEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Float32:
            held.append(sum(type(thing) is FileContent for thing in gc.get_objects()))
            return super().embed_passages(texts)

    with ExitStack() as stack:
        parse_all: ParseAll = parse_here
        if parsers == "pool":
            parse_all = stack.enter_context(ParserPool(1)).parse_all
        ingest_by(_Clock(), project, Looking(), parse_all).run([project.folder])
    assert held
    # What is embedded is the file before the current one; a pool has two more in flight.
    assert max(held) <= {"here": 1, "pool": 3}[parsers]
    assert min(held) == 0


def test_an_interruption_loses_a_few_seconds_of_embedding(project: Project) -> None:
    project.write({f"{n:03}.txt": f"note {n} on fog\n" for n in range(400)})
    clock = _Clock()
    first = _Slow(clock, 0.05, interrupt_at=6)
    with pytest.raises(KeyboardInterrupt):
        ingest_by(clock, project, first).run([project.folder])
    assert len(project.states()) >= 100
    second = CountingEmbedder()
    assert project.ingest(embedder=second).failed == 0
    assert set(second.texts).isdisjoint(text for call in first.calls[:-1] for text in call)
    assert len(set(second.texts) & set(first.calls[-1])) * 0.05 <= 2.5
    assert len(project.states()) == 400


def test_the_time_of_a_run_is_split_without_a_rest(project: Project) -> None:
    project.write({f"{n}.txt": f"note {n} on fog\n" for n in range(30)})
    clock = _Clock()

    def parse_slowly(jobs: Iterable[Job]) -> Iterator[Parsed]:
        for parsed in parse_here(jobs):
            clock.seconds += 0.1
            yield parsed

    report = ingest_by(clock, project, _Slow(clock, 0.5), parse_slowly).run([project.folder])
    assert report.stages["embed"] == pytest.approx(15)
    assert report.stages["parse"] == pytest.approx(3)
    assert sum(report.stages.values()) == pytest.approx(report.seconds, abs=0.1)
    assert bottleneck(report.stages) == ("embedding", pytest.approx(15 / 18, abs=0.01))
    assert report.tokens == sum(FakeEmbedder().count_tokens([f"{n}\nnote {n} on fog" for n in range(30)]))


# Reembedding ------------------------------------------------------------------------------------------------


def reembedded(project: Project, *assignments: str) -> tuple[Project, IngestReport]:
    config = load_config("test", assignments).config
    embedder = FakeEmbedder()
    with project.index.writing("test"):
        report = reembed(project.index, embedder, make_chunker(config, embedder), index_settings(config, embedder))
    project.index.store.close()
    project.config = config
    project._index = open_index(project.folder / ".rag", config, embedder, write=True)
    return project, report


def test_an_index_of_older_chunking_rules_is_searched_but_not_added_to(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    fog = project.write(FOG)
    settings = index_settings(fog.config, FakeEmbedder())
    old = {name: value for name, value in settings.items() if name not in ("chunking.pack", "chunking.rules")}
    monkeypatch.setattr("rag.factory._settings", lambda *_: old)
    fog.ingest()
    monkeypatch.undo()
    with fog.knowledge_base() as knowledge_base:
        assert "Lentil" in knowledge_base.search("lentil soup")[0].text
    with pytest.raises(SettingsMismatchError, match=r"chunking\.rules is None there and 3 here"):
        open_index(fog.folder / ".rag", fog.config, FakeEmbedder(), write=True)
    assert open_unless_other(fog.folder / ".rag", fog.config) is None
    changed, _ = reembedded(fog)
    assert changed.index.store.settings["chunking.rules"] == 3


def test_reembedding_equals_a_fresh_ingestion(fog: Project, tmp_path: Path) -> None:
    long: dict[str, str | bytes] = {
        "long.md": "# A\n\n" + "The net hangs still on the quay. " * 40 + "\n\n## B\n\nIt is old.\n"
    }
    fog.write(long).ingest()
    settings = ("chunking.size=32", "chunking.overlap=8", "chunking.embed_headings=false")
    changed, report = reembedded(fog, *settings)
    fresh = Project(tmp_path / "fresh", *settings).write({**FOG, **long})
    fresh.ingest()
    assert changed.contents() == fresh.contents()
    assert (report.changed, report.chunks) == (4, len(fresh.chunks()))
    assert changed.index.verify() == []
    assert found(changed, "net quay") == found(fresh, "net quay")
    assert counts(changed.ingest()) == (0, 0, 4, 0)


def test_reembedding_needs_no_files(fog: Project) -> None:
    for path in (fog.folder / "fog.md", fog.folder / "canteen.txt"):
        path.unlink()
    changed, report = reembedded(fog, "chunking.size=64", "chunking.overlap=0")
    assert report.changed == 3
    assert any("Lentil soup" in text for text in found(changed, "soup"))


def test_reembedding_leaves_stale_and_failed_documents_as_they_are(fog: Project) -> None:
    fog.write({"canteen.txt": b"", "bad.pdf": PDF_HEADER}).ingest()
    before = fog.states()
    changed, _ = reembedded(fog, "chunking.size=64", "chunking.overlap=0")
    assert changed.states() == before


def test_vectors_of_removed_documents_are_never_needed(fog: Project) -> None:
    fog.index.store.commit(removals=["fog.md"])
    with fog.index.store.transaction() as db:
        db.execute("DELETE FROM vectors WHERE key NOT IN (SELECT vector_key FROM chunks)")
    fog.index.sync()
    assert fog.index.verify() == []
    assert fog.index.rebuild() == 2
    assert not any("sensor" in text for text in found(fog, "fog sensor"))
    changed, report = reembedded(fog, "chunking.size=64", "chunking.overlap=0")
    assert (report.changed, sorted(changed.states())) == (2, ["canteen.txt", "ru/mast.txt"])
