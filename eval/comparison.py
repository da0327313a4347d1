"""Compare two runs over the same questions: did a change help, or is the difference chance?

The comparison is paired by question: bootstrap intervals of the differences, McNemar's test on exact match, wins, ties
and losses by F1, and the questions that flipped. It knows runs only as data (:class:`~eval.runs.RunData`). A slower
run is never a worse one: statistics cannot weigh latency against F1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets import SMALL_TALK
from eval.errors import EvalError
from eval.metrics import GUARDED, METRICS, value_in
from eval.runs import RunData, load_run
from eval.statistics import Difference, McNemar, mcnemar, paired_bootstrap, paired_bootstrap_of_shares

__all__ = ["Comparison", "compare", "to_markdown", "verdict"]

_LEVEL = 0.05
_TIE = 1e-9  # F1 values that differ by less are equal up to rounding

Row = Mapping[str, Any]
_Columns = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Comparison:
    """The result of :func:`compare`. ``differences`` are b - a by metric, in the metric's unit.

    ``only_in_a`` and ``only_in_b`` count questions that only one run asked. A metric is compared over the ``n``
    questions to which it applies (a question without a source has no nDCG), or, for a metric of answers of some kind,
    that have such an answer in either run; ``not_compared`` names metrics that apply to different questions in the two
    runs, or only in one. Latency is compared only if ``own_times``: both runs asked each question
    alone. ``wins`` counts the questions on which b has the higher F1. ``worse`` names the metrics of
    :data:`~eval.metrics.GUARDED` that are significantly worse. ``mcnemar`` is None if a run has no answers.
    """

    name_a: str
    name_b: str
    n: int
    only_in_a: int
    only_in_b: int
    samples: int
    seed: int
    differences: dict[str, Difference]
    not_compared: list[str]
    own_times: bool = True
    mcnemar: McNemar | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    flipped: list[dict[str, Any]] = field(default_factory=list)
    worse: list[str] = field(default_factory=list)


def compare(
    run_a: RunData | Path | str, run_b: RunData | Path | str, *, samples: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare run b, the candidate, with run a, the baseline, question by question.

    Each run is a :class:`~eval.runs.RunData` or the folder of one. ``samples`` is the number of bootstrap samples,
    ``seed`` draws them. Raises :class:`~eval.errors.EvalError` if a folder holds no complete run, or if the runs are
    about different datasets or have no question or no metric in common.
    """
    a, b = (run if isinstance(run, RunData) else load_run(Path(run)) for run in (run_a, run_b))
    _require_same_dataset(a, b)
    rows_a, rows_b = _common_rows(a, b)
    own_times = _has_own_times(a) and _has_own_times(b)
    columns_a, columns_b = (_columns(rows, _name(run), own_times) for rows, run in ((rows_a, a), (rows_b, b)))
    per_answer = {name: (columns_a.pop(name), columns_b.pop(name)) for name in [*columns_a] if METRICS[name].per_answer}
    shared = {name: list(column) for name, column in columns_a.items() if column.keys() == columns_b[name].keys()}
    differences = _differences(columns_a, columns_b, {name: ids for name, ids in shared.items() if ids}, samples, seed)
    ids = [row["id"] for row in rows_a]
    for name, sides in per_answer.items():
        values = [[column.get(key, math.nan) for key in ids] for column in sides]
        difference = paired_bootstrap_of_shares(*values, samples=samples, seed=seed)
        if difference is not None:
            differences[name] = difference
    if not differences:
        raise EvalError(f"{_name(a)} and {_name(b)} have no metric in common", "evaluate both in the same mode")
    return Comparison(
        name_a=_name(a),
        name_b=_name(b),
        n=len(rows_a),
        only_in_a=len(a.rows) - len(rows_a),
        only_in_b=len(b.rows) - len(rows_b),
        samples=samples,
        seed=seed,
        differences=differences,
        not_compared=[
            *(name for name in columns_a if name not in shared),
            *(name for name, sides in per_answer.items() if name not in differences and any(sides)),
        ],
        own_times=own_times,
        worse=_guarded_with("worse", differences),
        **_compare_answers(rows_a, rows_b, shared),
    )


