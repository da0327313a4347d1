"""The list of runs, and the one that is chosen in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from eval.runs import RunData, RunEntry
from rag.errors import Failure
from ui.components.frame import show_failure, showing_failures
from ui.i18n import Texts
from ui.jobs.evaluations import evaluations
from ui.pages import evaluation_questions
from ui.pages.evaluation import Desk
from ui.pages.waiting import facts, ready, selected_row, table
from ui.text.safe import distinct
from ui.views.figures import run_figures
from ui.views.runs import (
    IN_TABLE,
    loss_rows,
    made_rows,
    metric_rows,
    name_width,
    reliability_rows,
    reliability_words,
    run_rows,
    stage_rows,
    tiles,
)

__all__ = ["show"]

_PARTS = ("overview", "questions", "made")
_CHOSEN = "evaluation_run"


def show(desk: Desk) -> None:
    """Draw it."""
    t = desk.here.t
    if not desk.runs:
        st.info(t("evaluation.no_runs"))
        st.code("rag eval questions.jsonl --index .rag", language=None)
        return
    names = [entry.name for entry in desk.runs]
    now = evaluations().now(desk.here.settings.runs)
    running = now.run if now and now.status == "running" else ""

    def choose() -> None:
        row = selected_row("evaluation_table")
        if row is not None and row < len(names):
            st.session_state[_CHOSEN] = names[row]

    height = "content" if len(names) < 10 else 390
    rows = run_rows(desk.runs, t, running=running)
    table(rows, _columns(t, name_width(rows)), key="evaluation_table", on_select=choose, height=height)  # type: ignore[arg-type]  # both are Streamlit's
    if st.session_state.get(_CHOSEN) not in names:
        st.session_state[_CHOSEN] = desk.complete[0] if desk.complete else names[0]
    name = st.selectbox(t("evaluation.run"), names, key=_CHOSEN, format_func=distinct(names))
    entry = desk.entry(name)
    if entry.state != "complete":
        _unusable(desk, entry, running=name == running)
        return
    task = desk.run(name)
    if ready(desk.here, task, t("evaluation.reading_run")):
        _run(desk, entry, task.result())


def _unusable(desk: Desk, entry: RunEntry, *, running: bool) -> None:
    """Say why a run cannot be opened, and offer to go on with it where the page knows how."""
    t = desk.here.t
    if running:
        st.info(t("evaluation.state_running"))
        return
    show_failure(Failure(f"{entry.name}: {entry.problem}", entry.remedy, 1))
    request = (
        evaluations().request_of(entry.name, desk.here.settings.evaluations) if entry.state == "incomplete" else None
    )
    if request is not None and st.button(t("evaluation.resume"), type="primary"):
        with showing_failures():
            evaluations().start(request, desk.here.settings.runs, desk.here.settings.evaluations)
            st.rerun()


def _run(desk: Desk, entry: RunEntry, run: RunData) -> None:
    t = desk.here.t
    row = st.container(horizontal=True, gap="large")  # as many beside each other as there is room for
    for tile in tiles(run.manifest, run.rows, t):
        row.metric(tile.label, tile.value, tile.interval, delta_color="off", delta_arrow="off", width="content")
    part = st.segmented_control(
        t("evaluation.part"),
        _PARTS,
        format_func=lambda name: t(f"evaluation.part_{name}"),
        default="overview",
        required=True,
        key="evaluation_part",
        label_visibility="collapsed",
    )
    if part == "questions":
        evaluation_questions.show(desk, entry.name, run)
    elif part == "made":
        facts(made_rows(run.manifest, t), (t("evaluation.what"), t("evaluation.value")))
    else:
        _overview(desk, entry, run)


def _overview(desk: Desk, entry: RunEntry, run: RunData) -> None:
    t, key = desk.here.t, ("run", entry.folder, entry.manifest.get("rows_sha256"))
    task = desk.figures(key, lambda dark: run_figures(run.manifest, run.rows, t, dark=dark))
    drawn = task.result() if ready(desk.here, task, t("evaluation.drawing")) else {}
    left, right = st.columns(2)
    with left:
        _figure(t, drawn, "losses")
        if not loss_rows(run.rows, t):
            st.caption(t("evaluation.no_losses"))
    with right:
        _figure(t, drawn, "metrics")
    left, right = st.columns(2)
    with left:
        _figure(t, drawn, "risk")
    with right:
        _figure(t, drawn, "reliability")
        if calibration := reliability_words(run.manifest, t):
            st.caption(calibration)
    left, _ = st.columns(2)
    with left:
        _figure(t, drawn, "latency")
    with st.expander(t("evaluation.all_metrics")):
        _tables(run, t)


def _figure(t: Texts, drawn: Mapping[str, Any], name: str) -> None:
    if name in drawn:
        st.subheader(t(f"evaluation.figure_{name}"))
        st.caption(t(f"evaluation.caption_{name}"))
        st.plotly_chart(drawn[name], theme="streamlit", key=f"figure_{name}", config={"displayModeBar": False})


def _tables(run: RunData, t: Texts) -> None:
    columns = {name: t(f"evaluation.{name}") for name in ("metric", "mean", "interval")}
    table(metric_rows(run.manifest, t), columns | {"n": t("evaluation.questions")})
    milliseconds = {name: t(f"evaluation.ms_{name}") for name in ("p50", "p95", "mean")}
    if rows := reliability_rows(run.manifest, t):
        names = ("confidence", "ece")
        heads = {
            "group": t("evaluation.band_or_kind"),
            "n": t("evaluation.answers_shown"),
            "right": t("evaluation.right"),
        }
        table(rows, heads | {"interval": t("evaluation.interval")} | {name: t(f"evaluation.{name}") for name in names})
    table(stage_rows(run.rows, t), {"stage": t("evaluation.stage")} | milliseconds)


def _columns(t: Texts, name_px: int) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns: dict[str, Any] = {"run": text(t("evaluation.run"), width=name_px)}
    columns["state"] = text(t("evaluation.state"), width="small")
    for name in IN_TABLE:
        digits = 3 if name == "latency_s" else 1
        columns[name] = number(t(f"evaluation.short_{name.replace('@', '_')}"), format=f"%.{digits}f")
        columns[f"{name} interval"] = t("evaluation.interval")
    names = ("questions", "dataset", "mode", "config", "created")
    return columns | {name: t(f"evaluation.{name}") for name in names}
