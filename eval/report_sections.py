"""What a report says, as plain data: titled sections of sentences and tables, the same for Markdown and HTML.

It formats numbers and explains what is missing; it knows nothing of markup and escapes nothing. Texts in a table may
come from anywhere (run names, model names, settings): whoever renders them must treat them as hostile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.losses import em_lost
from eval.metrics import METRICS, format_interval, format_value
from eval.records import interval_of, latencies
from eval.statistics import percentile
from eval.sweep import sweep_settings

__all__ = ["Section", "Table", "run_sections", "sweep_section"]

_UNIT_NAMES = {"percent": "%", "ratio": "0–1", "seconds": "s"}
_TIMINGS = {"embed": "Embed", "search": "Search", "prompt": "Prompt", "generate": "Generate", "cite": "Cite"}
_MODES = {
    "gold": "gold (the reader gets the question's own paragraph)",
    "open": "open (the paragraph must be found among all)",
    "closed-book": "closed-book (no passages, a control)",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of texts; ``text_columns`` are set flush left, all others are numbers, flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report. ``key`` names it for the figures that go with it."""

    key: str
    title: str
    text: tuple[str, ...] = ()
    table: Table | None = None


def run_sections(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Return the report of a run, part by part."""
    sections = [_metrics(manifest), _losses(manifest, rows), _retrieval(manifest), _abstention(manifest)]
    sections += [
        _latency(manifest, rows),
        _throughput(manifest),
        _official(manifest),
        _made(manifest),
        _caveats(manifest),
    ]
    return sections


def _asked(manifest: Mapping[str, Any]) -> int:
    return int((manifest.get("dataset") or {}).get("asked") or 0)


def _metrics(manifest: Mapping[str, Any]) -> Section:
    metrics = manifest.get("metrics") or {}
    lines = []
    for name in [*METRICS, *(name for name in metrics if name not in METRICS)]:
        entry = interval_of(metrics, name)
        if entry is None:
            continue
        known = METRICS.get(name)
        unit = known.unit if known else None
        label = f"{known.label}\u00a0({_UNIT_NAMES[known.unit]})" if known else name
        lines.append((label, format_value(entry["mean"], unit), format_interval(entry, unit), f"{int(entry['n']):,}"))
    if not lines:
        return Section("metrics", "Metrics", ("The run holds no metrics.",))
    text = (
        "Means over the questions to which a metric applies, with 95 % bootstrap intervals. "
        "“Contains gold” counts an answer that has a gold answer in it, whatever stands around it; "
        "“citation holds gold” is the share of answers whose cited span contains a gold answer, "
        "“meets” the share where it overlaps one.",
    )
    return Section("metrics", "Metrics", text, Table(("Metric", "Mean", "95 % interval", "Questions"), tuple(lines)))


def _losses(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Section:
    lost = em_lost(manifest, rows)
    lines = [(label, f"{count:,}", f"{points:.1f}") for _, label, count, points in lost]
    if not lines:
        return Section("losses", "EM lost per stage", ("No question was answered: nothing can have been lost.",))
    total = sum(count for _, _, count, _ in lost)
    lines.append(("In all", f"{total:,}", f"{sum(points for *_, points in lost):.1f}"))
    text = "Every answer that is not an exact match is counted once, at the first stage that explains it."
    if total == 0:
        text = "No point was lost: every answer is an exact match."
    return Section("losses", "EM lost per stage", (text,), Table(("Stage", "Questions", "Points of EM"), tuple(lines)))


def _retrieval(manifest: Mapping[str, Any]) -> Section:
    metrics, lines = manifest.get("metrics") or {}, []
    for name in (name for name in METRICS if METRICS[name].family == "retrieval"):
        entry, unit = interval_of(metrics, name), METRICS[name].unit
        if entry:
            lines.append((METRICS[name].label, format_value(entry["mean"], unit), format_interval(entry, unit)))
    if lines:
        text = "How often, and how high, the source of the answer stands among the first passages."
        return Section("retrieval", "Retrieval", (text,), Table(("Metric", "Mean", "95 % interval"), tuple(lines)))
    mode = str(manifest.get("mode") or "unknown")
    if mode in {"gold", "closed-book"}:
        why = f"Not measured: in {mode} mode nothing is searched for."
    else:
        why = "Not measured: the questions name no source that could have been found."
    return Section("retrieval", "Retrieval", (why,))


def _abstention(manifest: Mapping[str, Any]) -> Section:
    found = manifest.get("abstention")
    title = "Abstention"
    if not isinstance(found, Mapping):
        return Section("abstention", title, ("Not measured: the run has no figures about unanswerable questions.",))
    names = {
        "auroc": "AUROC of the confidence (0–1)",
        "precision": "NoAns precision (0–1)",
        "recall": "NoAns recall (0–1)",
        "f1": "NoAns F1 (0–1)",
        "false_answer_rate": "Unanswerable but answered (0–1)",
    }
    lines = tuple((label, format_value(found.get(key), "ratio")) for key, label in names.items() if key in found)
    text = (
        "Risk is the share of wrong answers among those given when only the most confident answers are given; "
        "coverage is the share of questions that still get one. A dash means that the figure is undefined here.",
    )
    return Section("abstention", title, text, Table(("Figure", "Value"), lines) if lines else None)


def _latency(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Section:
    stages = {key: _TIMINGS.get(key, key) for row in rows for key in (row.get("timings") or {})}
    lines = []
    for label, values in [
        *((_TIMINGS.get(key, key), latencies(rows, key)) for key in sorted(stages, key=_timing_order)),
        ("In all", latencies(rows)),
    ]:
        if values:
            cells = (percentile(values, 50), percentile(values, 95), sum(values) / len(values))
            lines.append((label, *(format_value(1000 * cell, "milliseconds") for cell in cells)))
    if not lines:
        return Section("latency", "Latency", ("No question was timed.",))
    cached = sum(1 for row in rows if row.get("cached"))
    text = ["Milliseconds per question and stage."]
    window = manifest.get("window")
    if isinstance(window, int) and window > 1:
        text.append(
            f"Up to {window} questions were in flight at once, and the time of each includes waiting for the others: "
            "`--window 1` measures single questions."
        )
    if cached:
        text.append(f"{cached:,} of {len(rows):,} answers came from the cache, with the times of their first run.")
    table = Table(("Stage", "p50 (ms)", "p95 (ms)", "Mean (ms)"), tuple(lines))
    return Section("latency", "Latency", tuple(text), table)


def _timing_order(key: str) -> tuple[int, str]:
    names = list(_TIMINGS)
    return (names.index(key) if key in names else len(names), key)


def _throughput(manifest: Mapping[str, Any]) -> Section:
    found = manifest.get("throughput")
    if not isinstance(found, Mapping):
        return Section("throughput", "Throughput", ("Not measured in this run.",))
    questions, tokens = (format_value(found.get(key)) for key in ("questions_per_s", "tokens_per_s"))
    text = f"{questions} questions/s, {tokens} tokens/s."
    lines = tuple(
        (
            str(line.get("precision") or "–"),
            str(line.get("batch") or "–"),
            *(format_value(line.get(key), None) for key in ("questions_per_s", "tokens_per_s", "prompt_tokens_per_s")),
        )
        for line in found.get("table") or ()
    )
    columns = ("Precision", "Batch", "Questions/s", "Tokens/s", "Prompt tokens/s")
    return Section("throughput", "Throughput", (text,), Table(columns, lines) if lines else None)


def _official(manifest: Mapping[str, Any]) -> Section:
    found = manifest.get("official")
    if not isinstance(found, Mapping) or not found:
        return Section("official", "Official SQuAD scores", ("The dataset has no official script.",))
    lines = tuple((str(key), "–" if value is None else repr(value)) for key, value in found.items())
    text = ("What the official script prints for predictions.json, to the last digit.",)
    return Section("official", "Official SQuAD scores", text, Table(("Key", "Value"), lines))


def _made(manifest: Mapping[str, Any]) -> Section:
    dataset = manifest.get("dataset") or {}
    index = manifest.get("index") or {}
    hardware = manifest.get("hardware") or {}
    mode = str(manifest.get("mode") or "")
    questions, asked = dataset.get("questions"), dataset.get("asked")
    machine = [hardware.get("cpu"), hardware.get("cores") and f"{hardware['cores']} cores"]
    machine += [hardware.get("memory_gib") and f"{hardware['memory_gib']} GiB", hardware.get("gpu")]
    facts: list[tuple[str, object]] = [
        ("Dataset", f"{dataset.get('name', '?')} (version {dataset.get('version', '?')})" if dataset else None),
        (
            "Questions",
            f"{asked:,} of {questions:,}" if isinstance(asked, int) and isinstance(questions, int) else asked,
        ),
        ("Dataset SHA-256", dataset.get("sha256")),
        ("Mode", _MODES.get(mode, mode)),
        ("Seed", manifest.get("seed")),
        ("Config digest", manifest.get("config_digest")),
        *((f"Model: {role}", name) for role, name in (manifest.get("models") or {}).items()),
        ("Index", f"generation {index.get('generation', '?')}; chunks: {index.get('chunks', '?')}" if index else None),
        ("Hardware", ", ".join(str(part) for part in machine if part)),
        ("Git commit", manifest.get("git_commit")),
        ("Packages", ", ".join(f"{name} {version}" for name, version in (manifest.get("packages") or {}).items())),
        ("Created", manifest.get("created")),
        ("Duration (s)", None if manifest.get("seconds") is None else format_value(manifest["seconds"], "seconds")),
    ]
    lines = tuple((label, str(value)) for label, value in facts if value not in (None, ""))
    return Section("made", "How it was made", (), Table(("What", "Value"), lines, frozenset({0, 1})))


def _caveats(manifest: Mapping[str, Any]) -> Section:
    asked = _asked(manifest)
    text = (
        f"The figures come from {asked:,} question{'' if asked == 1 else 's'} drawn with seed "
        f"{manifest.get('seed', '?')}. The intervals say how much the means would move with other questions of the "
        "same kind; they do not cover another seed of the model, another dataset or your own documents.",
        "Exact match of a generating language model mostly measures its phrasing: “in 1066” for “1066” counts as "
        "wrong. Read F1 and “contains gold” beside it, and open some of the questions.",
        "Overlapping intervals of two runs are no test. To see whether a change helped, run “rag eval compare”, which "
        "pairs the questions.",
        "Latency and throughput hold for the machine named in this report, and for its load at that time.",
    )
    return Section("caveats", "What the figures do not say", text)


def sweep_section(points: Sequence[Mapping[str, Any]]) -> Section:
    """Return the table of a sweep, its best F1 first."""
    varying, constant = sweep_settings(points)
    ordered = sorted(points, key=lambda point: -(interval_of(point, "f1") or {"mean": -1.0})["mean"])
    lines = []
    for point in ordered:
        em, f1 = interval_of(point, "em"), interval_of(point, "f1")
        settings = point.get("settings") or {}
        lines.append(
            (
                str(point.get("name") or "–"),
                *("–" if settings.get(key) is None else str(settings[key]) for key in varying),
                format_value(em and em["mean"], "percent"),
                format_value(f1 and f1["mean"], "percent"),
                format_interval(f1, "percent"),
                format_value(point.get("p95_latency_s"), "seconds"),
                format_value(point.get("tokens"), None),
                "yes" if point.get("pareto") else "",
                str(point.get("run") or "–"),
            )
        )
    columns = ("Name", *varying, "EM (%)", "F1 (%)", "F1, 95 % interval", "p95 (s)", "Tokens", "Pareto", "Run")
    text = [
        "“Pareto” marks the points that no other point beats in F1, p95 latency and tokens at once.",
        "What an earlier point had read or embedded already is not in a later point's p95: that of the first ones is "
        "nearer to what a user waits.",
    ]
    if constant:
        text.append("The same everywhere: " + ", ".join(f"{key} = {value}" for key, value in constant.items()) + ".")
    left = frozenset({*range(1 + len(varying)), len(columns) - 2, len(columns) - 1})
    return Section("sweep", "Points", tuple(text), Table(columns, tuple(lines), left))
