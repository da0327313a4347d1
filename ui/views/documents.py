"""What the Documents page shows: lines of a table, where an ingestion stands, and a text with its chunks' borders.

Pure functions and records. Names and texts of documents leave here escaped, or as plain text for widgets that show
nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rag.ingestion.discovery import UPLOAD
from rag.ingestion.loaders.formats import filter_of
from rag.ingestion.report import AFTER_READING
from ui.i18n import Texts
from ui.jobs.ingesting import Failed, Ingestion
from ui.storage.uploads import Refused, StoredUpload
from ui.text.safe import escape, one_line
from ui.views.words import read_as, remedy_of

if TYPE_CHECKING:
    from rag.ops.index_folders import ChunkRow, DocumentRow

__all__ = [
    "WINDOW",
    "Standing",
    "changed",
    "done_line",
    "line",
    "moment",
    "name_of",
    "note_lines",
    "preview",
    "reason",
    "refused_line",
    "sentence",
    "standing",
    "stored_line",
    "summary",
    "window_of",
]  # fmt: skip

WINDOW = 20_000  # characters of a text that are shown at once
_DETAILED = {"broken", "crashed", "memory", "parser", "too large", "unreadable"}  # their message says more
_STAGES = {
    "find": "finding", "load": "loading", "reading": "reading", "embedding": "embedding", "indexing": "indexing",
    "comparing": "comparing",
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """An ingestion in words: ``share`` of it done (None: not known), a sentence, and the files with their states."""

    share: float | None
    sentence: str
    figures: str
    files: tuple[tuple[str, str], ...]
    more: int


def name_of(source: str, most: int = 80) -> str:
    """Return a document's name as a reader knows it, in one line of plain text; of a long path its end."""
    name = one_line(source.removeprefix(UPLOAD), 10_000)
    return name if len(name) <= most else "…" + name[-(most - 1) :]


def summary(rows: Sequence[DocumentRow], generation: int, t: Texts) -> str:
    """Say what a collection holds: its documents by their states, of which failed ones are none that can be asked."""
    states = Counter(row.state for row in rows)
    parts = [t("documents.summary_ready", n=states["ready"])]
    parts += [t(f"documents.summary_{state}", n=states[state]) for state in ("stale", "failed") if states[state]]
    parts.append(t("documents.summary_chunks", n=sum(row.chunks for row in rows)))
    parts += [t.size(sum(row.size for row in rows)), t("documents.summary_generation", generation=generation)]
    return " · ".join(parts)


def line(row: DocumentRow, t: Texts) -> dict[str, Any]:
    """Return a document as a line of the table."""
    return {
        t("documents.column_name"): name_of(row.source),
        t("documents.column_state"): t(f"documents.state_{row.state}"),
        t("documents.column_type"): filter_of(row.media_type),
        t("documents.column_pages"): "" if row.pages is None else t.number(row.pages),
        t("documents.column_chunks"): row.chunks,
        t("documents.column_size"): t.size(row.size),
        t("documents.column_time"): t.date(moment(row.committed_at)) if row.committed_at else "",
        t("documents.column_hash"): row.content_sha256.hex()[:12] if row.content_sha256 else "",
        t("documents.column_notes"): t.number(len(row.notes)) if row.notes else "",
    }


def note_lines(row: DocumentRow, t: Texts) -> list[str]:
    """Say what of a document was not read, and what to do: a line for each note, as plain text."""
    return [" ".join(filter(None, (sentence(read_as(t, note)), remedy_of(t, note)))) for note in row.notes]


def moment(text: str) -> dt.datetime:
    """Return a moment that the index wrote down, in this machine's time zone."""
    return dt.datetime.fromisoformat(text).astimezone()


def changed(modified_ns: int) -> dt.datetime:
    """Return when a file was changed last, in this machine's time zone."""
    return dt.datetime.fromtimestamp(modified_ns / 10**9, tz=dt.UTC).astimezone()


def reason(t: Texts, failed: Failed | Refused) -> tuple[str, str]:
    """Return why a file cannot be read and what to do, in the user's language if this reason is in the catalogue."""
    key = f"documents.why_{failed.reason.replace(' ', '_')}"
    try:
        title, remedy = t(key), t(f"{key}_remedy")
    except KeyError:
        return sentence(failed.message), sentence(failed.remedy)
    detail = one_line(failed.message, 300) if failed.reason in _DETAILED else ""
    return f"{title} ({detail})." if detail else f"{title}.", remedy


