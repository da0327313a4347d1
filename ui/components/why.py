"""Why this answer: the candidates at every stage, the prompt, the time, and the answer without each passage.

Everything is in data frames of plain text, whose cells are not rendered. A deeper search and the answers without each
passage take time and run on request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from rag.types import Answer
from ui.components.frame import Here, showing_failures
from ui.text.safe import escape
from ui.views.why import candidates, facts, left_out, notes, shares, without

if TYPE_CHECKING:
    from rag.ops.explain import Attribution
    from rag.retrieval.filters import Filter
    from rag.types import Passage
    from ui.jobs.background import Engine

__all__ = ["show_why"]

_DEEPER = 30


@dataclass(frozen=True)
class _Shown:
    """An answer with what it was asked with: the engine, which is loaded only when it is needed, and the filter."""

    answer: Answer
    question: str
    key: str
    engine: Callable[[], Engine]
    filter: Filter | None


def show_why(
    here: Here,
    question: str,
    answer: Answer,
    key: str,
    engine: Callable[[], Engine] | None = None,
    only: Filter | None = None,
) -> None:
    """Offer the explanation of an answer, closed at first.

    ``question`` is the one that was searched for and ``key`` identifies the answer. ``engine`` returns the engine that
    answered, by default the page's; ``only`` is the filter that was on.
    """
    _show(here, _Shown(answer, question, key, engine or here.engine, only))


@st.fragment
def _show(here: Here, shown: _Shown) -> None:
    t, answer, key = here.t, shown.answer, shown.key
    opened = st.expander(t("why.title"), key=f"{key}-why", on_change="rerun")
    if not opened.open:
        return
    with opened, showing_failures():
        found = _deeper(here, shown)
        rows = candidates(t, answer, found)
        _frame([asdict(row) for row in rows], _candidate_columns(t, any(row.reranked is not None for row in rows)))
        _lines(left_out(t, answer))
        st.caption(t("why.times"))
        _frame([asdict(row) for row in shares(t, answer)], _share_columns(t))
        names = {"name": t("why.what"), "value": t("why.value")}
        _frame([{names["name"]: name, names["value"]: value} for name, value in facts(t, answer)], {})
        _lines(notes(t, answer))
        _without(here, shown)


def _deeper(here: Here, shown: _Shown) -> Sequence[Passage]:
    key = shown.key
    if not st.toggle(here.t("why.deeper", n=_DEEPER), key=f"{key}-why-deeper"):
        return ()
    slot = f"{key}-why-found"
    if slot not in st.session_state:
        with st.spinner(here.t("why.searching")):
            knowledge_base = shown.engine().knowledge_base()
            st.session_state[slot] = knowledge_base.search(shown.question, k=_DEEPER, filter=shown.filter)
    found: Sequence[Passage] = st.session_state[slot]
    return found


def _without(here: Here, shown: _Shown) -> None:
    t, answer, key = here.t, shown.answer, shown.key
    slot = f"{key}-why-without"
    if answer.abstained or not answer.passages:
        return
    if st.button(t("why.leave_out", n=len(answer.passages)), key=f"{key}-why-leave-out"):
        from rag.ops.explain import leave_one_out

        with st.spinner(t("why.answering")):
            st.session_state[slot] = leave_one_out(shown.engine().knowledge_base().answerer, answer)
    attributions: list[Attribution] | None = st.session_state.get(slot)
    if attributions is not None:
        st.caption(t("why.without_help"))
        columns = {
            "document": st.column_config.TextColumn(t("why.document")),
            "similarity": st.column_config.ProgressColumn(
                t("why.similarity"), min_value=0.0, max_value=1.0, format="percent"
            ),
            "answer": st.column_config.TextColumn(t("why.answer_without")),
            "place": st.column_config.TextColumn(t("why.place"), width="medium"),
        }
        _frame([asdict(row) for row in without(t, attributions)], columns)


def _frame(rows: list[dict[str, Any]], columns: dict[str, Any]) -> None:
    if rows:
        st.dataframe(
            rows, column_config=columns, column_order=list(columns or rows[0]), hide_index=True, width="stretch"
        )


def _lines(sentences: Sequence[str]) -> None:
    """Show sentences as lines of their own, which wrap: a cell of a table cuts them off."""
    for sentence in sentences:
        st.html(f'<p class="rag-quiet">{escape(sentence)}</p>')


def _candidate_columns(t: Any, reranked: bool) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "rank": number(t("why.rank"), width="small"),
        "document": text(t("why.document")),
        "state": text(t("why.state")),
        "dense_rank": number(t("why.dense_rank"), width="small"),
        "dense": number(t("why.dense"), format="%.3f", width="small"),
        "lexical_rank": number(t("why.lexical_rank"), width="small"),
        "lexical": number(t("why.lexical"), format="%.2f", width="small"),
    }
    if reranked:
        columns["fused_rank"] = number(t("why.fused_rank"), width="small")
        columns["reranked"] = number(t("why.reranked"), format="%.2f", width="small")
    columns["score"] = number(t("why.score"), format="%.2f", width="small")
    columns["place"] = text(t("why.place"), width="medium")
    columns["begins"] = text(t("why.begins"), width="large")
    return columns


def _share_columns(t: Any) -> dict[str, Any]:
    return {
        "stage": st.column_config.TextColumn(t("why.stage")),
        "milliseconds": st.column_config.NumberColumn(t("why.milliseconds"), format="%.1f"),
        "share": st.column_config.ProgressColumn(t("why.share"), min_value=0.0, max_value=1.0, format="percent"),
    }
