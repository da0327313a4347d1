"""A whole index as one file: the database, behind a line that says how long it is and what its SHA-256 is.

The copy is made by SQLite's backup interface in one read transaction, so that it is one generation's, and safe while
a writer runs (a writer's commit waits for its end). Derived indexes are not in it: they are built from it.

Restoring goes through SQLite too, in one transaction on the database that stands there: killed in the middle, the
old index is still there, and readers that have it open see the new one as they see any commit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexes.errors import IndexDamagedError, SnapshotError, StoreError
from indexes.fail_points import fail_point
from indexes.lock import writer_lock
from indexes.store import database
from indexes.store.store import DATABASE, Store
from indexes.system import atomic_open, sha256_file, sha256_json

__all__ = ["SnapshotInfo", "check_snapshot", "restore_snapshot", "write_snapshot"]

_MAGIC = b"rag-qa snapshot 1\n"
_PAGES_AT_ONCE = 256
_BLOCK = 1 << 20
_SCRATCH = ".restore-"


@dataclass(frozen=True)
class SnapshotInfo:
    """What a snapshot's first lines say; ``start`` is where its database begins."""

    generation: int
    made_at: str
    size: int
    sha256: str
    start: int


def write_snapshot(store: Store, file: Path, *, replace: bool = False) -> SnapshotInfo:
    """Copy the store into a new file, whole or not at all.

    Raises :class:`~indexes.errors.StoreError` where the file exists, unless it may be replaced.
    """
    if file.exists() and not replace:
        raise StoreError(f"{file} exists already")
    with tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as scratch:
        copy = Path(scratch, DATABASE)
        store.copy_to(copy)
        fail_point("snapshot.copied")
        with Store(Path(scratch), write=False) as copied:
            generation = copied.generation
        header = {
            "generation": generation,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "size": copy.stat().st_size,
            "sha256": sha256_file(copy),
        }
        head = _MAGIC + json.dumps(header | {"self": sha256_json(header)}, sort_keys=True).encode() + b"\n"
        with atomic_open(file) as out, copy.open("rb") as handle:
            out.write(head)
            shutil.copyfileobj(handle, out, _BLOCK)
            fail_point("snapshot.written")
    return check_snapshot(file)


def check_snapshot(file: Path) -> SnapshotInfo:
    """Read a snapshot's first lines. Raises :class:`~indexes.errors.SnapshotError` for a file that is none."""
    with file.open("rb") as handle:
        magic, line = handle.read(len(_MAGIC)), handle.readline(4096)
        start = handle.tell()
    if magic != _MAGIC:
        raise SnapshotError(f"{file} is no snapshot of an index")
    try:
        header = json.loads(line)
        if header.pop("self") != sha256_json(header):
            raise ValueError
        info = SnapshotInfo(start=start, **header)
    except (ValueError, KeyError, TypeError, AttributeError):  # whatever is wrong with it, it is not what was written
        raise SnapshotError(f"{file} is damaged: its first lines are not what was written") from None
    if file.stat().st_size != start + info.size:
        raise SnapshotError(f"{file} is damaged: it is not as long as it was")
    return info


def restore_snapshot(file: Path, folder: Path, *, replace: bool = False) -> SnapshotInfo:
    """Put the index of a snapshot into ``folder``, whole or not at all.

    Raises :class:`~indexes.errors.SnapshotError` for a damaged file, :class:`~indexes.errors.StoreError` where an index
    stands in the folder, unless it may be replaced, and :class:`~indexes.errors.IndexLockedError`. A damaged database
    that is replaced is stored beside the new one under another name.
    """
    info = check_snapshot(file)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as on_error:
        if made:
            on_error.callback(shutil.rmtree, folder, ignore_errors=True)
        _restore(file, info, folder, replace=replace)
        on_error.pop_all()
    return info


def _restore(file: Path, info: SnapshotInfo, folder: Path, *, replace: bool) -> None:
    with writer_lock(folder, "restoring a snapshot"):
        for leftover in folder.glob(f"{_SCRATCH}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            there, sound = Store.exists(folder), True
        except IndexDamagedError:
            there, sound = True, False
        if there and not replace:
            raise StoreError(f"there is an index in {folder} already")
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            _unpack(file, info, Path(scratch, DATABASE))
            Store.open(Path(scratch), write=True).close()  # of an earlier format, it is brought up to date here
            fail_point("restore.checked")
            if not sound:
                _put_aside(folder / DATABASE)
            _copy_over(Path(scratch, DATABASE), folder / DATABASE)
        fail_point("restore.done")


def _unpack(file: Path, info: SnapshotInfo, target: Path) -> None:
    digest = hashlib.sha256()
    with file.open("rb") as handle, target.open("wb") as out:
        handle.seek(info.start)
        while block := handle.read(_BLOCK):
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != info.sha256:
        raise SnapshotError(f"{file} is damaged: its content does not match its checksum")


def _copy_over(source: Path, target: Path) -> None:
    """Replace a database's content by another's, in one transaction of SQLite's."""
    with (
        closing(database.connect(source)) as old,
        closing(database.connect(target, create=True, write=True)) as new,
    ):
        old.backup(new, pages=_PAGES_AT_ONCE, progress=lambda *_: fail_point("restore.copying"))


def _put_aside(database: Path) -> None:
    """Rename a damaged database; its journal goes first, or it would be applied to the next one."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for ending in ("-journal", "-wal", "-shm", ""):
        path = database.with_name(database.name + ending)
        with suppress(FileNotFoundError):
            path.rename(path.with_name(f"{database.name}.damaged-{stamp}{ending}"))
