"""Why this answer: the candidates at every stage, the prompt, the time, and the answer without each passage.

Everything is in data frames of plain text, whose cells are not rendered. A deeper search and the answers without each
passage take time and run on request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from rag.types import Answer
from ui.components.frame import Here, showing_failures
from ui.i18n import Texts
from ui.text.safe import escape
from ui.views.why import candidates, facts, left_out, notes, shares, without

if TYPE_CHECKING:
    from rag.ops.explain import Attribution
    from rag.retrieval.filters import Filter
    from rag.types import Passage
    from ui.jobs.background import Engine

__all__ = ["show_why"]

_DEEPER = 30


@st.fragment
def show_why(
    here: Here, question: str, answer: Answer, key: str, engine: Callable[[], Engine] | None = None,
    only: Filter | None = None,
) -> None:  # fmt: skip
    """Offer the explanation of an answer, closed at first.

    ``question`` is the one that was searched for and ``key`` identifies the answer. ``engine`` returns the engine that
    answered, by default the page's; ``only`` is the filter that was on.
    """
    t, engine = here.t, engine or here.engine
    opened = st.expander(t("why.title"), key=f"{key}-why", on_change="rerun")
    if not opened.open:
        return
    with opened, showing_failures():
        found = _deeper(t, key, lambda: engine().knowledge_base().search(question, k=_DEEPER, filter=only))
        rows = candidates(t, answer, found)
        _frame(rows, _candidate_columns(t, any(row["reranked"] is not None for row in rows)))
        _lines(left_out(t, answer))
        st.caption(t("why.times"))
        _frame(
            shares(t, answer),
            {
                "stage": t("why.stage"),
                "milliseconds": st.column_config.NumberColumn(t("why.milliseconds"), format="%.1f"),
                "share": _share_column(t("why.share")),
            },
        )
        rows = [{"name": name, "value": value} for name, value in facts(t, answer)]
        _frame(rows, {"name": t("why.what"), "value": t("why.value")})
        _lines(notes(t, answer))
        _without(t, key, answer, engine)


def _deeper(t: Texts, key: str, search: Callable[[], Sequence[Passage]]) -> Sequence[Passage]:
    if not st.toggle(t("why.deeper", n=_DEEPER), key=f"{key}-why-deeper"):
        return ()
    slot = f"{key}-why-found"
    if slot not in st.session_state:
        with st.spinner(t("why.searching")):
            st.session_state[slot] = search()
    found: Sequence[Passage] = st.session_state[slot]
    return found


def _without(t: Texts, key: str, answer: Answer, engine: Callable[[], Engine]) -> None:
    slot = f"{key}-why-without"
    if answer.abstained or not answer.passages:
        return
    if st.button(t("why.leave_out", n=len(answer.passages)), key=f"{key}-why-leave-out"):
        from rag.ops.explain import leave_one_out

        with st.spinner(t("why.answering")):
            st.session_state[slot] = leave_one_out(engine().knowledge_base().answerer, answer)
    attributions: list[Attribution] | None = st.session_state.get(slot)
    if attributions is not None:
        st.caption(t("why.without_help"))
        columns = {
            "document": t("why.document"),
            "similarity": _share_column(t("why.similarity")),
            "answer": t("why.answer_without"),
            "place": st.column_config.TextColumn(t("why.place"), width="medium"),
        }
        _frame(without(t, attributions), columns)


def _frame(rows: list[dict[str, Any]], columns: dict[str, Any]) -> None:
    if rows:
        st.dataframe(rows, column_config=columns, column_order=list(columns), hide_index=True, width="stretch")


def _lines(sentences: Sequence[str]) -> None:
    """Show sentences as lines of their own, which wrap: a cell of a table cuts them off."""
    for sentence in sentences:
        st.html(f'<p class="rag-quiet">{escape(sentence)}</p>')


def _candidate_columns(t: Texts, reranked: bool) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns = {"rank": number(t("why.rank"), width="small"), "document": t("why.document"), "state": t("why.state")}
    formats = {"dense_rank": None, "dense": "%.3f", "lexical_rank": None, "lexical": "%.2f"}
    formats |= {"fused_rank": None, "reranked": "%.2f"} if reranked else {}
    for name, digits in (formats | {"score": "%.2f"}).items():
        columns[name] = number(t(f"why.{name}"), format=digits, width="small")
    columns["place"] = text(t("why.place"), width="medium")
    return columns | {"begins": text(t("why.begins"), width="large")}


def _share_column(name: str) -> Any:
    return st.column_config.ProgressColumn(name, min_value=0.0, max_value=1.0, format="percent")
