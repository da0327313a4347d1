"""The filter: which documents the list shows and the questions are asked of.

The choice is stored as one :class:`~rag.retrieval.filters.Filter` under ``filter`` in the session, which other pages
read; the widgets here are filled from it, because Streamlit forgets them when another page is shown.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import streamlit as st

from rag.ingestion.loaders.formats import filter_types
from rag.retrieval.filters import Filter
from ui.i18n import Texts

__all__ = ["FILTER", "chosen_filter", "draw_fields", "draw_filter"]

FILTER = "filter"
_NUMBER = "filter_number"
_DAYS = ("since", "until", "ingested_since", "ingested_until")


def chosen_filter() -> Filter | None:
    """Return the session's filter, None where everything passes."""
    found = st.session_state.get(FILTER)
    return found if isinstance(found, Filter) and not found.empty else None


def draw_filter(t: Texts) -> None:
    """Draw the filter in an expander that is open where one is chosen."""
    with st.expander(t("documents.filter"), expanded=chosen_filter() is not None, icon=":material/filter_alt:"):
        draw_fields(t)


def draw_fields(t: Texts) -> None:
    """Draw the filter's widgets. A change is stored before the page is drawn."""
    now = chosen_filter() or Filter()
    number = st.session_state.get(_NUMBER, 0)  # another number creates new widgets from the record
    shared: dict[str, Any] = {"on_change": _keep, "args": (number,)}
    st.caption(t("documents.filter_help"))
    left, right = st.columns(2)
    left.text_input(
        t("documents.filter_source"), " ".join(now.sources[:1]), key=f"filter_source_{number}", max_chars=500,
        placeholder=t("documents.filter_source_hint"), **shared,
    )  # fmt: skip
    types = list(filter_types())
    known = [name for name in now.types if name in types]
    right.multiselect(t("documents.filter_types"), types, known, key=f"filter_types_{number}", **shared)
    for place, name in zip(st.columns(4), _DAYS, strict=True):
        place.date_input(
            t(f"documents.filter_{name}"), getattr(now, name), key=f"filter_{name}_{number}", format="YYYY-MM-DD",
            min_value=dt.date(1980, 1, 1), max_value=dt.date(2100, 1, 1), **shared,
        )  # fmt: skip
    if not now.empty:
        st.button(t("documents.filter_clear"), key="filter_clear", on_click=_clear)


def _keep(number: int) -> None:
    state = st.session_state
    source = str(state.get(f"filter_source_{number}") or "").strip()
    if source and not any(c in source for c in "*?\\") and not source.startswith((".", "/")) and source[-1] != "/":
        source = f"*{source}*"  # a bare name is meant wherever it stands
    days = {name: state.get(f"filter_{name}_{number}") for name in _DAYS}
    state[FILTER] = Filter((source,) if source else (), tuple(state.get(f"filter_types_{number}") or ()), **days)


def _clear() -> None:
    st.session_state[FILTER] = Filter()
    st.session_state[_NUMBER] = st.session_state.get(_NUMBER, 0) + 1
