"""The evaluation that runs, or what came of the last one: progress, *Cancel*, and where its result is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rag.errors import Failure
from ui.components.frame import Here, show_failure
from ui.i18n import Texts
from ui.jobs.evaluations import Evaluation, evaluations
from ui.views.runs import ended_words, has_answers, progress_words, running_words

__all__ = ["show_running"]


def show_running(here: Here) -> bool:
    """Show it until it is dismissed; return whether it is running."""
    now = evaluations().now(here.settings.runs)
    if now is None:
        return False
    runs = now.status == "running"

    @st.fragment(run_every=1.0 if runs else None)
    def panel() -> None:
        _panel(here, was_running=runs)

    panel()
    return runs


def _panel(here: Here, *, was_running: bool) -> None:
    now = evaluations().now(here.settings.runs)
    if now is None or (was_running and now.status != "running"):
        st.rerun()  # the whole page: the list has changed
    with st.container(border=True):
        if now.status == "running":
            _running(now, here)
        else:
            _ended(now, here)


def _running(now: Evaluation, here: Here) -> None:
    t, cancel = here.t, evaluations().cancel
    # Beside each other where there is room: the whole panel is to be in sight where the button was that started it.
    row = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    row.markdown(f"**{running_words(now, t)}**", width="content")
    row.button(t("evaluation.cancel"), on_click=cancel, args=(here.settings.runs,), key="evaluation_cancel")
    st.progress(now.share, progress_words(now, t))


def _ended(now: Evaluation, here: Here) -> None:
    t, root = here.t, here.settings.runs
    if now.status == "failed":
        st.markdown(f"**{ended_words(now, t)}**")
        show_failure(Failure(now.error, now.remedy, 1))
    else:
        st.markdown(ended_words(now, t))
    with st.container(horizontal=True):
        _result(now, t, root)
        st.button(t("evaluation.dismiss"), on_click=evaluations().dismiss, args=(root,), key="evaluation_dismiss")


def _result(now: Evaluation, t: Texts, root: Path) -> None:
    """Offer to open what was made."""
    if now.sweep and now.status == "done":
        key, name = "evaluation_open_sweep", now.sweep
        st.button(t("evaluation.open_sweep"), on_click=_open, args=(root, "sweep", name), key=key)
    elif now.run and not now.request.sweep and (now.status == "done" or _can_go_on(now)):
        st.button(t("evaluation.open"), on_click=_open, args=(root, "run", now.run), key="evaluation_open")


def _can_go_on(now: Evaluation) -> bool:
    return now.status == "cancelled" and has_answers(now)


def _open(root: Path, what: str, name: str) -> None:
    st.session_state["evaluation_view"] = f"{what}s"
    st.session_state[f"evaluation_{what}"] = name
    evaluations().dismiss(root)
