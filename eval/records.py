"""A run as data: its manifest and its per-question rows, read from and written to a folder.

The rows and the manifest are plain JSON, described in ``docs/evaluation.md``; this module knows their file names, not
what made them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.errors import EvalError

__all__ = ["FORMAT", "RunData", "interval_of", "latencies", "load_run", "read_rows", "write_json", "write_text"]

FORMAT = 1


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
    """Read a complete run from its folder. Raises :class:`~eval.errors.EvalError` for anything less."""
    folder = Path(folder)
    path = folder / "run.json"
    if not path.is_file():
        raise EvalError(f"{folder} is not a run: it has no run.json", "name a folder below runs/, made by `rag eval`")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvalError(f"{path} cannot be read: {error}", "run the evaluation again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise EvalError(f"{path} is not of format {FORMAT}", "use the version of rag-qa that made it")
    if manifest.get("status") != "complete":
        raise EvalError(
            f"the run {folder} is incomplete ({manifest.get('status')})",
            "run the same `rag eval` command again: it goes on where it stopped",
        )
    rows = read_rows(folder / "rows.jsonl")
    dataset = manifest.get("dataset")
    asked = dataset.get("asked") if isinstance(dataset, dict) else None
    if not isinstance(asked, int):
        raise EvalError(f"{path} does not say its dataset", "run the evaluation again")
    if len(rows) != asked:
        raise EvalError(f"{folder} has {len(rows)} rows of {asked}", "run the same `rag eval` command again")
    if hashlib.sha256((folder / "rows.jsonl").read_bytes()).hexdigest() != manifest.get("rows_sha256"):
        raise EvalError(f"{folder / 'rows.jsonl'} was changed after the run", "run the evaluation again")
    return RunData(manifest, rows, folder.name)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a run. Raises :class:`~eval.errors.EvalError` for a damaged line or a number that is none."""
    rows = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvalError(f"{path} cannot be read: {error}", "run the evaluation again") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line, parse_constant=_refuse)
        except ValueError as error:
            raise EvalError(f"{path}, line {number}, is damaged: {error}", "run the evaluation again") from None
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            raise EvalError(f"{path}, line {number}, is not the row of a question", "run the evaluation again")
        for name in ("em", "f1", "confidence", "latency_s"):
            value = row.get(name)
            if value is None and name in ("em", "f1") and name in row:
                continue  # a run that measured retrieval alone
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise EvalError(f"{path}, line {number}: {name} is {value!r}", "run the evaluation again")
            if name != "latency_s" and not 0 <= value <= 1:
                raise EvalError(f"{path}, line {number}: {name} is {value!r}, not 0 to 1", "run the evaluation again")
        rows.append(row)
    return rows


def interval_of(metrics: object, name: str) -> dict[str, float] | None:
    """Return mean, low, high and n of a metric, or None where it was not measured."""
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
    """Return the seconds of every question: in all, or of one stage where it was timed."""
    values = [row.get("latency_s") if stage is None else (row.get("timings") or {}).get(stage) for row in rows]
    return [float(value) for value in values if isinstance(value, int | float)]


def write_json(path: Path, value: Mapping[str, Any] | Iterable[Any]) -> None:
    """Write JSON so that a reader sees the old file or the new one. NaN raises ``ValueError``."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text so that a reader sees the old file or the new one."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", errors="replace") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")
