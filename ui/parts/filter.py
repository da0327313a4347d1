"""The filter: which documents the list shows and the questions are asked of.

What is chosen is kept as one :class:`~rag.filtering.Filter` under ``filter`` in the session, which other pages read;
the widgets here are filled from it, because Streamlit forgets them when another page is shown.
"""

from __future__ import annotations

import datetime as dt

import streamlit as st

from rag.filtering import TYPES, Filter
from ui.texts import Texts

__all__ = ["FILTER", "chosen_filter", "draw_filter"]

FILTER = "filter"
_DAYS = ("since", "until", "ingested_since", "ingested_until")


def chosen_filter() -> Filter | None:
    """Return the session's filter, None where everything passes."""
    found = st.session_state.get(FILTER)
    return found if isinstance(found, Filter) and not found.empty else None


def draw_filter(t: Texts) -> None:
    """Draw the filter's widgets; a change is kept before the page is drawn."""
    now = chosen_filter() or Filter()
    with st.expander(t("documents.filter"), expanded=not now.empty, icon=":material/filter_alt:"):
        st.caption(t("documents.filter_told"))
        left, right = st.columns(2)
        _fill("filter_source", " ".join(now.sources[:1]))
        left.text_input(
            t("documents.filter_source"), placeholder=t("documents.filter_source_hint"), key="filter_source",
            on_change=_keep, max_chars=500,
        )  # fmt: skip
        _fill("filter_types", list(now.types))
        right.multiselect(t("documents.filter_types"), list(TYPES), key="filter_types", on_change=_keep)
        for place, name in zip(st.columns(4), _DAYS, strict=True):
            _fill(f"filter_{name}", getattr(now, name))
            place.date_input(
                t(f"documents.filter_{name}"), key=f"filter_{name}", on_change=_keep, format="YYYY-MM-DD",
                min_value=dt.date(1980, 1, 1), max_value=dt.date(2100, 1, 1),
            )  # fmt: skip
        if not now.empty:
            st.button(t("documents.filter_clear"), key="filter_clear", on_click=_clear)


def _fill(key: str, value: object) -> None:
    if key not in st.session_state:
        st.session_state[key] = value


def _keep() -> None:
    state = st.session_state
    source = str(state.get("filter_source") or "").strip()
    if source and not any(c in source for c in "*?["):
        source = f"*{source}*"  # a bare name is meant wherever it stands
    days = {name: state.get(f"filter_{name}") for name in _DAYS}
    state[FILTER] = Filter((source,) if source else (), tuple(state.get("filter_types") or ()), **days)


def _clear() -> None:
    st.session_state[FILTER] = Filter()
    for key in ("filter_source", "filter_types", *(f"filter_{name}" for name in _DAYS)):
        st.session_state.pop(key, None)
