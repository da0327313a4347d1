"""Runs and their comparison as tables: what the evaluation page shows, without widgets.

Values come from manifests that anybody may have written: whatever is missing or of another type is left blank. Texts in
the records are plain text: escape them before showing them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from eval.comparison import Comparison, verdict
from eval.losses import em_lost
from eval.metrics import METRICS, headline
from eval.runs import RunEntry, interval_of, latencies
from eval.statistics import percentile
from ui.i18n import Texts
from ui.jobs.evaluations import Evaluation
from ui.text.safe import label, one_line
from ui.views.words import named

__all__ = [
    "IN_TABLE",
    "Tile",
    "comparison_rows",
    "ended_words",
    "has_answers",
    "loss_rows",
    "made_rows",
    "metric_label",
    "metric_rows",
    "name_width",
    "progress_words",
    "reliability_rows",
    "reliability_words",
    "run_rows",
    "run_state",
    "running_words",
    "stage_rows",
    "tiles",
    "value_text",
]

IN_TABLE = ("em", "f1", "recall@5", "latency_s")
_NAME_PX = (200, 480)
_UNITS = {"percent": 1, "ratio": 3, "seconds": 3}


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the few figures that one looks for first."""

    label: str
    value: str
    interval: str


def run_state(entry: RunEntry, t: Texts, *, running: str = "") -> str:
    """Return what is to be said of a run's state, in one line."""
    if entry.name == running:
        return t("evaluation.state_running")
    if entry.state == "complete":
        return t("evaluation.state_complete")
    key = f"evaluation.state_{entry.state}"
    return one_line(t(key, problem=entry.problem, remedy=entry.remedy), 300)


def run_rows(entries: Sequence[RunEntry], t: Texts, *, running: str = "") -> list[dict[str, Any]]:
    """Return one row a run: texts and, so that they can be sorted, numbers with their intervals beside them."""
    rows = []
    for entry in entries:
        manifest = entry.manifest
        dataset = _mapping(manifest.get("dataset"))
        row: dict[str, Any] = {"run": one_line(entry.name), "state": run_state(entry, t, running=running)}
        metrics = manifest.get("metrics") if entry.state == "complete" else None
        for name in IN_TABLE:
            found = _interval(metrics, name)
            row[name] = found["mean"] if found else None
            row[f"{name} interval"] = _range(found, name, t)
        row["questions"] = dataset.get("asked") if isinstance(dataset.get("asked"), int) else None
        row["dataset"] = one_line(str(dataset.get("name") or ""))
        row["mode"] = one_line(str(manifest.get("mode") or ""))
        row["config"] = one_line(str(manifest.get("config_name") or ""))
        row["created"] = _when(manifest.get("created"), t)
        rows.append(row)
    return rows


