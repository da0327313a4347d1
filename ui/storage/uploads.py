"""Files that came through the page: checked before anything reads them, stored under random names.

A file's own name never becomes a path. It is cleaned and becomes the document's source, ``upload://NAME``, which is
what citations show; on the disk lie the bytes under a random name and a record named by the source's hash. The same
name again replaces what was there, as a file in a folder would: one document, its newest version.

Nothing is known here of the index: stored files are ingested by :mod:`ui.jobs.ingesting`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from indexes.system import atomic_write
from rag.errors import DocumentError
from rag.ingestion.discovery import UPLOAD, is_upload
from rag.ingestion.loaders import sniff

__all__ = ["Incoming", "Refused", "StoredUpload", "Uploads", "check", "clean_name"]

_HEAD = 1 << 20  # bytes from which a text's kind is detected; packages have their directory at the end
_WHOLE = (b"PK", b"\xd0\xcf\x11\xe0")
_PART_CHARACTERS, _PARTS = 150, 12
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Incoming:
    """A file as the browser sent it: its name, perhaps with folders, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Refused:
    """A file that is not taken: ``why`` says it in short, the rest in a loader's words."""

    name: str
    why: Literal["too large", "too many", "too much", "no room", "kind"]
    reason: str = ""
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class StoredUpload:
    """A file that was taken. ``before`` says what stood under its name: nothing, another content, or the same."""

    source: str
    path: str
    size: int
    sha256: str
    uploaded_at: str
    before: Literal["nothing", "other", "same"] = "nothing"


def clean_name(name: str) -> str:
    """Return a name that says the same and can do nothing: no way out of a folder, no hidden characters, no device.

    Folders in it stay, because they distinguish documents.
    """
    parts = []
    for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/"):
        seen = "".join(" " if c.isspace() else c for c in part if c.isspace() or not _hidden(c))
        seen = " ".join(seen.split()).strip(". ") if set(seen) <= {".", " "} else " ".join(seen.split())
        if seen:
            parts.append(_shortened(f"_{seen}" if _RESERVED.match(seen) else seen))
    if parts and len(parts[0]) == 2 and parts[0][1] == ":":  # a drive
        parts.pop(0)
    return "/".join(parts[-_PARTS:]) or "unnamed"


def check(files: Sequence[Incoming], *, most_bytes: int, most_files: int) -> tuple[list[Incoming], list[Refused]]:
    """Sort files into those that may be taken and those that are refused, by number, size and content.

    ``most_bytes`` is for each file, and ten times as much for all of them together.
    """
    taken: list[Incoming] = []
    refused: list[Refused] = []
    room = 10 * most_bytes
    for file in files:
        why = _refusal(file, most_bytes, room, len(taken) < most_files)
        if why is None:
            taken.append(file)
            room -= len(file.data)
        else:
            refused.append(why)
    return taken, refused


class Uploads:
    """The files of one collection, in a folder that is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, file: Incoming) -> StoredUpload | Refused:
        """Store a file. A disk that is full refuses it, and what stood under its name stays."""
        source = UPLOAD + clean_name(file.name)
        sha = hashlib.sha256(file.data).hexdigest()
        earlier = self.find(source)
        if earlier and earlier.sha256 == sha and (self.folder / earlier.path).is_file():
            return StoredUpload(**asdict(earlier) | {"before": "same"})
        stored = StoredUpload(
            source, secrets.token_hex(16), len(file.data), sha, datetime.now(UTC).isoformat(timespec="seconds")
        )
        try:
            self._make_folder()
            atomic_write(self.folder / stored.path, file.data)
            atomic_write(self._record(source), json.dumps(asdict(stored), ensure_ascii=False).encode())
        except OSError as error:
            with suppress(OSError):
                (self.folder / stored.path).unlink()
            return Refused(file.name, "no room", message=error.strerror or str(error))
        if earlier:
            (self.folder / earlier.path).unlink(missing_ok=True)
        return StoredUpload(**asdict(stored) | {"before": "other" if earlier else "nothing"})

    def find(self, source: str) -> StoredUpload | None:
        """Return the stored file of a source, None if there is none or its record cannot be read."""
        try:
            found = StoredUpload(**json.loads(self._record(source).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if re.fullmatch(r"[0-9a-f]{32}", str(found.path)) else None

    def path(self, source: str) -> Path | None:
        """Return where the bytes of a source lie, None where they are not here."""
        stored = self.find(source) if is_upload(source) else None
        return self.folder / stored.path if stored and (self.folder / stored.path).is_file() else None

    def forget(self, source: str) -> bool:
        """Remove a file from the disk; return whether there was one."""
        stored = self.find(source)
        if stored is None:
            return False
        self._record(source).unlink(missing_ok=True)
        (self.folder / stored.path).unlink(missing_ok=True)
        return True

    def forget_all(self) -> None:
        """Remove every file and the folder."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if re.fullmatch(r"[0-9a-f]{32}(\.json)?(\.[\d-]+\.part)?", path.name):
                    path.unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _record(self, source: str) -> Path:
        return self.folder / f"{hashlib.sha256(source.encode('utf-8', 'backslashreplace')).hexdigest()[:32]}.json"

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.folder.parent / ".ragignore"  # `rag ingest .` beside it must not read records as documents
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")


def _refusal(file: Incoming, most_bytes: int, room: int, one_more: bool) -> Refused | None:
    size = len(file.data)
    if not one_more:
        return Refused(file.name, "too many")
    if size > most_bytes:
        return Refused(file.name, "too large")
    if size > room:
        return Refused(file.name, "too much")
    try:
        sniff(file.data if file.data.startswith(_WHOLE) else file.data[:_HEAD], clean_name(file.name))
    except DocumentError as error:
        return Refused(file.name, "kind", error.reason, error.message, error.remedy)
    return None


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def _shortened(part: str) -> str:
    if len(part) <= _PART_CHARACTERS:
        return part
    stem, dot, ending = part.rpartition(".")
    ending = f".{ending}" if dot and len(ending) <= 10 else ""
    return f"{(stem if ending else part)[: _PART_CHARACTERS - len(ending) - 1]}…{ending}"
