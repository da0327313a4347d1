"""A folder of runs as a list: what each is, and in one sentence what is wrong with those that cannot be used.

Reading the list opens each manifest and compares the rows' checksum with it, nothing more: a run is read by
:func:`eval.records.load_run`. A broken folder is an entry like any other, never an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from eval.errors import EvalError
from eval.records import FORMAT

__all__ = ["RunEntry", "SweepEntry", "list_runs", "list_sweeps", "runs_stamp"]

State = Literal["complete", "incomplete", "broken"]
_OURS = {"corpora", "memory"}  # what `rag eval` keeps beside the runs


@dataclass(frozen=True)
class RunEntry:
    """A run's folder. ``problem`` and ``remedy`` are sentences, empty for a complete run."""

    folder: Path
    state: State
    manifest: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""

    @property
    def name(self) -> str:
        """The folder's name, which is the run's own."""
        return self.folder.name


@dataclass(frozen=True)
class SweepEntry:
    """A sweep's folder and its points, or why they cannot be read."""

    folder: Path
    points: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def list_runs(root: Path) -> list[RunEntry]:
    """Return the runs below a folder, the newest (by name, which begins with the time) first."""
    return [_run(folder) for folder in _folders(root) if not _is_sweep(folder)]


def list_sweeps(root: Path) -> list[SweepEntry]:
    """Return the sweeps below a folder, the newest first."""
    return [_sweep(folder) for folder in _folders(root) if _is_sweep(folder)]


def runs_stamp(root: Path) -> tuple[tuple[object, ...], ...]:
    """Return what changes when any run or sweep below a folder does; looking costs little."""
    return tuple((f.name, *map(_stamp, (f / "run.json", f / "rows.jsonl", f / "sweep.json"))) for f in _folders(root))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _folders(root: Path) -> list[Path]:
    try:
        return sorted((p for p in root.iterdir() if p.is_dir() and p.name not in _OURS), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise EvalError(
            f"the folder of runs {root} cannot be read: {error.strerror}", "check its permissions"
        ) from None


def _is_sweep(folder: Path) -> bool:
    return (folder / "sweep.json").exists() or (folder / "sweep.html").exists()


def _run(folder: Path) -> RunEntry:
    again = "delete the folder and run the evaluation again"
    path = folder / "run.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return RunEntry(folder, "broken", {}, "it has no run.json", "it is no run, or one that was stopped at once")
    except (OSError, ValueError, RecursionError) as error:
        return RunEntry(folder, "broken", {}, f"its run.json cannot be read: {_told(error)}", again)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        told = f"its run.json is of format {found!r}, and this version reads {FORMAT}"
        return RunEntry(folder, "broken", {}, told, "use the version of rag-qa that made it")
    if manifest.get("status") != "complete":
        told = "it was not finished, or is being made just now"
        return RunEntry(folder, "incomplete", manifest, told, "the same `rag eval` command goes on where it stopped")
    problem = _wrong_shape(manifest) or _wrong_rows(folder / "rows.jsonl", manifest)
    return RunEntry(folder, "broken" if problem else "complete", manifest, problem, again if problem else "")


def _wrong_shape(manifest: Mapping[str, Any]) -> str:
    for name in ("dataset", "metrics"):
        if not isinstance(manifest.get(name), Mapping):
            return f"its run.json does not say its {name}"
    if not isinstance(manifest["dataset"].get("asked"), int):
        return "its run.json does not say how many questions were asked"
    return ""


def _wrong_rows(path: Path, manifest: Mapping[str, Any]) -> str:
    try:
        stat = path.stat()
        digest = _sha256(path, stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        return "its rows.jsonl is missing"
    except OSError as error:
        return f"its rows.jsonl cannot be read: {_told(error)}"
    return "" if digest == manifest.get("rows_sha256") else "its rows.jsonl is cut off or was changed after the run"


@lru_cache(maxsize=1024)
def _sha256(path: Path, _mtime: int, _size: int) -> str:
    """Return the digest of a file, computed once while its time and size are the same."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sweep(folder: Path) -> SweepEntry:
    path = folder / "sweep.json"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SweepEntry(folder, (), "it was made before sweeps were kept as data: give `rag eval sweep` again")
    except (OSError, ValueError, RecursionError) as error:
        return SweepEntry(folder, (), f"its sweep.json cannot be read: {_told(error)}")
    points = tree.get("points") if isinstance(tree, dict) else None
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        return SweepEntry(folder, (), "its sweep.json holds no points")
    if not all(isinstance(point.get("settings") or {}, dict) for point in points):
        return SweepEntry(folder, (), "its sweep.json holds settings of another form")
    return SweepEntry(folder, tuple(points))


def _told(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
