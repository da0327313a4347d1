"""A new evaluation, or a sweep: which questions, how, with which settings; it runs as a process of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from eval.squad_download import OFFICIAL
from rag.config import load_config, preset_names
from rag.errors import UsageError
from rag.factory import made_with
from ui.components.frame import Here, showing_failures
from ui.i18n import Texts
from ui.jobs.evaluations import Request, evaluations
from ui.pages.evaluation_running import show_running
from ui.text.safe import one_line
from ui.views.new_evaluation import (
    FEEDBACK,
    Questions,
    keep_sweep,
    keep_upload,
    look,
    refuse_unfit,
    setting_lines,
    sweep_of,
)

__all__ = ["show"]

_GRID = "grid:\n  retrieval.k: [4, 8]\n  retrieval.dense_weight: [0.4, 0.6]\n"
_EXAMPLE = "retrieval.k=8\nretrieval.rerank=off"
_PERSIST: Literal["session"] = "session"  # what was set is there again when the form is
_UPLOADED = "new_uploaded"


def show(here: Here) -> None:
    """Draw the choices and the button; in the button's place, what was started with it."""
    asked = None
    with showing_failures():
        asked = _form(here)
    if show_running(here) or asked is None:
        return
    if st.button(here.t("evaluation.start"), type="primary", key="evaluation_start"):
        with showing_failures():
            _start(here, *asked)
            st.rerun()


def _form(here: Here) -> tuple[Request, str | None] | None:
    """Draw the choices; return what is asked for, with the text of a sweep, or None while there are no questions."""
    t = here.t
    questions = _questions(here)
    if questions is None:
        st.caption(t("evaluation.new_hint"))
        return None
    counted = t("evaluation.new_counted", n=questions.questions, unanswerable=questions.unanswerable)
    st.caption(counted if questions.questions else t("evaluation.new_official"))
    request = _request(here, questions)
    kind = _radio(t, "new_kind", ("run", "sweep"), horizontal=True)
    return request, _grid(t) if kind == "sweep" else None


def _grid(t: Texts) -> str:
    """Let the user write which settings are tried against each other."""
    if "new_grid" not in st.session_state:
        st.session_state["new_grid"] = _GRID
    return st.text_area(
        t("evaluation.new_grid"), key="new_grid", help=t("evaluation.new_grid_help"), height=160, max_chars=4000,
        persist_state=_PERSIST,
    )  # fmt: skip


def _start(here: Here, request: Request, grid: str | None) -> None:
    """Start what the form says; every mistake in it is said before."""
    settings = here.settings
    extra = st.session_state.get("new_settings") or ""
    before = settings.assignments if request.config == settings.config else ()
    request = dataclasses.replace(request, settings=setting_lines(extra, request.config, before))
    if grid is not None:
        request = keep_sweep(settings.state / "sweeps", request, sweep_of(request, grid))
    elif request.index:
        refuse_unfit(made_with(Path(request.index)), load_config(request.config, request.settings))
    evaluations().start(request, settings.runs, settings.evaluations)


def _questions(here: Here) -> Questions | None:
    """Let the user choose a question file; None while there is none."""
    t, state = here.t, here.settings.state
    sources = ["upload"]
    sources += ["feedback"] if (state / FEEDBACK).is_file() else []
    sources += ["path"] if here.settings.paths else []
    source = _radio(t, "new_source", sources, "new_questions", prefix="new", horizontal=True)
    if source == "feedback":
        return look(str(state / FEEDBACK))
    if source == "path":
        message = t("evaluation.new_path_help")
        given = st.text_input(t("evaluation.new_path_label"), key="new_path", help=message, persist_state=_PERSIST)
        return look(_spelled(given.strip(), here)) if given.strip() else None
    path = _upload(here)
    return look(str(path)) if path else None


def _upload(here: Here) -> Path | None:
    """Let the user upload a file; return its path, or that of the previous one."""
    t, state = here.t, st.session_state
    uploaded = st.file_uploader(
        t("evaluation.new_file"), type=["json", "jsonl"], key="new_file", on_change=state.pop, args=(_UPLOADED, None)
    )
    if uploaded is not None:
        state[_UPLOADED] = keep_upload(here.settings.state / "questions", uploaded.name, uploaded.getvalue())
    path: Path | None = state.get(_UPLOADED)  # the uploader itself is empty when the page is opened again
    if uploaded is None and path is not None:
        st.text(t("evaluation.new_still", name=one_line(path.name)))
    return path


def _spelled(given: str, here: Here) -> str:
    """Return a dataset's name as it is, and a path in full: the process may have another working folder.

    Raises :class:`~rag.errors.UsageError` for a path that may not be named.
    """
    if given in OFFICIAL:
        return given
    try:
        path = Path(given).expanduser()
    except RuntimeError:  # a home that is not known
        path = Path(given)
    if not here.settings.may_name(path):
        raise UsageError("only files in the folders of `rag ui --allow-paths` may be named", "upload the file")
    return str(path.absolute())


def _request(here: Here, questions: Questions) -> Request:
    t, settings = here.t, here.settings
    left, right = st.columns(2)
    with left:
        mode = _radio(
            t, "new_mode", questions.modes, "mode", prefix="mode",
            captions=[t(f"evaluation.mode_{mode.replace('-', '_')}_means") for mode in questions.modes],
        )  # fmt: skip
        index: str | None = str(here.index)
        if mode == "open" and questions.has_paragraphs:
            where = _radio(t, "new_where", ("collection", "own"))
            index = index if where == "collection" else None
    stays: Any = {"persist_state": _PERSIST}
    with right:
        limit = st.number_input(t("evaluation.new_limit"), 0, value=50, step=10, key="new_limit", **stays)
        seed = st.number_input(t("evaluation.new_seed"), 0, value=0, step=1, key="new_seed", **stays)
        # A preset that sends passages to an endpoint is the owner's to choose.
        local = [name for name in preset_names() if load_config(name).config.generator.type != "openai"]
        configs = list(dict.fromkeys([settings.config, *local]))
        config = st.selectbox(t("evaluation.config"), configs, key="new_config", format_func=one_line, **stays)
        name = st.text_input(t("evaluation.new_name"), key="new_name", max_chars=60, **stays)
        st.text_area(
            t("evaluation.new_settings"), key="new_settings", placeholder=_EXAMPLE, height=90, max_chars=4000, **stays
        )
    return Request(
        questions=questions.path,
        mode=mode,
        limit=int(limit) or None,
        seed=int(seed),
        index=index if mode == "open" else None,
        config=config,
        name=name.strip(),
    )


def _radio(
    t: Texts, key: str, options: Sequence[str], label: str = "", *, prefix: str = "", horizontal: bool = False,
    captions: Sequence[str] | None = None,
) -> str:  # fmt: skip
    """Draw a radio whose choice stays when the language changes.

    ``label`` and ``prefix`` name its texts in the table, by default after its ``key``.
    """
    state, drawn = st.session_state, f"{key}_language"
    if key in state and state.get(drawn) != t.language:
        state[key] = state[key]  # the browser knows options by label and learns a new label only with a set value
    chosen = st.radio(
        t(f"evaluation.{label or key}"), options, key=key, persist_state=_PERSIST, horizontal=horizontal,
        captions=captions,
        format_func=lambda name: t(f"evaluation.{prefix or key}_{name.replace('-', '_')}"),
    )  # fmt: skip
    state[drawn] = t.language
    return chosen
