"""One run for every front: what it tells whoever looks on, when it loads a model, and what a refusal leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from indexes.errors import IndexLockedError
from indexes.lock import writer_lock
from rag.config import Config, load_config
from rag.embedding.base import FakeEmbedder
from rag.ingestion import run as ingest_run
from rag.ingestion.discovery import find_sources
from rag.ingestion.parse_jobs import ParseAll
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.run import Watch, ingest_found
from rag.ingestion.sync import Plan, make_plan

FOG = "The fog horn on the pier sounds twice a minute whenever the sensor sees less than a mile of open water. " * 3


class Noting(Watch):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def loading(self) -> Iterator[None]:
        self.told.append("loading")
        yield
        self.told.append("loaded")

    def planned(self, plan: Plan) -> None:
        self.told.append(f"{len(plan.to_read)} to read")

    @contextmanager
    def reading(self) -> Iterator[Callable[[Progress], None]]:
        self.told.append("reading")
        yield lambda progress: self.told.append(progress.stage)
        self.told.append("read")

    def parsing(self, parse_all: ParseAll) -> ParseAll:
        self.told.append("parsing")
        return parse_all


@pytest.fixture
def config() -> Config:
    return load_config("test").config


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "fog.txt").write_text(FOG, encoding="utf-8")
    (folder / "again.txt").write_text(FOG + "\n", encoding="utf-8")
    return folder


def run(folder: Path, config: Config, watch: Watch | None = None) -> IngestReport:
    stages = StageClock()
    found = find_sources([folder], folder.parent)
    plan = partial(make_plan, found=found, root=folder.parent)
    return ingest_found(folder.parent / ".rag", config, found, plan, "a test", stages=stages, watch=watch)


def test_a_first_run_is_told_from_loading_to_the_end(documents: Path, config: Config) -> None:
    watch = Noting()
    report = run(documents, config, watch)
    assert watch.told[:5] == ["loading", "loaded", "2 to read", "reading", "parsing"]
    assert watch.told[-1] == "read" and len(watch.told) > 6  # its progress stands between
    assert (report.added, report.same + report.near) == (2, 1)  # type: ignore[operator]
    assert {"find", "load", "compare"} <= set(report.stages)
    assert report.seconds >= sum(report.stages.values()) * 0.99


def test_a_run_with_nothing_to_read_loads_nothing(
    documents: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(documents, config)

    def fail(_: Config) -> FakeEmbedder:
        raise AssertionError("the embedder is loaded")

    monkeypatch.setattr(ingest_run, "make_embedder", fail)
    watch = Noting()
    report = run(documents, config, watch)
    assert watch.told == ["0 to read"]
    assert (report.unchanged, report.same, report.near) == (2, None, None)


def test_where_somebody_writes_the_model_that_was_loaded_is_closed(
    documents: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Embedder(FakeEmbedder):
        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(ingest_run, "make_embedder", lambda _: Embedder())
    index = documents.parent / ".rag"
    index.mkdir()
    with writer_lock(index, "something else"), pytest.raises(IndexLockedError, match="something else"):
        run(documents, config)
    assert closed == [True]
