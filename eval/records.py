"""A run as data: its manifest and its rows, one for each question, read from a folder.

Both are plain JSON, described in ``docs/evaluation.md``. The module knows the file names, not how a run is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.errors import EvalError
from eval.files import os_reason, parse_json, sha256_file

__all__ = ["FORMAT", "RunData", "interval_of", "latencies", "load_run", "read_manifest", "read_rows"]

FORMAT = 1
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


def load_run(folder: Path | str) -> RunData:
    """Read a complete run from its folder.

    Raises :class:`~eval.errors.EvalError` if the run is missing, incomplete or damaged.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise EvalError(f"{folder} is not a run: it has no run.json", "name a folder below runs/ that `rag eval` wrote")
    try:
        manifest = read_manifest(folder)
    except EvalError as error:
        raise EvalError(f"{folder}: {error.message}", error.remedy) from None
    if manifest.get("status") != "complete":
        raise EvalError(f"the run {folder} is not finished", "run the same `rag eval` command again to resume it")
    dataset = manifest.get("dataset")
    asked = dataset.get("asked") if isinstance(dataset, dict) else None
    if not isinstance(asked, int):
        raise EvalError(f"{folder}: run.json lacks the dataset", _AGAIN)
    path = folder / "rows.jsonl"
    rows = read_rows(path)
    if len(rows) != asked:
        raise EvalError(f"{folder} has {len(rows)} rows of {asked}", _AGAIN)
    if sha256_file(path) != manifest.get("rows_sha256"):
        raise EvalError(f"{path} was changed after the run", _AGAIN)
    return RunData(manifest, rows, folder.name)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run, finished or not.

    Raises :class:`~eval.errors.EvalError`, whose message does not name the folder.
    """
    try:
        manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EvalError("there is no run.json", "delete the folder: it is no run, or it stopped at once") from None
    except (OSError, ValueError, RecursionError) as error:
        raise EvalError(f"run.json cannot be read: {os_reason(error)}", _AGAIN) from None
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        raise EvalError(
            f"run.json is of format {version!r}, and this version reads {FORMAT}",
            "use the version of rag-qa that made the run",
        )
    return dict(manifest)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a run.

    Raises :class:`~eval.errors.EvalError` for a damaged line, or for a score or time that is not a number.
    """
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
        if value is None and name in ("em", "f1") and name in row:
            continue  # a run that measured only retrieval
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise EvalError(f"{where}: {name} is {value!r}", _AGAIN)
        if name != "latency_s" and not 0 <= value <= 1:
            raise EvalError(f"{where}: {name} is {value!r}, not 0 to 1", _AGAIN)
    return row


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
