"""The chat page: a question, its answer, its sources."""

from __future__ import annotations

import streamlit as st

from ui.frame import Here, told
from ui.safe import escape

__all__ = ["show"]


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    with told():
        engine = here.engine()
        question = st.chat_input(t("chat.ask"))
        if not question:
            return
        with st.chat_message("user"):
            st.html(escape(question))
        with st.chat_message("assistant"), told():
            with st.spinner(t("app.starting", seconds=round(engine.state.seconds))):
                pipeline = engine.pipeline()
            stream = pipeline.stream(question)
            shown, place = "", st.empty()
            for piece in stream:
                shown += piece
                place.html(escape(shown))
            for number, citation in enumerate(stream.answer.citations, start=1):
                st.text(f"[{number}] {citation.passage.source}: {citation.quote}")
