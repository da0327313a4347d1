"""``rag watch``: keep the index equal to files and folders as they change."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, path, resolve
from rag.cli.output import note, out_json
from rag.errors import EXIT_LOCKED, InputError, StorageError, UsageError
from rag.ingestion.web.urls import is_url
from rag.text import counted

if TYPE_CHECKING:
    from rag.ingestion.report import IngestReport
    from rag.ingestion.sync import IngestOptions
    from rag.knowledge_base import KnowledgeBase

__all__ = ["Syncing", "watch"]

_RETRY_S = 1.0


def watch(
    paths: Annotated[list[str], typer.Argument(help="Files and folders to watch.", show_default=False)],
    prune: Annotated[
        bool, typer.Option("--prune", help="Also remove documents whose files are gone or ignored.")
    ] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Read documents into the index now and whenever they change, until Ctrl-C.

    Each time it does what `rag ingest PATH…` does, and prints one line if something changed. Models stay loaded. A file
    that cannot be read is reported once and tried again when it changes. While another process writes to the index it
    waits. A folder that disappears is waited for; its documents stay, also with --prune.
    """
    if any(map(is_url, paths)):
        raise UsageError("an address of the web cannot be watched", "read it again with `rag ingest ADDRESS`")
    files = [path(text) for text in paths]
    for file in files:
        if not file.exists():
            raise InputError(f"{file} does not exist", "check the path")
    resolved = resolve(config, settings)
    from rag.ingestion.sync import IngestOptions
    from rag.ingestion.watching import watch_paths
    from rag.knowledge_base import KnowledgeBase

    with KnowledgeBase(index, resolved) as knowledge_base:
        syncing = Syncing(knowledge_base, files, IngestOptions(prune=prune), as_json)
        for moment in watch_paths(files, index, _say_polling):
            for gone in moment.gone:
                note(f"{gone} is gone: its documents stay, and it is waited for")
            for back in moment.back:
                note(f"{back} is back")
            syncing.take(changed=moment.changed)


def _say_polling() -> None:
    note("the system cannot watch so many folders: they are looked through every second")


@dataclass
class Syncing:
    """Syncs when something has changed, and says what is new since the last time."""

    knowledge_base: KnowledgeBase
    paths: list[Path]
    options: IngestOptions
    as_json: bool
    is_due: bool = True
    last: IngestReport | None = None
    retry_at: float = 0.0
    said: set[str] = field(default_factory=set)

    def take(self, *, changed: bool) -> None:
        """Sync if something has changed now, or before and another process was writing."""
        self.is_due = self.is_due or changed
        if not self.is_due or time.monotonic() < self.retry_at:
            return
        existing = [path for path in self.paths if path.exists()]
        if not existing:
            return
        try:
            report = self._sync(existing)
        except StorageError as error:
            if error.exit_code != EXIT_LOCKED:
                raise
            self._say_once(f"waiting: {error.message}")
            self.retry_at = time.monotonic() + _RETRY_S
            return
        except InputError as error:  # no document there yet, a wrong .ragignore, a folder that cannot be listed
            self._say_once(f"{error.message}; {error.remedy}")
        else:
            self.said.clear()
            self._show(report)
        self.is_due = False

    def _sync(self, existing: list[Path]) -> IngestReport:
        from rag.cli.ingest_report import shown_on_stderr

        with shown_on_stderr(self.knowledge_base.config.config) as observer:
            return self.knowledge_base.ingest(existing, options=self.options, observer=observer, purpose="rag watch")

    def _say_once(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.add(sentence)
            note(sentence)

    def _show(self, report: IngestReport) -> None:
        """Print a line if something changed, and the problems that are new."""
        from rag.cli.ingest_report import print_report_line, report_json
        from rag.cli.reading_notes import print_notes

        known = {(f.source, f.message) for f in self.last.failures} if self.last else set()
        failures = [f for f in report.failures if (f.source, f.message) not in known]
        for failure in failures:
            note(f"failed: {failure.source}: {failure.message}; {failure.remedy}")
        print_notes(report.notes)
        if report.gone and report.gone != (self.last.gone if self.last else 0):
            count = counted(report.gone, "document remains whose file is", "documents remain whose files are")
            note(f"{count} gone. To remove what is gone, use --prune.")
        for folder, spared in report.spared.items():
            if self.last is None or folder not in self.last.spared:
                count = counted(spared, "document from it remains", "documents from it remain")
                note(f"{folder} is empty, perhaps an unmounted disk: {count}")
        is_new = report.added or report.changed or report.moved or report.removed or failures
        first, self.last = self.last is None, report
        if first or is_new:
            if self.as_json:
                out_json(report_json(report, str(self.knowledge_base.folder)), indent=None)
            else:
                now = datetime.now().astimezone().strftime("%H:%M:%S")
                print_report_line(report, str(self.knowledge_base.folder), f"{now}  ")
