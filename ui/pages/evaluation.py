"""The evaluation page: runs, one of them, two compared, sweeps, and a new one started from here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import streamlit as st

from eval.compare import Comparison, compare_runs
from eval.records import RunData, load_run
from eval.runs import RunEntry, SweepEntry, list_runs, list_sweeps, runs_stamp
from rag.failures import Failure
from ui.behind import Behind, Task
from ui.evaluations import evaluations
from ui.frame import Here, show_failure, told
from ui.pages.waiting import ready
from ui.views.running import progress_words

__all__ = ["Desk", "show"]

_VIEWS = ("runs", "compare", "sweeps", "new")
# Readings of files, the same for every session: a few runs stay in memory, so that opening a question reads nothing.
_lists = Behind(threads=1, most=4)
_read = Behind(threads=2, most=4)
_drawn = Behind(threads=1, most=24)


@dataclass(frozen=True)
class Desk:
    """What the parts of the page share: where the user is, and the runs as they were listed."""

    here: Here
    runs: list[RunEntry]
    sweeps: list[SweepEntry]

    @cached_property
    def complete(self) -> list[str]:
        """The names of the runs that can be opened."""
        return [entry.name for entry in self.runs if entry.state == "complete"]

    def entry(self, name: str) -> RunEntry:
        """Return the run of a name in the list."""
        return next(entry for entry in self.runs if entry.name == name)

    def run(self, name: str) -> Task[RunData]:
        """Return the reading of a run."""
        entry = self.entry(name)
        return _read.get((entry.folder, entry.manifest.get("rows_sha256")), lambda: load_run(entry.folder))

    def comparison(self, a: str, b: str) -> Task[Comparison]:
        """Return the comparison of two runs."""
        one, other = self.entry(a), self.entry(b)
        key = tuple((entry.folder, entry.manifest.get("rows_sha256")) for entry in (one, other))
        return _drawn.get(("compare", key), lambda: compare_runs(load_run(one.folder), load_run(other.folder)))

    def figures(self, key: object, make: Any) -> Task[Any]:
        """Return figures that are drawn behind, in the language and the theme of this session."""
        dark = self.dark  # asked here: another thread is in no session
        return _drawn.get((key, self.here.t.language, dark), lambda: make(dark=dark))

    @property
    def dark(self) -> bool:
        """Whether the session's theme is a dark one."""
        return st.context.theme.type == "dark"

    @property
    def notes(self) -> Path:
        """Where requests for evaluations are kept."""
        return self.here.settings.state / "evaluations"


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    st.header(t("app.evaluation"))
    with told():
        _progress(here)
        view = st.segmented_control(
            t("evaluation.view"),
            _VIEWS,
            format_func=lambda name: t(f"evaluation.view_{name}"),
            default="runs",
            required=True,
            key="evaluation_view",
            label_visibility="collapsed",
        )
        root = here.settings.runs
        listing = _lists.get((root, runs_stamp(root)), lambda: (list_runs(root), list_sweeps(root)))
        if not ready(here, listing, t("evaluation.reading_list")):
            return
        runs, sweeps = listing.result()
        importlib.import_module(f"ui.pages.evaluation_{view}").show(Desk(here, runs, sweeps))


def _progress(here: Here) -> None:
    """Show the evaluation that runs, or what came of it, until that is dismissed."""
    root = here.settings.runs
    now = evaluations().now(root)
    if now is None:
        return

    @st.fragment(run_every=1.0 if now.status == "running" else None)
    def panel() -> None:
        _panel(here, was_running=now.status == "running")

    panel()


def _panel(here: Here, *, was_running: bool) -> None:
    t, root = here.t, here.settings.runs
    now = evaluations().now(root)
    if now is None or (was_running and now.status != "running"):
        st.rerun()  # the whole page: the list has changed
    with st.container(border=True):
        if now.status == "running":
            st.progress(now.share, progress_words(now, t))
            st.button(t("evaluation.cancel"), on_click=evaluations().cancel, args=(root,), key="evaluation_cancel")
            return
        if now.status == "failed":
            st.markdown(f"**{t('evaluation.ended_failed')}**")
            show_failure(Failure(now.error, now.remedy, 1))
        else:
            st.markdown(t(f"evaluation.ended_{now.status}", seconds=round(now.seconds)))
        buttons = st.container(horizontal=True)
        if now.status == "done" and now.sweep:
            key, name = "evaluation_open_sweep", now.sweep
            buttons.button(t("evaluation.open_sweep"), on_click=_open_sweep, args=(root, name), key=key)
        elif now.status == "done" and now.run:
            buttons.button(t("evaluation.open"), on_click=_open, args=(root, now.run), key="evaluation_open")
        buttons.button(t("evaluation.dismiss"), on_click=evaluations().dismiss, args=(root,), key="evaluation_dismiss")


def _open(root: Path, run: str) -> None:
    st.session_state["evaluation_view"] = "runs"
    st.session_state["evaluation_run"] = run
    evaluations().dismiss(root)


def _open_sweep(root: Path, sweep: str) -> None:
    st.session_state["evaluation_view"] = "sweeps"
    st.session_state["evaluation_sweep"] = sweep
    evaluations().dismiss(root)
