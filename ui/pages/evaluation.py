"""The evaluation page: runs, one of them, two compared, sweeps, and a new one started from here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from eval.comparison import Comparison, compare
from eval.runs import RunData, RunEntry, SweepEntry, list_runs, list_sweeps, load_run, runs_stamp
from ui.components.frame import Here, showing_failures
from ui.jobs.background import Background, Task
from ui.pages.evaluation_running import show_running
from ui.pages.waiting import ready

__all__ = ["Desk", "show"]

_VIEWS = ("runs", "compare", "sweeps", "new")
# Readings of files, the same for every session: a few runs stay in memory, so that opening a question reads nothing.
_lists = Background(threads=1, most=4)
_read = Background(threads=2, most=4)
_drawn = Background(threads=1, most=24)


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
        return _drawn.get(("compare", key), lambda: compare(load_run(one.folder), load_run(other.folder)))

    def figures(self, key: object, make: Any) -> Task[Any]:
        """Return figures that are drawn behind, in the language and the theme of this session."""
        dark = self.dark  # asked here: another thread is in no session
        return _drawn.get((key, self.here.t.language, dark), lambda: make(dark=dark))

    @property
    def dark(self) -> bool:
        """Whether the session's theme is a dark one."""
        return st.context.theme.type == "dark"


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    st.header(t("app.evaluation"))
    with showing_failures():
        st.session_state.setdefault("evaluation_view", _VIEWS[0])  # no default beside it: what ended sets it too
        view = st.segmented_control(
            t("evaluation.view"),
            _VIEWS,
            format_func=lambda name: t(f"evaluation.view_{name}"),
            required=True,
            key="evaluation_view",
            label_visibility="collapsed",
        )
        root = here.settings.runs
        page = importlib.import_module(f"ui.pages.evaluation_{view}")
        if view == "new":  # it needs no list, and shows what runs where it was started
            page.show(here)
            return
        show_running(here)
        listing = _lists.get((root, runs_stamp(root)), lambda: (list_runs(root), list_sweeps(root)))
        if not ready(here, listing, t("evaluation.reading_list")):
            return
        runs, sweeps = listing.result()
        page.show(Desk(here, runs, sweeps))
