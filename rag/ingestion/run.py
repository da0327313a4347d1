"""One ingestion into an index folder, from what was found to the report: the same for ``rag ingest`` and the page.

Opens or creates the index, plans under the writer lock, loads the embedder only where there is something to read, and
compares the documents at the end. What is shown meanwhile, and to whom, a :class:`Watch` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from indexes import Index
from indexes.derived.signatures import duplicate_groups
from indexes.store.store import Store
from rag.config import Config
from rag.embedding.base import Embedder
from rag.factory import make_chunker, make_embedder, make_parser_pool, open_or_create, open_unless_other
from rag.ingestion.discovery import Found
from rag.ingestion.ingestor import Ingestor, carry_out_without_reading
from rag.ingestion.parse_jobs import ParseAll, parse_in
from rag.ingestion.report import IngestReport, Progress, StageClock
from rag.ingestion.sync import Plan

__all__ = ["ProgressWatch", "Watch", "ingest_found"]


class Watch:
    """Who looks on at a run, and here sees nothing: override what is to be shown."""

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Surround the loading of the embedder."""
        yield

    def planned(self, plan: Plan) -> None:
        """Take note of what is going to be done."""

    @contextmanager
    def reading(self) -> Iterator[Callable[[Progress], None]]:
        """Surround the reading; what is returned is told where it stands."""
        yield lambda _: None

    def parsing(self, parse_all: ParseAll) -> ParseAll:
        """Return the parser, or one that tells of each file."""
        return parse_all


class ProgressWatch(Watch):
    """Passes the progress on to a function."""

    def __init__(self, progress: Callable[[Progress], None]) -> None:
        self._progress = progress

    @contextmanager
    def reading(self) -> Iterator[Callable[[Progress], None]]:
        """Return the function."""
        yield self._progress


def ingest_found(
    index: Path,
    config: Config,
    found: Found,
    make_plan: Callable[[Store], Plan],
    purpose: str,
    *,
    stages: StageClock | None = None,
    watch: Watch | None = None,
) -> IngestReport:
    """Carry out the plan that ``make_plan`` makes of an index and ``found``, under one writer lock.

    ``purpose`` is what others read who wait for the lock; ``stages`` is a clock that runs already, and the report's
    seconds are counted from its beginning. Raises what opening and planning raise, and
    :class:`~indexes.errors.IndexLockedError`.
    """
    stages, watch = stages or StageClock(), watch or Watch()
    embedder = None
    with ExitStack() as held:
        opened = open_unless_other(index, config)
        if opened is None:
            embedder = held.enter_context(closing(_load(config, stages, watch)))
            opened = open_or_create(index, config, embedder)
        held.enter_context(opened.writing(purpose))
        store = held.enter_context(closing(opened.store))
        with stages.stage("find"):
            plan = make_plan(store)
        watch.planned(plan)
        if plan.to_read:
            embedder = embedder or held.enter_context(closing(_load(config, stages, watch)))
            report = _read(opened, config, plan, found, embedder, stages, watch)
        else:
            report = carry_out_without_reading(opened, plan, found, stages)
    report.seconds = stages.now() - stages.began
    return report


def _load(config: Config, stages: StageClock, watch: Watch) -> Embedder:
    with watch.loading(), stages.stage("load"):
        return make_embedder(config)


def _read(
    opened: Index, config: Config, plan: Plan, found: Found, embedder: Embedder, stages: StageClock, watch: Watch
) -> IngestReport:
    chunker = make_chunker(config, embedder)
    with watch.reading() as show:
        with make_parser_pool(config) as pool:
            parse_all = watch.parsing(parse_in(pool))
            ingestor = Ingestor(opened, embedder, chunker, show, parse_all, stages)
            report = ingestor.carry_out(plan, found)
            report.parse_seconds = pool.busy_seconds
        ingestor.tell("comparing")
        _compare(opened.store, report, stages)
    return report


def _compare(store: Store, report: IngestReport, stages: StageClock) -> None:
    """Count the documents that say what another one says already."""
    with stages.stage("compare"):
        copies = [similarity for group in duplicate_groups(store) for _, similarity in group.members[1:]]
    report.same = sum(similarity == 1.0 for similarity in copies)
    report.near = len(copies) - report.same
    report.stages = stages.seconds
