"""The content of a report as data: titled sections of sentences and tables, shared by Markdown and HTML.

The module formats numbers and explains what is missing. It knows no markup and escapes nothing: names of runs, models
and settings in it are untrusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.losses import em_lost
from eval.metrics import METRICS, SERVED_AMONG, format_interval, format_value
from eval.runs import interval_of, latencies
from eval.statistics import percentile
from eval.sweep import sweep_settings

__all__ = ["Section", "Table", "run_sections", "sweep_section"]

_UNIT_NAMES = {"percent": "%", "ratio": "0–1", "seconds": "s"}
_STAGES = {"embed": "Embed", "search": "Search", "prompt": "Prompt", "generate": "Generate", "cite": "Cite"}
_MODES = {
    "gold": "gold (the question's own paragraph is given)",
    "open": "open (the paragraph must be found among all)",
    "closed-book": "closed-book (no passages, a control)",
}
_BAR = 50  # characters of a whole bar
_ABSTENTION = {
    "auroc": "AUROC of the confidence (0–1)",
    "precision": "NoAns precision (0–1)",
    "recall": "NoAns recall (0–1)",
    "f1": "NoAns F1 (0–1)",
    "false_answer_rate": "Unanswerable but answered (0–1)",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of texts. ``text_columns`` are aligned left, all others are numbers, aligned right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report. ``key`` identifies it; a figure with the same key goes with it.

    ``diagram`` holds lines of a fixed-width drawing for a report that has no figures.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    table: Table | None = None
    diagram: tuple[str, ...] = ()


def run_sections(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Return the sections of the report of a run, in order."""
    return [
        _metrics(manifest),
        *_kinds(manifest),
        _losses(rows),
        _retrieval(manifest),
        _abstention(manifest),
        *_reliability(manifest),
        _latency(manifest, rows),
        _throughput(manifest),
        _official(manifest),
        _made(manifest),
        _caveats(manifest),
    ]


def _metrics(manifest: Mapping[str, Any]) -> Section:
    metrics = manifest.get("metrics") or {}
    rows, descriptions = [], []
    for name in dict.fromkeys([*METRICS, *metrics]):  # unknown metrics of another version come last
        entry, metric = interval_of(metrics, name), METRICS.get(name)
        if entry is None:
            continue
        unit = metric.unit if metric else None
        label = f"{metric.label}\u00a0({_UNIT_NAMES[metric.unit]})" if metric else name
        rows.append((label, format_value(entry["mean"], unit), format_interval(entry, unit), f"{entry['n']:,}"))
        if metric:
            descriptions.append(f"{metric.label}: {metric.description[0].lower()}{metric.description[1:]}.")
    if not rows:
        return Section("metrics", "Metrics", ("The run has no metrics.",))
    text = "Means over the questions to which a metric applies, with 95 % bootstrap intervals."
    table = Table(("Metric", "Mean", "95 % interval", "Questions"), tuple(rows))
    return Section("metrics", "Metrics", (text, " ".join(descriptions)), table)


def _kinds(manifest: Mapping[str, Any]) -> list[Section]:
    """Return the verdicts by kind of question; nothing where the dataset names no kinds."""
    kinds = manifest.get("kinds")
    if not isinstance(kinds, Mapping) or not kinds:
        return []
    names = ("questions", "right", "partly", "wrong", "refused", "served", "high", "wrong_high")
    total = {
        name: sum(int(counts.get(name) or 0) for counts in kinds.values())
        for name in names
        if any(name in counts for counts in kinds.values())
    }
    lines = [
        (kind, *(f"{counts[name]:,}" if name in counts else "–" for name in names))
        for kind, counts in [*sorted(kinds.items()), ("All", total)]
    ]
    text = (
        "An answer is right if it states the gold answer and all its parts, partly right with half of them. For a "
        f"question without an answer, refusing is right. Served: right, or held by the first {SERVED_AMONG} passages. "
        "High: answers of high confidence."
    )
    columns = ("Kind", "Questions", "Right", "Partly", "Wrong", "Refused", "Served", "High", "Wrong among high")
    return [Section("kinds", "Verdicts by kind of question", (text,), Table(columns, tuple(lines)))]


