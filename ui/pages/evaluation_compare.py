"""Two runs over the same questions: what changed, and whether chance could have done it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from eval.comparison import Comparison, verdict
from eval.metrics import GUARDED
from ui.i18n import Texts
from ui.pages.evaluation import Desk
from ui.pages.evaluation_questions import show_question
from ui.pages.waiting import ready, selected_row, table
from ui.text.safe import distinct, one_line
from ui.views.questions import opened
from ui.views.runs import comparison_rows, metric_label

__all__ = ["show"]

_AT = "evaluation_flip"
_SIDES = ("", "a", "b")


def show(desk: Desk) -> None:
    """Draw the choice of two runs and their comparison."""
    t, names = desk.here.t, desk.complete
    if len(names) < 2:
        st.info(t("evaluation.compare_needs_two"))
        return
    for key, name in zip(("evaluation_a", "evaluation_b"), _newest_pair(desk), strict=True):
        if st.session_state.get(key) not in names:
            st.session_state[key] = name
    shown = distinct(names)
    left, right = st.columns(2)
    a = left.selectbox(t("evaluation.compare_a"), names, key="evaluation_a", format_func=shown)
    b = right.selectbox(t("evaluation.compare_b"), names, key="evaluation_b", format_func=shown)
    if a == b:
        st.info(t("evaluation.compare_same"))
        return
    task = desk.comparison(a, b)
    if ready(desk.here, task, t("evaluation.comparing")):
        _comparison(desk, task.result(), a, b)


def _newest_pair(desk: Desk) -> tuple[str, str]:
    """Return the newest run and the one before it over the same questions, or the two newest where none go together."""
    asked = {name: desk.entry(name).manifest["dataset"].get("sha256") for name in desk.complete}
    for number, name in enumerate(desk.complete):
        before = next((other for other in desk.complete[number + 1 :] if asked[other] == asked[name]), None)
        if before is not None:
            return before, name
    return desk.complete[1], desk.complete[0]


def _comparison(desk: Desk, found: Comparison, a: str, b: str) -> None:
    t = desk.here.t
    st.markdown(" ".join(_sentences(found, t)))
    table(comparison_rows(found, t), _columns(t))
    st.caption(t("evaluation.compare_how", n=found.n, samples=found.samples))
    if not found.flipped:
        st.caption(t("evaluation.no_flips"))
        return
    side = st.segmented_control(
        t("evaluation.flips", n=len(found.flipped)),
        _SIDES,
        format_func=lambda s: t(f"evaluation.better_{s or 'all'}"),
        default="",
        required=True,
        key="evaluation_side",
    )
    flips = [flip for flip in found.flipped if not side or flip["better"] == side]
    if flips:
        _flips(desk, flips, a, b)
    else:
        st.caption(t("evaluation.no_flips_of_side"))


def _sentences(found: Comparison, t: Texts) -> list[str]:
    """Say what the tests say; names of metrics are the catalogue's, so that this may be Markdown."""
    said: dict[str, list[str]] = {"better": [], "worse": []}
    guarded = [name for name in GUARDED if name in found.differences]
    for name in guarded:
        word = verdict(name, found.differences[name])
        if word in said:
            said[word].append(metric_label(name, t))
    sentences = [
        t(f"evaluation.significantly_{word}", metrics=", ".join(names)) for word, names in said.items() if names
    ]
    if guarded and not sentences:
        sentences = [t("evaluation.no_significant_difference")]
    if found.mcnemar is not None:
        m = found.mcnemar
        sentences.append(t("evaluation.mcnemar", only_a=m.only_a, only_b=m.only_b, p=t.number(m.p, 4)))
        sentences.append(t("evaluation.wins", wins=found.wins, ties=found.ties, losses=found.losses))
    if left_out := found.only_in_a + found.only_in_b:
        sentences.append(t("evaluation.left_out", n=left_out))
    if not found.own_times:
        sentences.append(t("evaluation.times_shared"))
    return sentences


def _columns(t: Texts) -> dict[str, str]:
    names = ("metric", "a", "b", "difference", "interval", "p", "verdict", "n")
    labels = {"n": "questions", "verdict": "significance"}
    return {name: t(f"evaluation.{labels.get(name, name)}") for name in names}


def _flips(desk: Desk, flips: list[dict[str, Any]], a: str, b: str) -> None:
    """List the questions that only one run has right, and open one of them in both."""
    t = desk.here.t

    def choose() -> None:
        row = selected_row("evaluation_flips")
        if row is not None:
            st.session_state[_AT] = row

    rows = [
        {
            "better": t(f"evaluation.better_{flip['better']}"),
            "question": one_line(str(flip.get("question") or "")),
            "a": one_line(str(flip.get("a") or "")),
            "b": one_line(str(flip.get("b") or "")),
            "gold": one_line(" | ".join(dict.fromkeys(map(str, flip.get("golds") or [])))),
        }
        for flip in flips
    ]
    columns = {name: t(f"evaluation.{name}") for name in rows[0]}
    table(rows, columns, key="evaluation_flips", on_select=choose, height="content" if len(rows) < 7 else 285)
    flip = flips[min(int(st.session_state.get(_AT, 0)), len(flips) - 1)]
    tasks = [desk.run(name) for name in (a, b)]
    if not all(ready(desk.here, task, t("evaluation.reading_run")) for task in tasks):
        return
    for column, letter, task in zip(st.columns(2), "ab", tasks, strict=True):
        with column:
            st.subheader(t(f"evaluation.{letter}"))
            show_question(opened(_row(task.result().rows, flip["id"])), t)


def _row(rows: list[dict[str, Any]], identity: str) -> Mapping[str, Any]:
    return next(row for row in rows if row["id"] == identity)
