"""Index folders as a whole, without a model: is there one, who writes in it, take documents out, take it away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from indexes import ChunkRow, DocumentRow
from indexes.lock import HOLDER, LOCK, Holder, holder, writer_lock
from indexes.store.store import DATABASE, Store
from rag.config import Config
from rag.errors import InputError
from rag.factory import open_index

__all__ = ["ChunkRow", "DocumentRow", "Holder", "holds_index", "remove_documents", "remove_index", "writer_of"]

_JOURNALS = ("-journal", "-wal", "-shm")
_DERIVED = ("dense", "lexical")


def holds_index(folder: Path) -> bool:
    """Return whether the folder holds an index, whole or damaged."""
    if not (folder / DATABASE).is_file():
        return False
    try:
        return Store.exists(folder)
    except Exception:  # noqa: BLE001 - whatever SQLite says of it: opening it tells the user
        return True


def writer_of(folder: Path) -> Holder | None:
    """Return who is writing in the folder, None where nobody says so."""
    return holder(folder)


def remove_documents(
    folder: Path, config: Config, choose: Callable[[list[str]], Sequence[str]], purpose: str
) -> tuple[list[str], int]:
    """Take documents out of an index; they are gone from every search at once. Return them, and its generation.

    ``choose`` gets the names of all documents and returns those that are to go. Raises what it raises, what opening
    an index does, and :class:`~indexes.errors.IndexLockedError`.
    """
    opened = open_index(folder, config, write=True)
    with opened.writing(purpose), closing(opened.store) as store:
        chosen = list(choose([row.source for row in store.documents()]))
        generation = store.commit(removals=chosen)
        opened.sync()
    return chosen, generation


def remove_index(folder: Path, *, also: Sequence[str] = ()) -> None:
    """Remove an index with its folder; what else lies in the folder stays, and so does the folder then.

    ``also`` names further files of ours in it. Raises :class:`~indexes.errors.IndexLockedError` while somebody
    writes, and :class:`~rag.errors.InputError` where something cannot be removed.
    """
    if not folder.is_dir():
        return
    try:
        with writer_lock(folder, "removing the index"):
            # The database first: once it is gone, there is no index, whatever an interruption leaves.
            for name in (DATABASE, *(DATABASE + ending for ending in _JOURNALS), *also):
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
            f"{error.filename or folder} cannot be removed: {error.strerror}", "check its permissions, and try again"
        ) from error
