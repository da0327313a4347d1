"""Runs as data: read the folder of a run, and list a folder of runs with what is wrong in each.

A run has a manifest (``run.json``) and rows (``rows.jsonl``), one for each question; ``docs/evaluation.md`` describes
both. Listing reads each manifest and compares the checksum of the rows; only :func:`load_run` reads the rows. A broken
folder is an entry of the list, not an error. The module does not know how a run is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from eval.errors import EvalError
from eval.files import os_reason, parse_json, sha256_file

__all__ = [
    "FORMAT",
    "RunData",
    "RunEntry",
    "SweepEntry",
    "find_incomplete",
    "interval_of",
    "latencies",
    "list_runs",
    "list_sweeps",
    "load_run",
    "runs_stamp",
]

FORMAT = 1
State = Literal["complete", "incomplete", "broken"]
_NOT_RUNS = {"corpora", "memory"}  # folders that `rag eval` writes next to the runs
_AGAIN = "delete the folder and run the evaluation again"


@dataclass(frozen=True)
class RunData:
    """A finished run: ``manifest`` is ``run.json``, ``rows`` are in the dataset's order, ``label`` names its folder."""

    manifest: dict[str, Any]
    rows: list[dict[str, Any]]
    label: str = ""

    @property
    def metrics(self) -> Mapping[str, dict[str, float]]:
        """By metric the ``mean``, its 95 % interval ``low`` to ``high``, and ``n`` questions. EM, F1 in percent."""
        return self.manifest.get("metrics") or {}


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


def load_run(folder: Path | str) -> RunData:
    """Read a complete run from its folder.

    Raises :class:`~eval.errors.EvalError` if the run is missing, incomplete or damaged.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise EvalError(f"{folder} is not a run: it has no run.json", "name a folder below runs/ that `rag eval` wrote")
    entry = _manifest_entry(folder)
    if entry.problem:
        raise EvalError(f"{folder}: {entry.problem}", entry.remedy)
    rows, asked = _read_rows(folder / "rows.jsonl"), entry.manifest["dataset"]["asked"]
    problem = f"it has {len(rows)} rows of {asked}" if len(rows) != asked else _wrong_rows(folder, entry.manifest)
    if problem:
        raise EvalError(f"{folder}: {problem}", _AGAIN)
    return RunData(dict(entry.manifest), rows, folder.name)


def list_runs(root: Path) -> list[RunEntry]:
    """Return the runs below a folder, newest first: their names begin with the time."""
    return [_run(folder) for folder in _folders(root) if not _is_sweep(folder)]


def list_sweeps(root: Path) -> list[SweepEntry]:
    """Return the sweeps below a folder, newest first."""
    return [_sweep(folder) for folder in _folders(root) if _is_sweep(folder)]


def runs_stamp(root: Path) -> tuple[tuple[object, ...], ...]:
    """Return a value that changes when any run or sweep below a folder does, without reading a file."""
    return tuple((f.name, *map(_stamp, (f / "run.json", f / "rows.jsonl", f / "sweep.json"))) for f in _folders(root))


def find_incomplete(root: Path, key: str) -> Path | None:
    """Return the newest folder below ``root`` of a run with this key that was not finished, or None."""
    entries = map(_manifest_entry, _folders(root))
    return next((e.folder for e in entries if e.state == "incomplete" and e.manifest.get("key") == key), None)


def interval_of(metrics: object, name: str) -> dict[str, float] | None:
    """Return ``mean``, ``low``, ``high`` and ``n`` of a metric of a manifest; None if it was not measured."""
    entry = metrics.get(name) if isinstance(metrics, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(entry.get("mean"), int | float):
        return None
    mean = float(entry["mean"])
    low, high = (entry.get(side) for side in ("low", "high"))
    return {
        "mean": mean,
        "low": float(low) if isinstance(low, int | float) else mean,
        "high": float(high) if isinstance(high, int | float) else mean,
        "n": int(entry.get("n") or 0),
    }


def latencies(rows: Sequence[Mapping[str, Any]], stage: str | None = None) -> list[float]:
    """Return the seconds of every question: the total, or those of one stage where it was timed."""
    values = [row.get("latency_s") if stage is None else (row.get("timings") or {}).get(stage) for row in rows]
    return [float(value) for value in values if isinstance(value, int | float)]


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


def _manifest_entry(folder: Path) -> RunEntry:
    """Return the run by its manifest alone."""
    try:
        manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = "delete the folder: it is no run, or it stopped at once"
        return RunEntry(folder, "broken", {}, "there is no run.json", remedy)
    except (OSError, ValueError, RecursionError) as error:
        return RunEntry(folder, "broken", {}, f"run.json cannot be read: {os_reason(error)}", _AGAIN)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        problem = f"run.json is of format {version!r}, and this version reads {FORMAT}"
        return RunEntry(folder, "broken", {}, problem, "use the version of rag-qa that made the run")
    if manifest.get("status") != "complete":
        problem = "it is not finished, or still running"
        return RunEntry(folder, "incomplete", manifest, problem, "run the same `rag eval` command again to resume it")
    problem = _wrong_shape(manifest)
    return RunEntry(folder, "broken" if problem else "complete", manifest, problem, _AGAIN if problem else "")


def _run(folder: Path) -> RunEntry:
    """Return the run by its manifest and the checksum of its rows."""
    entry = _manifest_entry(folder)
    problem = _wrong_rows(folder, entry.manifest) if entry.state == "complete" else ""
    return RunEntry(folder, "broken", entry.manifest, problem, _AGAIN) if problem else entry


def _wrong_shape(manifest: Mapping[str, Any]) -> str:
    for name in ("dataset", "metrics"):
        if not isinstance(manifest.get(name), Mapping):
            return f"run.json lacks the {name}"
    return "" if isinstance(manifest["dataset"].get("asked"), int) else "run.json lacks the number of questions asked"


def _wrong_rows(folder: Path, manifest: Mapping[str, Any]) -> str:
    path = folder / "rows.jsonl"
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


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a run; a damaged line, or a score or time that is not a number, is an error."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvalError(f"{path} cannot be read: {os_reason(error)}", _AGAIN) from None
    return [_row(line, f"{path}, line {number}") for number, line in enumerate(text.split("\n"), start=1) if line]


def _row(line: str, where: str) -> dict[str, Any]:
    row = parse_json(line, where, _AGAIN)
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise EvalError(f"{where}, is not the row of a question", _AGAIN)
    for name in ("em", "f1", "confidence", "latency_s"):
        value = row.get(name)
        if value is None and name in ("em", "f1", "confidence") and name in row:
            continue  # a run that measured only retrieval, or an answer that is not rated
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise EvalError(f"{where}: {name} is {value!r}", _AGAIN)
        if name != "latency_s" and not 0 <= value <= 1:
            raise EvalError(f"{where}: {name} is {value!r}, not 0 to 1", _AGAIN)
    return row


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
