"""Index folders as a whole, without a model: whether there is an index, who writes it, and how to remove it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from indexes import ChunkRow, DocumentRow
from indexes.lock import HOLDER, LOCK, Holder, holder, writer_lock
from indexes.store.database import DATABASE, holds_index
from rag.config import Config
from rag.errors import InputError
from rag.factory import open_index
from rag.ingestion.versions import VERSIONS_FILE
from rag.retrieval.source_names import SourceNames

__all__ = [
    "ChunkRow", "DocumentRow", "Holder", "holds_index", "matching_documents", "remove_documents", "remove_index",
    "writer_of",
]  # fmt: skip

_JOURNALS = ("-journal", "-wal", "-shm")
_DERIVED = ("dense", "lexical")


def writer_of(folder: Path) -> Holder | None:
    """Return the process that writes in the folder, or None."""
    return holder(folder)


def remove_documents(
    folder: Path, config: Config, choose: Callable[[list[str]], Sequence[str]], purpose: str
) -> tuple[list[str], int]:
    """Remove documents from an index; return their names and the index's generation.

    ``choose`` gets the names of all documents and returns those to remove. Raises what it raises, what opening an index
    raises, and :class:`~indexes.errors.IndexLockedError`.
    """
    with open_index(folder, config, write=True) as index, index.writing(purpose):
        chosen = list(choose([row.source for row in index.store.documents()]))
        generation = index.store.commit(removals=chosen)
        index.sync()
    return chosen, generation


def matching_documents(texts: Iterable[str], known: Sequence[str], folder: Path) -> list[str]:
    """Return the documents that are named or match a pattern, each once, those of a folder together.

    ``known`` are the documents of the index in ``folder``. Names are looked up by
    :class:`~rag.retrieval.source_names.SourceNames`, in their own case. Raises :class:`~rag.errors.InputError` for a
    text without a document.
    """
    names = SourceNames(known, folder.resolve().parent)
    matching: dict[str, None] = {}
    for text in texts:
        found = names.matching(text, any_case=False)
        if not found:
            near = names.near(text)
            hint = f"similar names: {', '.join(near)}" if near else "run `rag documents list` for their names"
            raise InputError(f"the index has no document {text}", f"{hint}; nothing was removed")
        matching |= dict.fromkeys(found)
    return list(matching)


def remove_index(folder: Path, *, also: Sequence[str] = ()) -> None:
    """Remove an index, and its folder unless it contains other files.

    ``also`` names further files to remove. Raises :class:`~indexes.errors.IndexLockedError` while another process
    writes, and :class:`~rag.errors.InputError` for a file that cannot be removed.
    """
    if not folder.is_dir():
        return
    try:
        with writer_lock(folder, "removing the index"):
            # The database first: without it there is no index, even if the rest is interrupted.
            for name in (DATABASE, *(DATABASE + ending for ending in _JOURNALS), VERSIONS_FILE, *also):
                (folder / name).unlink(missing_ok=True)
            for name in _DERIVED:
                if (folder / name).is_dir():
                    shutil.rmtree(folder / name)
        (folder / LOCK).unlink(missing_ok=True)
        (folder / HOLDER).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise InputError(
            f"{error.filename or folder} cannot be removed: {error.strerror}", "check its permissions and try again"
        ) from error