def _compare_answers(
    rows_a: Sequence[Row], rows_b: Sequence[Row], shared: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return McNemar's test on EM, b's wins, ties and losses by F1, and the questions that flipped.

    ``shared`` holds by metric the ids of its questions. Nothing is returned if a run lacks answers. Small talk is left
    out.
    """
    pairs = [(a, b) for a, b in zip(rows_a, rows_b, strict=True) if a.get("kind") != SMALL_TALK]
    if any(len(shared.get(name, ())) != len(pairs) for name in ("em", "f1")):
        return {}
    gain = np.array([b["f1"] - a["f1"] for a, b in pairs])
    return {
        "mcnemar": mcnemar([a["em"] > 0 for a, _ in pairs], [b["em"] > 0 for _, b in pairs]),
        "wins": int((gain > _TIE).sum()),
        "ties": int((np.abs(gain) <= _TIE).sum()),
        "losses": int((gain < -_TIE).sum()),
        "flipped": _flipped(pairs),
    }


def to_markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown table with sentences that explain it."""
    c = comparison
    lines = [
        f"# {_plain(c.name_b)} (b) against {_plain(c.name_a)} (a)",
        "",
        f"{c.n} question{'s' * (c.n != 1)}, paired; {c.samples} bootstrap samples, seed {c.seed}.",
        *_omissions(c),
        "",
        "| metric | n | a | b | b - a | 95 % interval | p | |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
        *(_table_row(name, difference) for name, difference in c.differences.items()),
        "",
    ]
    if c.mcnemar is not None:
        plural = "s" * (c.mcnemar.only_a != 1)
        lines += [
            f"Exact match: only a is right on {c.mcnemar.only_a} question{plural}, only b on {c.mcnemar.only_b} "
            f"(McNemar, p = {_digits(c.mcnemar.p)}).",
            f"By F1, b wins {c.wins}, ties {c.ties} and loses {c.losses}.",
        ]
    return "\n".join([*lines, *_conclusions(c)]) + "\n"


def _omissions(c: Comparison) -> list[str]:
    """Return a sentence for everything that was not compared."""
    lines = []
    if c.only_in_a or c.only_in_b:
        lines.append(f"Left out because only one run asked them: {c.only_in_a} of a, {c.only_in_b} of b.")
    if c.not_compared:
        lines.append(f"Not compared because the runs have different questions for it: {', '.join(c.not_compared)}.")
    if not c.own_times:
        lines.append(
            "Latency is not compared: questions in flight together share their time. `--window 1` asks each alone."
        )
    return lines


def _conclusions(c: Comparison) -> list[str]:
    """Return a sentence about the significant differences in the guarded metrics."""
    guarded = [name for name in GUARDED if name in c.differences]
    named = {word: _guarded_with(word, c.differences) for word in ("better", "worse")}
    if guarded and not any(named.values()):
        return [f"There is no significant difference in {', '.join(guarded)}."]
    return [f"b is significantly {word} in {', '.join(names)}." for word, names in named.items() if names]


def _guarded_with(conclusion: str, differences: Mapping[str, Difference]) -> list[str]:
    """Return the guarded metrics with this verdict."""
    return [name for name in GUARDED if name in differences and verdict(name, differences[name]) == conclusion]


def verdict(name: str, d: Difference) -> str:
    """Return ``better`` or ``worse`` (for latency ``faster`` or ``slower``); empty if it may be chance."""
    if d.p >= _LEVEL or d.low <= 0 <= d.high:  # p too: a handful of equal differences has an interval of no width
        return ""
    metric = METRICS[name]
    improved = (d.low > 0) == metric.higher_is_better
    if metric.family == "speed":
        return "faster" if improved else "slower"
    return "better" if improved else "worse"


def _table_row(name: str, d: Difference) -> str:
    interval = f"{_signed(d.low)} to {_signed(d.high)}"
    conclusion = verdict(name, d) or "no significant difference"
    cells = [str(d.n), _digits(d.mean_a), _digits(d.mean_b), _signed(d.difference), interval, _digits(d.p), conclusion]
    return f"| {name} | {' | '.join(cells)} |"


def _digits(value: float) -> str:
    """Return three significant digits, for large numbers without an exponent: 0.0123, 12.3, 12346."""
    text = f"{value:#.3g}"  # "#" keeps trailing zeros: 0.480
    return f"{value:.0f}" if "e+" in text else text.rstrip(".")


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{_digits(value)}"


def _plain(name: str) -> str:
    """Return a name in one line, so that it cannot end a heading."""
    return " ".join(name.split())


def _name(run: RunData) -> str:
    return run.label or str(run.manifest.get("name") or "a run without a name")


def _require_same_dataset(a: RunData, b: RunData) -> None:
    digests, texts = [], []
    for run in (a, b):
        dataset = run.manifest.get("dataset")
        if not isinstance(dataset, Mapping) or not dataset.get("sha256"):
            raise EvalError(f"the manifest of {_name(run)} lacks the dataset", "run the evaluation again")
        digests.append(str(dataset["sha256"]))
        texts.append(f"{_name(run)} is about {dataset.get('name')} ({digests[-1][:12]})")
    if digests[0] != digests[1]:
        raise EvalError(" and ".join(texts), "compare two runs over the same dataset file")


def _common_rows(a: RunData, b: RunData) -> tuple[list[Row], list[Row]]:
    """Return the rows of the questions that both runs asked, in the order of a."""
    by_id_a, by_id_b = _by_id(a), _by_id(b)
    common = [key for key in by_id_a if key in by_id_b]
    if not common:
        raise EvalError(
            f"{_name(a)} and {_name(b)} have no question in common", "evaluate both with the same --limit and --seed"
        )
    return [by_id_a[key] for key in common], [by_id_b[key] for key in common]


def _by_id(run: RunData) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for row in run.rows:
        if row["id"] in rows:
            raise EvalError(f"{_name(run)} has two rows for the question {row['id']!r}", "run the evaluation again")
        rows[row["id"]] = row
    return rows


def _has_own_times(run: RunData) -> bool:
    """Return whether each question was asked alone: questions in flight together wait for each other."""
    return run.manifest.get("mode") != "retrieval" and run.manifest.get("window") in (None, 1)


def _differences(
    a: _Columns, b: _Columns, shared: Mapping[str, Sequence[str]], samples: int, seed: int
) -> dict[str, Difference]:
    """Compare each metric over its own questions; metrics with the same questions share their resampling."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, ids in shared.items():
        groups.setdefault(tuple(ids), []).append(name)
    differences: dict[str, Difference] = {}
    for ids, names in groups.items():
        side_a, side_b = ({name: [columns[name][key] for key in ids] for name in names} for columns in (a, b))
        differences |= paired_bootstrap(side_a, side_b, samples=samples, seed=seed)
    return {name: differences[name] for name in shared}


def _columns(rows: list[Row], name: str, own_times: bool) -> _Columns:
    """Return by metric the values of the questions to which it applies, by id, in the metric's unit."""
    compared = [metric for metric, spec in METRICS.items() if spec.compared and (own_times or spec.family != "speed")]
    columns: _Columns = {metric: {} for metric in compared}
    for row in rows:
        retrieval = row.get("retrieval")
        if not isinstance(retrieval, Mapping | None):
            message = f"{name}: retrieval of the question {row['id']!r} is {retrieval!r}"
            raise EvalError(message, "run the evaluation again")
        for metric, column in columns.items():
            value = value_in(row, metric)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                message = f"{name}: {metric} of the question {row['id']!r} is {value!r}"
                raise EvalError(message, "run the evaluation again")
            column[row["id"]] = METRICS[metric].scale * float(value)
    return columns


def _flipped(pairs: Sequence[tuple[Row, Row]]) -> list[dict[str, Any]]:
    return [
        {
            "id": a["id"],
            "question": a.get("question"),
            "a": a.get("prediction"),
            "b": b.get("prediction"),
            "golds": list(a.get("answers") or []),
            "better": "a" if a["em"] > b["em"] else "b",
        }
        for a, b in pairs
        if a["em"] != b["em"]
    ]
