"""Making and deleting collections."""

from __future__ import annotations

import streamlit as st

from ui.components.frame import Here, showing_failures
from ui.storage.collections import create, delete

__all__ = ["draw_collections"]

_MESSAGES = "collections_help"


def draw_collections(here: Here) -> None:
    """Draw what is done with collections; a deletion wants the name typed."""
    t = here.t
    with st.expander(t("documents.collections"), icon=":material/library_books:"):
        st.caption(t("documents.collections_help"))
        if key := st.session_state.pop(_MESSAGES, ""):
            st.text(t(key))
        with st.form("collection_create", border=False, clear_on_submit=True):
            name = st.text_input(t("documents.collection_name"), key="collection_name", max_chars=60)
            if st.form_submit_button(t("documents.collection_create")):
                _create(here, name)
        with st.popover(t("documents.collection_delete"), icon=":material/delete:"):
            st.text(t("documents.collection_sure", name=here.index.name))
            typed = st.text_input(t("documents.collection_confirm"), key="collection_confirm")
            sure = typed.strip() == here.index.name
            if st.button(t("documents.collection_button"), disabled=not sure, type="primary", key="collection_delete"):
                with showing_failures():
                    delete(here.settings, here.index)
                    _switch_to(here.settings.index.name, "documents.collection_deleted")


def _create(here: Here, name: str) -> None:
    with showing_failures():
        made = create(here.settings, name)
        _switch_to(made.name, "documents.collection_created")


def _switch_to(name: str, what: str) -> None:
    # The widget of the sidebar is drawn already in this run: its choice is made at the beginning of the next.
    st.session_state["collection_next"] = name
    st.session_state[_MESSAGES] = what
    st.rerun()
