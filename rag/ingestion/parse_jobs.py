"""How the ingestor parses files: in this process, or in the processes of a pool that work ahead.

The ingestor takes either as a callable (:data:`ParseAll`). Nothing is known here of chunks, vectors or the index.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import DocumentError
from rag.ingestion.file_stamps import FileContent
from rag.ingestion.loaders import load_bytes
from rag.ingestion.sync import ToRead
from rag.text import one_line
from rag.types import Document

if TYPE_CHECKING:
    from rag.ingestion.sandbox import ParserPool

__all__ = ["ParseAll", "ParseJob", "Parsed", "parse_here", "parse_in", "parser_failed"]

_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class ParseJob:
    """The content of a file to parse into a document, with the item of the plan that it belongs to."""

    item: ToRead
    content: FileContent

    @property
    def source(self) -> str:
        """The document's name in the index."""
        return self.item.file.source


Parsed = tuple[ParseJob, Document | DocumentError]
ParseAll = Callable[[Iterable[ParseJob]], Iterator[Parsed | None]]
"""Takes jobs as it is ready for them, and yields each with its outcome, in the same order. It yields None while the
next outcome takes long, so that the caller can do something else."""


def parse_here(jobs: Iterable[ParseJob]) -> Iterator[Parsed]:
    """Parse in this process, one file after the other."""
    return map(_parse, jobs)


def _parse(job: ParseJob) -> Parsed:
    try:
        return job, load_bytes(job.content.data, job.source)
    except DocumentError as error:
        return job, error
    except Exception as error:  # noqa: BLE001 - a parser may raise anything, and the other files must be read
        return job, parser_failed(error)


def parse_in(pool: ParserPool) -> ParseAll:
    """Return a function that parses in the processes of a pool, a few files ahead of the embedder."""

    def parse_all(jobs: Iterable[ParseJob]) -> Iterator[Parsed | None]:
        waiting: deque[ParseJob] = deque()

        def submit(job: ParseJob) -> tuple[str, bytes]:
            waiting.append(job)
            return job.source, job.content.data

        def pair(outcome: tuple[object, Document | DocumentError] | None) -> Parsed | None:
            return None if outcome is None else (waiting.popleft(), outcome[1])

        # Not generators: they would hold on to a file's bytes and text until the next one is requested.
        return map(pair, pool.parse_all(map(submit, jobs), patience=_PATIENCE_S))

    return parse_all


def parser_failed(error: Exception) -> DocumentError:
    """Return the failure of a file for which a parser raised an unexpected error."""
    message = f"its parser failed: {type(error).__name__}: {one_line(str(error), 200)}"
    return DocumentError("parser", message, "report the file")
