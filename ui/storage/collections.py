"""The collections: index folders beside the one that the page was started with, to switch between.

A folder counts that holds an index or that the page made to hold one, which a small file in it says. Names are those
of the folders. Nothing outside the one folder that holds them all is ever looked at, made or removed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import InputError
from rag.ops.index_folders import holds_index, remove_index
from ui.jobs.background import engines
from ui.settings import UiSettings
from ui.storage.uploads import Uploads

__all__ = ["create", "delete", "listed", "uploads_of"]

_MARK = "collection.json"
_NAME = re.compile(r"[^\W_][\w .-]{0,58}[\w]|[^\W_]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def listed(settings: UiSettings) -> list[Path]:
    """Return the folders of the collections, the one that the page was started with first."""
    given = settings.index.absolute()
    try:
        beside = sorted(
            path for path in given.parent.iterdir() if path.is_dir() and path not in (given, settings.state)
        )
    except OSError:
        beside = []
    return [given, *(folder for folder in beside if (folder / _MARK).is_file() or holds_index(folder))]


def create(settings: UiSettings, name: str) -> Path:
    """Make and return a folder for a new collection.

    Raises :class:`~rag.errors.InputError` for a name that is none or taken."""
    clean = unicodedata.normalize("NFC", name).strip()
    if not _NAME.fullmatch(clean) or _RESERVED.fullmatch(clean):
        raise InputError(
            "a collection cannot have that name",
            "use letters, digits, spaces, hyphens and dots, a letter or digit first, 60 at most",
        )
    folder = settings.index.absolute().parent / clean
    if any(clean.casefold() == path.name.casefold() for path in folder.parent.iterdir()):
        raise InputError("there is a file or folder of that name already", "choose another name")
    try:
        folder.mkdir(mode=0o700)
        made = {"made_at": datetime.now(UTC).isoformat(timespec="seconds")}
        (folder / _MARK).write_text(json.dumps(made), encoding="utf-8")
    except OSError as error:
        raise InputError(f"the collection cannot be made: {error.strerror}", "check the disk and permissions") from None
    return folder


def delete(settings: UiSettings, folder: Path) -> None:
    """Remove a collection: its index, its folder where nothing else is in it, and the files uploaded to it.

    Raises :class:`~rag.errors.InputError` for a folder that is no collection, and
    :class:`~indexes.errors.IndexLockedError` while another process writes.
    """
    if folder not in listed(settings):
        raise InputError("there is no such collection any more", "choose one from the list")
    engines().forget(folder)
    remove_index(folder, also=(_MARK,))
    uploads_of(settings, folder).forget_all()


def uploads_of(settings: UiSettings, folder: Path) -> Uploads:
    """Return the uploaded files of a collection."""
    return Uploads(settings.state / "uploads" / folder.name)
