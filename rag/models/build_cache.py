"""Folders that are made from something else and kept under the user's cache, with checksums: made anew when damaged.

What is in them and how it is made, the caller knows.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

__all__ = ["fill", "keep"]


def keep(target: Path, record: str, make: Callable[[Path], None]) -> Path:
    """Return the folder, made by ``make`` where it is not there or not whole; ``record`` names its file of checksums.

    Its source is at hand: making it anew is surer than asking somebody to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):  # two processes would otherwise make it at once
        if not target.is_dir():
            make(target)
        try:
            sums = json.loads((target / record).read_text(encoding="utf-8"))["sums"]
            whole = all(_sha256(target / name) == told for name, told in sums.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            shutil.rmtree(target, ignore_errors=True)
            make(target)
    return target


def fill(target: Path, record: str, write: Callable[[Path], dict[str, Any]]) -> None:
    """Make the folder in one step: ``write`` fills a temporary one, and what it returns is recorded with checksums."""
    temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=target.parent))
    try:
        told = write(temporary)
        told["sums"] = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
        (temporary / record).write_text(json.dumps(told, indent=1), encoding="utf-8")
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
