"""A sweep: settings against each other, as parallel coordinates, as a cloud of points, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from eval.runs import interval_of
from eval.sweep import sweep_settings
from rag.errors import Failure
from ui.components.frame import show_failure
from ui.i18n import Texts
from ui.pages.evaluation import Desk
from ui.pages.waiting import ready, table
from ui.text.safe import distinct, one_line
from ui.views.figures import sweep_figures
from ui.views.questions import number

__all__ = ["show"]


def show(desk: Desk) -> None:
    """Draw the choice of a sweep and its figures."""
    t = desk.here.t
    if not desk.sweeps:
        st.info(t("evaluation.no_sweeps"))
        st.code("rag eval sweep sweep.yaml", language=None)
        return
    names = [entry.name for entry in desk.sweeps]
    name = st.selectbox(t("evaluation.sweep"), names, key="evaluation_sweep", format_func=distinct(names))
    entry = next(entry for entry in desk.sweeps if entry.name == name)
    if entry.problem:
        show_failure(Failure(f"{entry.name}: {entry.problem}", "", 1))
        return
    key = ("sweep", entry.folder, repr(entry.points))
    task = desk.figures(key, lambda dark: sweep_figures(entry.points, t, dark=dark))
    if ready(desk.here, task, t("evaluation.drawing")):
        for which, figure in task.result().items():
            st.subheader(t(f"evaluation.figure_{which}"))
            st.caption(t(f"evaluation.caption_{which}"))
            st.plotly_chart(figure, theme="streamlit", key=f"figure_{which}", config={"displayModeBar": False})
    _points(list(entry.points), t)


def _points(points: list[Mapping[str, Any]], t: Texts) -> None:
    varying, constant = sweep_settings(points)
    column = st.column_config.NumberColumn
    columns: dict[str, Any] = {"name": t("evaluation.point")}
    columns |= {f"set {key}": one_line(key, 40) for key in varying}  # a heading is not Markdown but cannot be long
    columns |= {name: column(t(f"evaluation.short_{name}"), format="%.1f") for name in ("em", "f1")}
    columns |= {"p95": column(t("plots.p95"), format="%.3f"), "tokens": column(t("plots.tokens"), format="%.0f")}
    columns |= {"pareto": st.column_config.CheckboxColumn(t("plots.front")), "run": t("evaluation.run")}
    table([_point(point, varying) for point in points], columns)
    if constant:
        said = ", ".join(f"{key} = {value}" for key, value in constant.items())
        st.text(t("evaluation.constant", settings=one_line(said, 500)))


def _point(point: Mapping[str, Any], varying: list[str]) -> dict[str, Any]:
    settings = point.get("settings") or {}
    means = {name: (interval_of(point, name) or {}).get("mean") for name in ("em", "f1")}
    return {
        "name": one_line(str(point.get("name") or "")),
        **{f"set {key}": "" if settings.get(key) is None else one_line(str(settings[key])) for key in varying},
        **means,
        "p95": number(point.get("p95_latency_s")),
        "tokens": number(point.get("tokens")),
        "pareto": bool(point.get("pareto")),
        "run": one_line(str(point.get("run") or "")),
    }
