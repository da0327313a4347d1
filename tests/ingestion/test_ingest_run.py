"""One run for command line, page and library: its events, when it loads a model, and what a refusal leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from indexes.errors import IndexLockedError
from indexes.lock import writer_lock
from indexes.store.store import Store
from rag.config import load_config
from rag.embedding.base import Embedder
from rag.embedding.fake import FakeEmbedder
from rag.errors import InputError
from rag.factory import make_ingest_parts
from rag.ingestion.run import IngestObserver, IngestOptions, IngestParts, ingest_files, ingest_paths, plan_ingest

FOG = "The fog horn on the pier sounds twice a minute whenever the sensor sees less than a mile of open water. " * 3


class Events:
    """Notes the events of a run, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.observer = IngestObserver(
            loading=self.loading,
            planned=lambda plan: self.seen.append(f"{len(plan.to_read)} to read"),
            progress=lambda progress: self.seen.append(progress.stage),
            file=lambda source, state: self.seen.append(f"{source} {state}"),
        )

    @contextmanager
    def loading(self) -> Iterator[None]:
        self.seen.append("loading")
        yield
        self.seen.append("loaded")


@pytest.fixture
def parts() -> IngestParts:
    return make_ingest_parts(load_config("test").config)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "fog.txt").write_text(FOG, encoding="utf-8")
    (folder / "again.txt").write_text(FOG + "\n", encoding="utf-8")
    return folder


def test_a_first_run_reports_from_loading_to_the_end(documents: Path, parts: IngestParts) -> None:
    events = Events()
    report = ingest_paths(parts, documents.parent / ".rag", [documents], observer=events.observer)
    assert events.seen[:4] == ["loading", "loaded", "2 to read", "docs/again.txt parsing"]
    assert {"docs/again.txt read", "docs/fog.txt read", "reading", "embedding"} <= set(events.seen)
    assert events.seen[-1] == "comparing"
    assert (report.added, report.same + report.near) == (2, 1)  # type: ignore[operator]
    assert {"find", "load", "compare"} <= set(report.stages)
    assert report.seconds >= sum(report.stages.values()) * 0.99


def test_a_run_with_nothing_to_read_loads_no_model(documents: Path, parts: IngestParts) -> None:
    index = documents.parent / ".rag"
    ingest_paths(parts, index, [documents])

    def fail() -> AbstractContextManager[Embedder]:
        raise AssertionError("the embedder is loaded")

    events = Events()
    loads_nothing = make_ingest_parts(load_config("test").config, fail)
    report = ingest_paths(loads_nothing, index, [documents], observer=events.observer)
    assert events.seen == ["0 to read"]
    assert (report.unchanged, report.same, report.near) == (2, None, None)


def test_a_refused_run_closes_the_embedder(documents: Path) -> None:
    closed = []

    class Closing(FakeEmbedder):
        def close(self) -> None:
            closed.append(True)

    parts = make_ingest_parts(load_config("test").config, lambda: closing(Closing()))
    index = documents.parent / ".rag"
    index.mkdir()
    with writer_lock(index, "something else"), pytest.raises(IndexLockedError, match="something else"):
        ingest_paths(parts, index, [documents])
    assert closed == [True]


def test_files_get_the_names_they_are_given(documents: Path, parts: IngestParts) -> None:
    index = documents.parent / ".rag"
    files = {"upload://lamp.txt": documents / "fog.txt", "upload://gone.txt": documents / "gone.txt"}
    report = ingest_files(parts, index, files)
    assert (report.added, report.failed, report.failures[0].source) == (1, 1, "upload://gone.txt")
    with closing(Store.open(index)) as store:
        assert {row.source: row.state for row in store.documents()} == {
            "upload://gone.txt": "failed",
            "upload://lamp.txt": "ready",
        }


def test_without_paths_the_failed_files_are_read_again(documents: Path, parts: IngestParts) -> None:
    index = documents.parent / ".rag"
    (documents / "lamp.txt").write_text(" ", encoding="utf-8")
    assert ingest_paths(parts, index, [documents]).failed == 1
    report = ingest_paths(parts, index, [], IngestOptions(retry_failed=True))
    assert (report.failed, report.reported, report.unchanged) == (1, 0, 0)
    with pytest.raises(InputError, match=r"^no path is given$"):
        ingest_paths(parts, index, [])


def test_a_dry_run_plans_the_same_and_changes_nothing(documents: Path, parts: IngestParts) -> None:
    index = documents.parent / ".rag"
    plan = plan_ingest(index, [documents])
    assert ([work.what for work in plan.to_read], plan.seconds) == (["added", "added"], None)
    assert not index.exists()
    ingest_paths(parts, index, [documents / "fog.txt"])
    plan = plan_ingest(index, [documents])
    assert [work.file.source for work in plan.to_read] == ["docs/again.txt"]
    assert plan.seconds is not None and plan.seconds == plan.size / (plan.bytes_per_second or 0)
