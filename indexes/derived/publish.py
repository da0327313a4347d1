"""Derived indexes on disk: published whole or not at all, and checked before they are believed.

Each is a folder ``<kind>/<generation>-<nonce>`` with its files and, written last, a manifest that holds the
generation it reflects, the store it belongs to, the options it was built with, every file's SHA-256 and its own. A
folder is filled under a temporary name, every file and the folder itself are fsynced, and only then is it renamed into
place and its parent fsynced: a kill or a full disk at any moment leaves the last good one untouched.

Only folders with names that :func:`publish` gives are ever looked at or deleted: an index folder may be a user's
project folder, with a folder ``dense`` of their own in it.

Nothing here is the truth. What does not verify is passed over, and the caller builds it again from the store.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.errors import IndexWriteError
from indexes.fail_points import fail_point
from indexes.system import fsync, sha256_file, sha256_json

__all__ = [
    "Published",
    "file_names",
    "head_of",
    "newest",
    "options_of",
    "publish",
    "published_folders",
    "remove_all_but",
    "verify",
]

_MANIFEST = "manifest.json"
_TEMPORARY = ".tmp-"
_PUBLISHED_NAME = re.compile(r"\d{12}-[0-9a-f]{8}")
_TEMPORARY_NAME = re.compile(r"\.tmp-\d+-[0-9a-f]{8}")
_VERSION = 1


@dataclass(frozen=True)
class Published:
    """A published folder that has been verified, and the generation it reflects."""

    folder: Path
    generation: int


def publish(
    root: Path,
    store_id: str,
    head: tuple[int, str],
    options: Mapping[str, Any],
    fill: Callable[[Path], None],
) -> Published:
    """Let ``fill`` write an index into a new folder below ``root`` and put it into place durably.

    Raises :class:`~indexes.errors.IndexWriteError` where it cannot be written; nothing of the attempt is left.
    """
    generation, commit = head
    nonce = uuid.uuid4().hex[:8]
    temporary = root / f"{_TEMPORARY}{generation}-{nonce}"
    final = root / f"{generation:012d}-{nonce}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        fail_point("publish.made")
        fill(temporary)
        fail_point("publish.filled")
        _seal(temporary, store_id, generation, commit, options)
        fail_point("publish.fsynced")
        temporary.rename(final)
        fail_point("publish.renamed")
        fsync(root)
        fail_point("publish.done")
    except (OSError, RuntimeError, ValueError) as error:
        # A full disk is a RuntimeError to FAISS and a ValueError to tantivy.
        raise IndexWriteError(root, _reason(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # there is none after renaming
    return Published(final, generation)


def _seal(folder: Path, store_id: str, generation: int, commit: str, options: Mapping[str, Any]) -> None:
    """Write the manifest of a filled folder and wait until all of it is on the disk."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    manifest = {
        "version": _VERSION,
        "store_id": store_id,
        "generation": generation,
        "commit": commit,
        "options": dict(options),
        "files": {p.name: sha256_file(p) for p in files},
    }
    manifest["self"] = sha256_json(manifest)
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    fail_point("publish.manifest")
    for path in (*files, folder / _MANIFEST, folder):
        fsync(path)


def _reason(error: Exception) -> str:
    """Return what went wrong as one short line: FAISS puts its own source lines before the system's words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).rpartition("failed: ")[2].split())[-200:]


def newest(
    root: Path, store_id: str, options: Mapping[str, Any], nonce: Callable[[int], str | None]
) -> Published | None:
    """Return the newest folder below ``root`` that belongs to this store, was built with ``options`` and verifies.

    ``nonce`` gives the nonce of a commit of the store: a folder of another history, or of a commit that the caller
    does not see yet, is passed over.
    """
    for folder in published_folders(root):
        manifest = _manifest(folder)
        if manifest is None or manifest["store_id"] != store_id or manifest["options"] != dict(options):
            continue
        generation = int(manifest["generation"])
        if nonce(generation) == manifest["commit"] and verify(folder) is None:
            return Published(folder, generation)
    return None


def verify(folder: Path) -> str | None:
    """Compare every file with the manifest; return what is wrong, or None."""
    manifest = _manifest(folder)
    if manifest is None:
        return "its manifest is missing or unreadable"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_file(path) != expected:
            return f"{name} does not match its checksum"
    return None


def remove_all_but(root: Path, keep: Path | None) -> None:
    """Delete every other folder that :func:`publish` made below ``root``, whole or half.

    Readers that have one open keep its files until they let go.
    """
    if root.is_dir():
        for folder in root.iterdir():
            if folder != keep and (_is_published(folder) or _is_leftover(folder)):
                shutil.rmtree(folder, ignore_errors=True)


def published_folders(root: Path) -> list[Path]:
    """Return the folders in place below ``root``, newest first, verified or not."""
    if not root.is_dir():
        return []
    return sorted((p for p in root.iterdir() if _is_published(p)), key=lambda p: p.name, reverse=True)


def head_of(folder: Path) -> tuple[int, str]:
    """Return the number and nonce of the commit that a verified folder reflects."""
    manifest = _require_manifest(folder)
    return int(manifest["generation"]), str(manifest["commit"])


def options_of(folder: Path) -> dict[str, Any]:
    """Return the options that a verified folder was built with."""
    return dict(_require_manifest(folder)["options"])


def file_names(folder: Path) -> list[str]:
    """Return the names a published folder's manifest lists. Raises ``FileNotFoundError`` if it has none any more."""
    return sorted(name for name in _require_manifest(folder)["files"] if not name.endswith(".lock"))


def _require_manifest(folder: Path) -> dict[str, Any]:
    manifest = _manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder} has no manifest")
    return manifest


def _is_published(path: Path) -> bool:
    return _PUBLISHED_NAME.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _is_leftover(path: Path) -> bool:
    return _TEMPORARY_NAME.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        digest = manifest.pop("self")
        return manifest if manifest["version"] == _VERSION and digest == sha256_json(manifest) else None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # whatever is wrong with it, it is no manifest
        return None
