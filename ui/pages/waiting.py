"""Showing that something is being done, and then what came of it; and tables of foreign text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from ui.components.frame import Here, show_failure
from ui.jobs.background import Task

__all__ = ["facts", "ready", "selected_row", "table"]

_AT_ONCE_S = 0.3  # what is done by then is shown without a word about waiting


def ready(here: Here, task: Task[Any], text: str) -> bool:
    """Return whether a task has its result; else show that it is being done, or why it failed."""
    if task.wait(_AT_ONCE_S):
        failure = task.failure
        if failure is not None:
            show_failure(failure)
        return failure is None

    @st.fragment(run_every=1.0)
    def waiting() -> None:
        if task.done:
            st.rerun()
        st.status(here.t("evaluation.working", what=text, seconds=round(task.seconds)), state="running")

    waiting()
    return False


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Any],
    *,
    key: str | None = None,
    on_select: Callable[[], None] | None = None,
    height: int | Literal["auto", "content"] = "content",
) -> None:
    """Show rows of plain text and numbers: a canvas, on which no text is anything but letters.

    ``columns`` has for each column its label, or Streamlit's configuration of it.
    """
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns))
    options: dict[str, Any] = {} if on_select is None else {"on_select": on_select, "selection_mode": "single-row"}
    st.dataframe(
        frame, key=key, hide_index=True, column_config=dict(columns), height=height, placeholder="–", **options
    )


def selected_row(key: str) -> int | None:
    """Return the row that is selected in a table, for its ``on_select``."""
    rows = st.session_state[key]["selection"]["rows"]
    return int(rows[0]) if rows else None


def facts(pairs: Sequence[tuple[str, str]], names: tuple[str, str]) -> None:
    """Show pairs of a name and a text."""
    rows = [{"name": name, "value": value} for name, value in pairs]
    table(rows, {"name": names[0], "value": st.column_config.TextColumn(names[1], width="large")})