def sentence(text: str) -> str:
    """Return a message from outside as one line that begins and ends as a sentence does."""
    line = one_line(text, 500)
    return f"{line[:1].upper()}{line[1:]}{'' if line.endswith(('.', '!', '?', '…')) or not line else '.'}"


def stored_line(stored: StoredUpload, t: Texts) -> str:
    """Say what happened to an uploaded file, as plain text."""
    return t(f"documents.stored_{stored.before}", name=name_of(stored.source), size=t.size(stored.size))


def refused_line(refused: Refused, t: Texts, *, megabytes: int, files: int) -> str:
    """Say why an uploaded file was not taken, as plain text."""
    name = one_line(refused.name, 80)
    if refused.why == "kind":
        message, remedy = reason(t, refused)
        return f"{name}: {message} {remedy}"
    key = refused.why.replace(" ", "_")
    return t(f"documents.refused_{key}", name=name, size=t.size(megabytes * 10**6), total=t.size(megabytes * 10**7),
             files=files, message=one_line(refused.message))  # fmt: skip


def done_line(job: Ingestion, t: Texts) -> str:
    """Say what an ingestion did, as plain text."""
    counts = {name: job.report[name] for name in ("added", "changed", "unchanged", "failed")}
    done = t("documents.done", **counts, n=job.report["chunks"], seconds=round(job.seconds, 1))
    noted = job.report.get("notes", 0)
    return f"{done} {t('documents.done_noted', n=noted)}" if noted else done


def standing(job: Ingestion, t: Texts, *, most: int = 30) -> Standing:
    """Say where an ingestion stands."""
    progress = job.progress
    done, files = int(progress.get("files_done", 0)), int(progress.get("files", 0))
    size_done, size = int(progress.get("bytes_done", 0)), int(progress.get("bytes", 0))
    part_done, part = int(progress.get("part_done", 0)), int(progress.get("part_of", 0))
    after = job.stage in AFTER_READING
    if after:
        share = part_done / part if part else None
    else:
        share = size_done / size if size else done / files if files else None
    if job.status in ("waiting", "cancelling"):
        sentence = t(f"documents.job_{job.status}")
    else:
        sentence = t(f"documents.stage_{_STAGES.get(job.stage, 'reading')}")
    figures = []
    if files:
        figures.append(t("documents.of_files", done=done, n=files))
    if size:
        figures.append(f"{t.size(size_done)} / {t.size(size)}")
    if job.seconds and progress.get("chunks"):
        figures.append(t("documents.speed", rate=t.number(progress["chunks"] / job.seconds, 1)))
    if size_done and progress.get("seconds") and not after:
        figures.append(t("documents.left", seconds=round(progress["seconds"] * (size - size_done) / size_done)))
    order = {"failed": 0, "parsing": 1, "read": 2, "waiting": 3, "done": 4}
    known = sorted(job.files.items(), key=lambda item: order.get(item[1], 5))
    shown = tuple((name_of(source), t(f"documents.file_{state}")) for source, state in known[:most])
    share = None if share is None else min(1.0, share)
    return Standing(share, sentence, " · ".join(figures), shown, len(known) - len(shown))


def window_of(position: int, length: int) -> tuple[int, int]:
    """Return the part of a text that is shown around a position: a whole number of windows from its beginning."""
    start = max(0, min(position, length - 1)) // WINDOW * WINDOW if length else 0
    return start, min(length, start + WINDOW)


def preview(text: str, chunks: Sequence[ChunkRow], start: int, end: int) -> str:
    """Return ``text[start:end]`` as HTML: chunks shaded in turn, what two of them share in a third shade.

    Where a chunk begins stands its number, counted from 1 over the whole document.
    """
    near = [(number, c) for number, c in enumerate(chunks, start=1) if c.start < end and c.end > start]
    begins = {chunk.start: number for number, chunk in near}
    cuts = {start, end, *(c.start for _, c in near), *(c.end for _, c in near)}
    borders = sorted(cut for cut in cuts if start <= cut <= end)
    pieces = []
    for left, right in pairwise(borders):
        covering = [number for number, chunk in near if chunk.start <= left and right <= chunk.end]
        if left in begins:
            pieces.append(f'<span class="number">{begins[left]}</span>')
        pieces.append(f'<span class="{_shade(covering)}">{escape(text[left:right])}</span>')
    return f'<div class="doc-text">{"".join(pieces)}</div>'


def _shade(covering: Sequence[int]) -> str:
    """Return the class of a stretch of text that the chunks of these numbers cover."""
    if len(covering) > 1:
        return "both"
    return ("odd" if covering[0] % 2 else "even") if covering else "none"