def name_width(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the pixels that the names in rows of :func:`run_rows` want: points of a sweep differ at their end."""
    longest = max((len(str(row["run"])) for row in rows), default=0)
    return min(_NAME_PX[1], max(_NAME_PX[0], 8 * longest + 24))


def tiles(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], t: Texts) -> list[Tile]:
    """Return the figures to show first and the 95th percentile of latency, those that there are."""
    found = []
    metrics = _mapping(manifest.get("metrics"))
    for name in headline(metrics):
        interval = _interval(metrics, name)
        if interval:
            found.append(Tile(metric_label(name, t), value_text(name, interval["mean"], t), _range(interval, name, t)))
    seconds = latencies(rows)
    if seconds:
        p50, p95 = (t.number(percentile(seconds, q), 2) for q in (50, 95))
        found.append(
            Tile(t("evaluation.latency_p95"), f"{p95}\u00a0{t('evaluation.s')}", f"p50 {p50}\u00a0{t('evaluation.s')}")
        )
    return found


def metric_label(name: str, t: Texts) -> str:
    """Return the name of a metric of the table in the page's language, or its English label if it has no text."""
    return named(t, f"evaluation.metric_{name.replace('@', '_')}", METRICS[name].label)


def metric_rows(manifest: Mapping[str, Any], t: Texts) -> list[dict[str, Any]]:
    """Return every metric with its interval and how many questions it is about."""
    metrics = _mapping(manifest.get("metrics"))
    rows = []
    for name in [*METRICS, *(name for name in metrics if name not in METRICS)]:
        found = _interval(metrics, name)
        if found:
            label = metric_label(name, t) if name in METRICS else one_line(str(name))
            row = {"metric": label, "mean": value_text(name, found["mean"], t), "interval": _range(found, name, t)}
            rows.append(row | {"n": int(found["n"])})
    return rows


def reliability_words(manifest: Mapping[str, Any], t: Texts) -> str:
    """Return the expected calibration error, and how many answers have no confidence; empty if the run has none."""
    figures = _mapping(manifest.get("reliability"))
    ece, answers = figures.get("ece"), figures.get("answers")
    if not _is_number(ece) or not isinstance(answers, int):
        return ""
    text = t("evaluation.calibration_error", ece=t.number(ece, 3), n=answers)
    unrated = figures.get("unrated")
    return f"{text} {t('evaluation.unrated', n=unrated)}" if isinstance(unrated, int) and unrated > 0 else text


def reliability_rows(manifest: Mapping[str, Any], t: Texts) -> list[dict[str, Any]]:
    """Return one row a band and one a kind of question: answers shown, how many were right, and the confidence."""
    figures, rows = _mapping(manifest.get("reliability")), []
    for group in ("bands", "kinds"):
        for name, entry in _mapping(figures.get(group)).items():
            known = _mapping(entry)
            if not all(_is_number(known.get(key)) for key in ("n", "right", "low", "high", "confidence")):
                continue
            low, high = (t.number(100 * known[key], 1) for key in ("low", "high"))
            label = named(t, f"evaluation.band_{name}", str(name)) if group == "bands" else one_line(str(name))
            rows.append(
                {
                    "group": label,
                    "n": int(known["n"]),
                    "right": f"{t.number(100 * known['right'], 1)}\u00a0%",
                    "interval": f"{low} – {high}",
                    "confidence": t.number(known["confidence"], 3),
                    "ece": t.number(known["ece"], 3) if _is_number(known.get("ece")) else None,
                }
            )
    return rows


def loss_rows(rows: Sequence[Mapping[str, Any]], t: Texts) -> list[tuple[str, str, int, float]]:
    """Return :func:`~eval.losses.em_lost` with its labels in the language of the page."""
    return [
        (stage, named(t, f"evaluation.loss_{stage}", label), count, points)
        for stage, label, count, points in em_lost(rows)
    ]


def stage_rows(rows: Sequence[Mapping[str, Any]], t: Texts) -> list[dict[str, Any]]:
    """Return p50, p95 and mean of every stage that was timed, in milliseconds."""
    names = list(dict.fromkeys(str(name) for row in rows for name in _mapping(row.get("timings"))))
    found = []
    for name, values in [*((n, latencies(rows, n)) for n in names), ("total", latencies(rows))]:
        if values:
            cells = {"p50": percentile(values, 50), "p95": percentile(values, 95), "mean": sum(values) / len(values)}
            found.append(
                {"stage": named(t, f"plots.stage_{name}", name)} | {k: round(1000 * v, 1) for k, v in cells.items()}
            )
    return found


def made_rows(manifest: Mapping[str, Any], t: Texts) -> list[tuple[str, str]]:
    """Return how a run was made: data, models, machine, versions."""
    dataset, index = _mapping(manifest.get("dataset")), _mapping(manifest.get("index"))
    hardware, models = _mapping(manifest.get("hardware")), _mapping(manifest.get("models"))
    machine = [hardware.get("cpu"), hardware.get("cores") and t("evaluation.made_cores", n=hardware["cores"])]
    machine += [hardware.get("memory_gib") and f"{hardware['memory_gib']} GiB", hardware.get("gpu")]
    packages = _mapping(manifest.get("packages"))
    facts: list[tuple[str, object]] = [
        ("dataset", dataset.get("name")),
        ("sha256", dataset.get("sha256")),
        ("mode", manifest.get("mode")),
        ("seed", manifest.get("seed")),
        ("config", manifest.get("config_name")),
        ("digest", manifest.get("config_digest")),
        ("embedder", models.get("embedder")),
        ("generator", models.get("generator")),
        ("generation", index.get("generation")),
        ("machine", ", ".join(str(part) for part in machine if part)),
        ("commit", manifest.get("git_commit")),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
        ("created", _when(manifest.get("created"), t)),
    ]
    return [(t(f"evaluation.made_{key}"), one_line(str(v), 500)) for key, v in facts if v not in (None, "")]


def comparison_rows(comparison: Comparison, t: Texts) -> list[dict[str, Any]]:
    """Return one row a metric: both means, the difference with its interval, p, and what that says."""
    rows = []
    for name, d in comparison.differences.items():
        said = verdict(name, d) or "same"
        low, high = (_signed(name, v, t) for v in (d.low, d.high))
        rows.append(
            {
                "metric": metric_label(name, t),
                "a": value_text(name, d.mean_a, t),
                "b": value_text(name, d.mean_b, t),
                "difference": _signed(name, d.difference, t),
                "interval": t("evaluation.from_to", low=low, high=high),
                "p": t.number(d.p, 4),
                "verdict": t(f"evaluation.verdict_{said}"),
                "n": d.n,
            }
        )
    return rows


def value_text(name: str, value: float, t: Texts) -> str:
    """Write a value of a metric with the digits and the sign of its unit."""
    unit = METRICS[name].unit if name in METRICS else "ratio"
    shown = t.number(value, _UNITS[unit])
    return (
        f"{shown}\u00a0%" if unit == "percent" else f"{shown}\u00a0{t('evaluation.s')}" if unit == "seconds" else shown
    )


def _signed(name: str, value: float, t: Texts) -> str:
    unit = METRICS[name].unit if name in METRICS else "ratio"
    shown = t.number(abs(value), _UNITS[unit])
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{shown}"


def _range(found: Mapping[str, float] | None, name: str, t: Texts) -> str:
    if found is None:
        return ""
    digits = _UNITS[METRICS[name].unit if name in METRICS else "ratio"]
    return f"{t.number(found['low'], digits)} – {t.number(found['high'], digits)}"


def _interval(metrics: object, name: str) -> dict[str, float] | None:
    """Return an interval of finite numbers, or None."""
    try:
        found = interval_of(metrics, name)
    except (TypeError, ValueError):
        return None
    return found if found and all(math.isfinite(value) for value in found.values()) else None


def _when(value: object, t: Texts) -> str:
    try:
        return t.date(dt.datetime.fromisoformat(str(value)).astimezone())
    except ValueError:
        return ""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def progress_words(now: Evaluation, t: Texts) -> str:
    """Return one line of Markdown; what the other process calls its stage is shown as it is, as letters."""
    stage = f"evaluation.stage_{now.stage}"
    scores = ""
    if now.em is not None and now.f1 is not None:
        scores = t("evaluation.scores", em=t.percent(now.em, 1), f1=t.percent(now.f1, 1))
    point = t("evaluation.of", done=now.point, total=now.points) if now.points else ""
    words = [
        f"{t('evaluation.point')} {point}" if point else "",
        label(now.label) if point else "",
        t(stage) if stage in t else label(now.stage),
        t("evaluation.of", done=now.done, total=now.total) if now.total else "",
        scores,
        t("evaluation.seconds", n=round(now.seconds)),
    ]
    return " · ".join(word for word in words if word)


def has_answers(now: Evaluation) -> bool:
    """Return whether questions were asked: then there is a run to open, or a point of a sweep that is remembered."""
    return now.point > 1 or now.em is not None or now.stage in ("questions", "report")


def running_words(now: Evaluation, t: Texts) -> str:
    """Say that one runs, an evaluation or a sweep."""
    return t("evaluation.running_sweep" if now.request.sweep else "evaluation.running_run")


def ended_words(now: Evaluation, t: Texts) -> str:
    """Say how one ended, an evaluation or a sweep, and after a cancel what is left and how to go on."""
    early = "_early" if now.status == "cancelled" and not has_answers(now) else ""
    key = f"evaluation.{now.status}{early}_{'sweep' if now.request.sweep else 'run'}"
    return t(key, seconds=round(now.seconds))
