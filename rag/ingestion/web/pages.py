"""Web pages as sources of an ingestion: fetched before the index is locked, compared with what the index knows.

A page that cannot be fetched is only reported: what was read of it before stays and answers. A page that was fetched
and cannot be read is a failure like that of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from indexes.store.store import Store
from rag.errors import DocumentError
from rag.ingestion.discovery import Found, SourceFile
from rag.ingestion.file_stamps import FileContent
from rag.ingestion.sync import IngestOptions
from rag.ingestion.web.fetch import PageFetcher, Stamp
from rag.ingestion.web.urls import normal_url

__all__ = ["fetched_at", "find_pages", "pages_to_fetch"]


def find_pages(
    urls: Iterable[str],
    store: Store | None,
    fetcher: PageFetcher,
    options: IngestOptions,
    fetching: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Found:
    """Fetch pages, each once. ``store`` is None before there is an index; ``fetching`` surrounds each page.

    The server is asked whether a page that the index knows has changed, unless the options say to read it in any case.
    Raises :class:`~rag.errors.InputError` for a malformed address, before anything is fetched.
    """
    found = Found()
    known = store.content_hashes() if store else {}
    for url in dict.fromkeys(map(normal_url, urls)):
        state, sha, _ = known.get(url, ("", None, None))
        stamp, stamped_sha = (store.stamp(url) if store else None) or ("", b"")
        is_current = state == "ready" and sha is not None and sha == stamped_sha
        asks = is_current and not (options.rehash or options.reread)
        try:
            with fetching(url):
                page = fetcher.fetch(url, Stamp.parse(stamp) if asks else None, sha or b"")
        except DocumentError as error:
            found.unreadable.append((url, error))
            continue
        hints = {"name": page.name, "charset": page.charset}
        found.files.append(SourceFile(Path(url), url, None, page.content, hints))
    return found


def pages_to_fetch(urls: Iterable[str]) -> list[SourceFile]:
    """Return pages as a plan lists them before they are fetched. Raises :class:`~rag.errors.InputError`."""
    unknown = FileContent(b"", b"", 0, None)
    return [SourceFile(Path(url), url, None, unknown) for url in dict.fromkeys(map(normal_url, urls))]


def fetched_at(store: Store, source: str) -> tuple[str, str] | None:
    """Return when a page was fetched last, in ISO format, and the address to which it was redirected, or empty."""
    found = store.stamp(source)
    stamp = Stamp.parse(found[0]) if found else Stamp()
    return (stamp.fetched, stamp.final) if stamp.fetched else None
