"""The chats in the sidebar: a new one, a search, the list, and what can be done with the one that is open."""

from __future__ import annotations

import streamlit as st

from ui.components.frame import Here, showing_failures
from ui.storage.conversation import Conversation
from ui.text.safe import inert, one_line
from ui.views.export import file_name, to_json, to_markdown

__all__ = ["show", "show_menu"]

MOST_ROWS = 40


def show(here: Here, now: Conversation) -> None:
    """Draw the list into the sidebar."""
    t = here.t
    with st.sidebar, showing_failures():
        st.button(
            t("chat.new"), key="new_chat", icon=":material/add:", shortcut="Mod+Shift+O", width="stretch",
            on_click=now.want, args=("",),
        )  # fmt: skip
        if now.owner is None:
            st.caption(t("chat.no_owner"))
            return
        search = st.text_input(
            t("chat.search"), key="chat_search", placeholder=t("chat.search"), label_visibility="collapsed"
        )
        rows = now.rows(search)
        if not rows:
            st.caption(t("chat.none_found") if search else t("chat.none_yet"))
        for row in rows[:MOST_ROWS]:
            st.button(
                inert(one_line(row.title, 60)), key=f"chat_{row.id}", width="stretch", wrap=False,
                type="primary" if row.id == now.chat.id else "tertiary", on_click=now.want, args=(row.id,),
            )  # fmt: skip
        if len(rows) > MOST_ROWS:
            st.caption(t("chat.more", n=len(rows) - MOST_ROWS))


def show_menu(here: Here, now: Conversation) -> None:
    """Draw what can be done with the open chat: rename, export, delete."""
    t, chat = here.t, now.chat
    # Another chat has another menu: that of one that was deleted does not stay open.
    menu = st.popover(t("chat.open_chat"), icon=":material/more_horiz:", disabled=not chat.turns, key=f"menu_{chat.id}")
    with menu, showing_failures():
        if not chat.turns:
            return
        if now.owner is not None:
            # A form, so that the title is taken with the click and not with the loss of focus.
            with st.form(f"rename_{chat.id}", border=False):
                title = st.text_input(t("chat.title"), value=chat.title, max_chars=80)
                if st.form_submit_button(t("chat.rename")):
                    now.rename(title)
                    st.rerun()
        for key, suffix, mime, make in (
            ("chat.export_markdown", "md", "text/markdown", lambda: to_markdown(chat, t)),
            ("chat.export_json", "json", "application/json", lambda: to_json(chat)),
        ):
            st.download_button(
                t(key), make, file_name(chat, suffix), mime, key=f"export_{suffix}", on_click="ignore", width="stretch",
                icon=":material/download:",
            )  # fmt: skip
        _draw_delete(here, now)


def _draw_delete(here: Here, now: Conversation) -> None:
    """Draw the way to delete the open chat, which asks first."""
    t = here.t
    with st.expander(t("chat.delete"), icon=":material/delete:"):
        st.text(t("chat.delete_sure"))
        if st.button(t("chat.delete_button"), key="delete_chat", type="primary"):
            now.delete(str(here.index))
            st.rerun()