def _reliability(manifest: Mapping[str, Any]) -> list[Section]:
    """Return how far confidences can be trusted; nothing where no answer was shown."""
    figures = manifest.get("reliability")
    if not isinstance(figures, Mapping):
        return []
    lines = [
        (f"{format_value(entry['confidence'], 'ratio')}", *_share_cells(entry)) for entry in figures.get("bins") or []
    ]
    lines += [(f"band {band}", *_share_cells(entry)) for band, entry in (figures.get("bands") or {}).items()]
    text = (
        f"Expected calibration error: {format_value(figures['ece'], 'ratio')} over {figures['answers']:,} answers "
        "shown. A confidence means what it says if as many answers are right as it promises; intervals are Wilson's, "
        "95 %."
    )
    if unrated := int(figures.get("unrated") or 0):
        text += f" Left out because they have no confidence, as summaries have none: {unrated:,}."
    table = Table(("Mean confidence", "Answers", "Right (%)", "95 % interval"), tuple(lines))
    drawn = _reliability_drawing(figures.get("bins") or [])
    sections = [Section("reliability", "Reliability of the confidence", (text,), table, drawn)]
    if kinds := figures.get("kinds"):
        rows = tuple(
            (
                str(kind),
                *_share_cells(entry),
                format_value(entry["confidence"], "ratio"),
                format_value(entry["ece"], "ratio"),
            )
            for kind, entry in kinds.items()
        )
        columns = ("Kind", "Answers", "Right (%)", "95 % interval", "Mean confidence", "Calibration error")
        note = "The calibration error of a kind with few answers is mostly chance."
        sections.append(Section("reliability_kinds", "Reliability by kind of question", (note,), Table(columns, rows)))
    return sections


