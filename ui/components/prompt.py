"""The prompt of the language model: its text can be read and changed for the questions of this session.

The texts are stored beside the widgets' own state, which Streamlit forgets when another page is shown.
"""

from __future__ import annotations

import json

import streamlit as st

from rag.config import Config
from rag.config.prompt_text import LONGEST
from rag.errors import UsageError
from rag.generation.prompt_builder import form_of
from rag.generation.registry import GENERATORS
from ui.components.frame import Here, say_failure
from ui.text.failures import failure_of

__all__ = ["draw_prompt", "prompt_settings"]

_TEXTS = "prompt_texts"
_NUMBER = "prompt_number"


def prompt_settings(config: Config) -> tuple[str, ...]:
    """Return the assignments for the session's own prompt; none for an extractive model, which reads no prompt."""
    if GENERATORS[config.generator.type].make_extractor is not None:
        return ()
    return _assignments(st.session_state.get(_TEXTS) or {})


def draw_prompt(here: Here, config: Config) -> None:
    """Draw the prompt's texts in a popover. ``config`` is the configuration without the session's own prompt."""
    if GENERATORS[config.generator.type].make_extractor is not None:
        return
    t, own = here.t, st.session_state.get(_TEXTS) or {}
    number = st.session_state.get(_NUMBER, 0)  # another number creates new widgets from the stored texts
    form = form_of(config.prompt)
    usual = {"instruction": form.instructions, "template": form.asked}
    with st.popover(t("chat.prompt_changed" if own else "chat.prompt"), icon=":material/edit_note:"):
        st.caption(t("chat.prompt_help"))
        with st.form(f"prompt_{number}", border=False):
            texts = {
                name: st.text_area(
                    t(f"chat.prompt_{name}"), own.get(name, text), key=f"prompt_{name}_{number}", height=height,
                    max_chars=LONGEST,
                )
                for (name, text), height in zip(usual.items(), (320, 120), strict=True)
            }  # fmt: skip
            if st.form_submit_button(t("chat.prompt_use"), type="primary"):
                _use(here, {name: text for name, text in texts.items() if text.strip() != usual[name].strip()})
        if own:
            st.button(t("chat.prompt_reset"), key="prompt_reset", on_click=_keep, args=({},))


def _use(here: Here, texts: dict[str, str]) -> None:
    """Store the texts, or show why they cannot be used."""
    try:
        here.resolved(*_assignments(texts))
    except UsageError as error:
        say_failure(failure_of(error))
        return
    _keep(texts)
    st.rerun()


def _keep(texts: dict[str, str]) -> None:
    st.session_state[_TEXTS] = texts
    st.session_state[_NUMBER] = st.session_state.get(_NUMBER, 0) + 1


def _assignments(texts: dict[str, str]) -> tuple[str, ...]:
    """Return the texts as values of the configuration, in quotes: a colon would make a mapping of them."""
    return tuple(f"prompt.{name}={_quoted(text)}" for name, text in texts.items())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
