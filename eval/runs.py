"""List a folder of runs: each run with its state, and a sentence about what is wrong with an unusable one.

Listing reads each manifest and compares the checksum of the rows with it; :func:`eval.records.load_run` reads the
rows. A broken folder is an entry like any other, not an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from eval.errors import EvalError
from eval.files import os_reason, sha256_file
from eval.records import read_manifest

__all__ = ["RunEntry", "SweepEntry", "list_runs", "list_sweeps", "runs_stamp"]

State = Literal["complete", "incomplete", "broken"]
_NOT_RUNS = {"corpora", "memory"}  # folders that `rag eval` writes next to the runs
_AGAIN = "delete the folder and run the evaluation again"


@dataclass(frozen=True)
class RunEntry:
    """The folder of a run. ``problem`` and ``remedy`` are sentences, empty for a complete run."""

    folder: Path
    state: State
    manifest: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""

    @property
    def name(self) -> str:
        """The name of the folder, which is the name of the run."""
        return self.folder.name


@dataclass(frozen=True)
class SweepEntry:
    """The folder of a sweep and its points, or the reason why they cannot be read."""

    folder: Path
    points: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name


def list_runs(root: Path) -> list[RunEntry]:
    """Return the runs below a folder, newest first: their names begin with the time."""
    return [_run(folder) for folder in _folders(root) if not _is_sweep(folder)]


def list_sweeps(root: Path) -> list[SweepEntry]:
    """Return the sweeps below a folder, newest first."""
    return [_sweep(folder) for folder in _folders(root) if _is_sweep(folder)]


def runs_stamp(root: Path) -> tuple[tuple[object, ...], ...]:
    """Return a value that changes when any run or sweep below a folder does, without reading a file."""
    return tuple((f.name, *map(_stamp, (f / "run.json", f / "rows.jsonl", f / "sweep.json"))) for f in _folders(root))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _folders(root: Path) -> list[Path]:
    try:
        return sorted((p for p in root.iterdir() if p.is_dir() and p.name not in _NOT_RUNS), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        message = f"the folder of runs {root} cannot be read: {os_reason(error)}"
        raise EvalError(message, "check its permissions") from None


def _is_sweep(folder: Path) -> bool:
    return (folder / "sweep.json").exists() or (folder / "sweep.html").exists()


def _run(folder: Path) -> RunEntry:
    try:
        manifest = read_manifest(folder)
    except EvalError as error:
        return RunEntry(folder, "broken", {}, error.message, error.remedy)
    if manifest.get("status") != "complete":
        problem = "it is not finished, or still running"
        return RunEntry(folder, "incomplete", manifest, problem, "run the same `rag eval` command again to resume it")
    problem = _wrong_shape(manifest) or _wrong_rows(folder / "rows.jsonl", manifest)
    return RunEntry(folder, "broken" if problem else "complete", manifest, problem, _AGAIN if problem else "")


def _wrong_shape(manifest: Mapping[str, Any]) -> str:
    for name in ("dataset", "metrics"):
        if not isinstance(manifest.get(name), Mapping):
            return f"run.json lacks the {name}"
    return "" if isinstance(manifest["dataset"].get("asked"), int) else "run.json lacks the number of questions asked"


def _wrong_rows(path: Path, manifest: Mapping[str, Any]) -> str:
    try:
        stat = path.stat()
        digest = _sha256(path, stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        return "rows.jsonl is missing"
    except OSError as error:
        return f"rows.jsonl cannot be read: {os_reason(error)}"
    return "" if digest == manifest.get("rows_sha256") else "rows.jsonl is cut off or was changed after the run"


@lru_cache(maxsize=1024)
def _sha256(path: Path, _mtime: int, _size: int) -> str:
    """Return the digest of a file, computed once for the same time and size."""
    return sha256_file(path)


def _sweep(folder: Path) -> SweepEntry:
    try:
        tree = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SweepEntry(folder, (), "there is no sweep.json, which older versions did not write: sweep again")
    except (OSError, ValueError, RecursionError) as error:
        return SweepEntry(folder, (), f"sweep.json cannot be read: {os_reason(error)}")
    points = tree.get("points") if isinstance(tree, dict) else None
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        return SweepEntry(folder, (), "sweep.json has no points")
    if not all(isinstance(point.get("settings") or {}, dict) for point in points):
        return SweepEntry(folder, (), "sweep.json has settings that are no objects")
    return SweepEntry(folder, tuple(points))