def _reliability_drawing(bins: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a bar for each bin: its share of right answers, and a mark at the mean confidence."""
    lines = ["confidence  right answers, 0 to 100 %; | marks what the confidence promises"]
    for entry in bins:
        bar = list("#" * round(_BAR * entry["right"]) + " " * (_BAR - round(_BAR * entry["right"])))
        bar.insert(round(_BAR * entry["confidence"]), "|")
        right, n = format_value(100 * entry["right"], "percent"), f"n = {entry['n']:,}"
        lines.append(f"{format_value(entry['confidence'], 'ratio'):>10}  {''.join(bar)} {right:>5} %  {n}")
    return tuple(lines)


def _share_cells(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    percent = {name: 100 * entry[name] for name in ("right", "low", "high")}
    return f"{entry['n']:,}", format_value(percent["right"], "percent"), format_interval(percent, "percent")


def _losses(rows: Sequence[Mapping[str, Any]]) -> Section:
    title, lost = "EM lost per stage", em_lost(rows)
    if not lost:
        return Section("losses", title, ("No question was answered.",))
    total, points = sum(count for *_, count, _ in lost), sum(points for *_, points in lost)
    lines = [*((label, count, share) for _, label, count, share in lost), ("Total", total, points)]
    text = "Every answer that is not an exact match is counted once, at the first stage that explains it."
    if total == 0:
        text = "No point was lost: every answer is an exact match."
    table = tuple((label, f"{count:,}", f"{share:.1f}") for label, count, share in lines)
    return Section("losses", title, (text,), Table(("Stage", "Questions", "Points of EM"), table))


def _retrieval(manifest: Mapping[str, Any]) -> Section:
    metrics, rows = manifest.get("metrics") or {}, []
    for name, metric in METRICS.items():
        entry = interval_of(metrics, name)
        if metric.family == "retrieval" and entry:
            rows.append((metric.label, format_value(entry["mean"], metric.unit), format_interval(entry, metric.unit)))
    if rows:
        text = "How often, and how high, the document with the answer is among the first ones."
        return Section("retrieval", "Retrieval", (text,), Table(("Metric", "Mean", "95 % interval"), tuple(rows)))
    mode = manifest.get("mode")
    reason = f"{mode} mode does not search" if mode in ("gold", "closed-book") else "the questions name no source"
    return Section("retrieval", "Retrieval", (f"Not measured: {reason}.",))


def _abstention(manifest: Mapping[str, Any]) -> Section:
    figures = manifest.get("abstention")
    if not isinstance(figures, Mapping):
        text = "Not measured: the run has no figures about unanswerable questions."
        return Section("abstention", "Abstention", (text,))
    rows = tuple((label, format_value(figures[key], "ratio")) for key, label in _ABSTENTION.items() if key in figures)
    text = (
        "Risk is the share of wrong answers among those given if only the most confident answers are given; coverage "
        "is the share of questions that still get one. A dash means that a figure is undefined here."
    )
    return Section("abstention", "Abstention", (text,), Table(("Figure", "Value"), rows) if rows else None)


def _latency(manifest: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Section:
    lines = []
    stages = _timed_stages(rows)
    for label, seconds in [
        *((_STAGES.get(key, key), latencies(rows, key)) for key in stages),
        ("Total", latencies(rows)),
    ]:
        if seconds:
            cells = (percentile(seconds, 50), percentile(seconds, 95), sum(seconds) / len(seconds))
            lines.append((label, *(format_value(1000 * cell) for cell in cells)))
    if not lines:
        return Section("latency", "Latency", ("No question was timed.",))
    text = ["Milliseconds per question and stage."]
    window = manifest.get("window")
    if isinstance(window, int) and window > 1:
        text.append(
            f"Up to {window} questions were in flight at once, and the time of each includes waiting for the others. "
            "Use `--window 1` to measure single questions."
        )
    return Section(
        "latency", "Latency", tuple(text), Table(("Stage", "p50 (ms)", "p95 (ms)", "Mean (ms)"), tuple(lines))
    )


def _timed_stages(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the stages that were timed, in the order of the pipeline; unknown ones come last."""
    timed = {key for row in rows for key in (row.get("timings") or {})}
    return [*(key for key in _STAGES if key in timed), *sorted(timed - _STAGES.keys())]


def _throughput(manifest: Mapping[str, Any]) -> Section:
    measured = manifest.get("throughput")
    if not isinstance(measured, Mapping):
        return Section("throughput", "Throughput", ("Not measured in this run.",))
    questions, tokens = (format_value(measured.get(key)) for key in ("questions_per_s", "tokens_per_s"))
    rates = ("questions_per_s", "tokens_per_s", "prompt_tokens_per_s")
    rows = tuple(
        (
            str(line.get("precision") or "–"),
            str(line.get("batch") or "–"),
            *(format_value(line.get(rate)) for rate in rates),
        )
        for line in measured.get("table") or ()
    )
    columns = ("Precision", "Batch", "Questions/s", "Tokens/s", "Prompt tokens/s")
    text = f"{questions} questions/s, {tokens} tokens/s."
    return Section("throughput", "Throughput", (text,), Table(columns, rows) if rows else None)


def _official(manifest: Mapping[str, Any]) -> Section:
    scores = manifest.get("official")
    if not isinstance(scores, Mapping) or not scores:
        return Section("official", "Official SQuAD scores", ("There is no official script for this dataset.",))
    rows = tuple((str(key), "–" if value is None else repr(value)) for key, value in scores.items())
    text = "Equal to the output of the official script for predictions.json, to the last digit."
    return Section("official", "Official SQuAD scores", (text,), Table(("Key", "Value"), rows))


def _made(manifest: Mapping[str, Any]) -> Section:
    index = manifest.get("index") or {}
    mode, seconds = str(manifest.get("mode") or ""), manifest.get("seconds")
    facts: list[tuple[str, object]] = [
        *_dataset_facts(manifest.get("dataset") or {}),
        ("Mode", _MODES.get(mode, mode)),
        ("Seed", manifest.get("seed")),
        ("Config digest", manifest.get("config_digest")),
        *((f"Model: {role}", name) for role, name in (manifest.get("models") or {}).items()),
        ("Index", f"generation {index.get('generation', '?')}; chunks: {index.get('chunks', '?')}" if index else None),
        ("Hardware", _hardware(manifest.get("hardware") or {})),
        ("Git commit", manifest.get("git_commit")),
        ("Packages", ", ".join(f"{name} {version}" for name, version in (manifest.get("packages") or {}).items())),
        ("Created", manifest.get("created")),
        ("Duration (s)", None if seconds is None else format_value(seconds)),
    ]
    rows = tuple((label, str(value)) for label, value in facts if value not in (None, ""))
    return Section("made", "How it was made", (), Table(("Property", "Value"), rows, frozenset({0, 1})))


def _dataset_facts(dataset: Mapping[str, Any]) -> list[tuple[str, object]]:
    if not dataset:
        return []
    questions, asked = dataset.get("questions"), dataset.get("asked")
    both = isinstance(asked, int) and isinstance(questions, int)
    return [
        ("Dataset", f"{dataset.get('name', '?')} (version {dataset.get('version', '?')})"),
        ("Questions", f"{asked:,} of {questions:,}" if both else asked),
        ("Dataset SHA-256", dataset.get("sha256")),
    ]


def _hardware(hardware: Mapping[str, Any]) -> str:
    parts = [
        hardware.get("cpu"),
        hardware.get("cores") and f"{hardware['cores']} cores",
        hardware.get("memory_gib") and f"{hardware['memory_gib']} GiB",
        hardware.get("gpu"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _caveats(manifest: Mapping[str, Any]) -> Section:
    asked = int((manifest.get("dataset") or {}).get("asked") or 0)
    text = (
        f"The figures come from {asked:,} question{'' if asked == 1 else 's'} drawn with seed "
        f"{manifest.get('seed', '?')}. The intervals show how much the means would vary with other questions of the "
        "same kind. They do not cover another seed of the model, another dataset or your own documents.",
        "Exact match of a language model mostly measures its phrasing: “in 1066” for “1066” counts as wrong. Read it "
        "together with F1 and “contains gold”, and open some of the questions.",
        "Overlapping intervals of two runs are no test. To see whether a change helped, run “rag eval compare”, which "
        "pairs the questions.",
        "Latency and throughput hold for the machine named in this report, and for its load at that time.",
    )
    return Section("caveats", "Limits of these figures", text)


def sweep_section(points: Sequence[Mapping[str, Any]]) -> Section:
    """Return the table of a sweep, best F1 first."""
    varying, constant = sweep_settings(points)
    rows = []
    for point in sorted(points, key=lambda point: -(interval_of(point, "f1") or {"mean": -1.0})["mean"]):
        em, f1 = interval_of(point, "em"), interval_of(point, "f1")
        settings = point.get("settings") or {}
        rows.append(
            (
                str(point.get("name") or "–"),
                *("–" if settings.get(key) is None else str(settings[key]) for key in varying),
                format_value(em and em["mean"], METRICS["em"].unit),
                format_value(f1 and f1["mean"], METRICS["f1"].unit),
                format_interval(f1, METRICS["f1"].unit),
                format_value(point.get("p95_latency_s")),
                format_value(point.get("tokens")),
                "yes" if point.get("pareto") else "",
                str(point.get("run") or "–"),
            )
        )
    columns = ("Name", *varying, "EM (%)", "F1 (%)", "F1, 95 % interval", "p95 (s)", "Tokens", "Pareto", "Run")
    text = [
        "“Pareto” marks the points that no other point beats in F1, p95 latency and tokens at once.",
        "A point reuses passages and vectors that an earlier point read or embedded, so its p95 is lower. The first "
        "points are closer to what a user waits.",
    ]
    if constant:
        text.append(
            "The same for all points: " + ", ".join(f"{key} = {value}" for key, value in constant.items()) + "."
        )
    left = frozenset({*range(1 + len(varying)), len(columns) - 2, len(columns) - 1})
    return Section("sweep", "Points", tuple(text), Table(columns, tuple(rows), left))
