"""How the ingestor has bytes made into documents: here, or in the processes of a pool that work ahead.

What parses is a callable that is handed in (:data:`ParseAll`). Nothing is known here of chunks, vectors or the index.
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
from rag.types import Document

if TYPE_CHECKING:
    from rag.ingestion.sandbox import ParserPool

__all__ = ["ParseAll", "ParseJob", "Parsed", "parse_here", "parse_in", "parser_failed"]


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A file's bytes, to be made a document called ``source``; ``content`` and ``work`` are the ingestor's own."""

    source: str
    data: bytes
    content: FileContent
    work: ToRead


Parsed = tuple[ParseJob, Document | DocumentError]
ParseAll = Callable[[Iterable[ParseJob]], Iterator[Parsed | None]]
"""Takes jobs as it is ready for them and yields each with its outcome, in the same order; None where the next one takes
a while, so that whoever waits can do something else meanwhile."""

_PATIENCE_S = 1.0


def parse_here(jobs: Iterable[ParseJob]) -> Iterator[Parsed]:
    """Parse in this process, one after the other."""
    return map(_parse, jobs)


def _parse(job: ParseJob) -> Parsed:
    try:
        return job, load_bytes(job.data, job.source)
    except DocumentError as error:
        return job, error
    except Exception as error:  # noqa: BLE001 - whatever a parser trips over, the other files must go on
        return job, parser_failed(error)


def parse_in(pool: ParserPool) -> ParseAll:
    """Return what parses in the processes of a pool, a few files ahead of the embedder."""

    def parse_all(jobs: Iterable[ParseJob]) -> Iterator[Parsed | None]:
        waiting: deque[ParseJob] = deque()

        def hand_over(job: ParseJob) -> tuple[str, bytes]:
            waiting.append(job)
            return job.source, job.data

        def paired(done: tuple[object, Document | DocumentError] | None) -> Parsed | None:
            return None if done is None else (waiting.popleft(), done[1])

        # Generators here would hold on to what they yielded last, a file's bytes and text, until the next is asked for.
        return map(paired, pool.parse_all(map(hand_over, jobs), patience=_PATIENCE_S))

    return parse_all


def parser_failed(error: Exception) -> DocumentError:
    """Return the failure of a file whose parser raised what it should not."""
    told = " ".join(str(error).split())[:200]
    return DocumentError("parser", f"its parser failed: {type(error).__name__}: {told}", "report the file")
