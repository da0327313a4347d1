"""Folders that are built from something else, cached with checksums, and rebuilt when they are damaged.

The caller knows what is in a folder and how to build it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from indexes.system import sha256_file

__all__ = ["cached_folder", "write_folder"]


def cached_folder(target: Path, record: str, build: Callable[[Path], None]) -> Path:
    """Return the folder ``target``. ``build`` builds it if it is missing or damaged.

    ``record`` names the file with its checksums, which :func:`write_folder` writes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):  # two processes would otherwise build it at once
        if not target.is_dir():
            build(target)
        if not _is_whole(target, record):
            shutil.rmtree(target, ignore_errors=True)
            build(target)
    return target


def _is_whole(folder: Path, record: str) -> bool:
    try:
        sums = json.loads((folder / record).read_text(encoding="utf-8"))["sums"]
        return all(sha256_file(folder / name) == expected for name, expected in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # AttributeError, TypeError: other JSON
        return False


def write_folder(target: Path, record: str, write: Callable[[Path], dict[str, Any]]) -> None:
    """Build the folder in one step.

    ``write`` fills a temporary folder; what it returns is recorded with the checksums of the files.
    """
    temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=target.parent))
    try:
        values = write(temporary)
        values["sums"] = {path.name: sha256_file(path) for path in sorted(temporary.iterdir())}
        (temporary / record).write_text(json.dumps(values, indent=1), encoding="utf-8")
        temporary.rename(target)
    except BaseException:  # an interruption too leaves nothing behind
        shutil.rmtree(temporary, ignore_errors=True)
        raise
