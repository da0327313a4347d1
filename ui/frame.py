"""What every page stands in: the language, the collection and its engine, and failures as sentences.

A page gets a :class:`Here` and takes everything from it: texts, the chosen index, the engine that answers over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from eval.errors import EvalError
from rag.failures import FAILURES, Failure, explain
from ui.collections import listed
from ui.engines import Engine, engines
from ui.settings import UiSettings
from ui.texts import LANGUAGES, Texts

__all__ = ["Here", "sidebar", "told"]


@dataclass(frozen=True)
class Here:
    """Where the user is: the process's settings, the session's language and its collection (an index folder)."""

    settings: UiSettings
    t: Texts
    index: Path

    def engine(self, *assignments: str) -> Engine:
        """Return the engine that answers here, its loading begun; ``assignments`` come last (``generator.type=vllm``).

        Raises :class:`~rag.errors.UsageError`.
        """
        return engines().get(self.index, self.settings.config, (*self.settings.assignments, *assignments))


def sidebar(settings: UiSettings) -> Here:
    """Draw what all pages share, and return where the user is."""
    asked = st.session_state.get("language") or (st.context.locale or "en").partition("-")[0]
    language = asked if asked in LANGUAGES else "en"
    t = Texts(language)
    with st.sidebar:
        st.segmented_control(
            t("app.language"), list(LANGUAGES), format_func=LANGUAGES.__getitem__, default=language, key="language"
        )
        index = _collection(settings, t)
    return Here(settings, t, index)


def _collection(settings: UiSettings, t: Texts) -> Path:
    """Let the user choose among the collections, where there are several; return the chosen folder."""
    if chosen := st.session_state.pop("collection_next", None):  # by a page, whose widgets cannot set this one's
        st.session_state["collection"] = chosen
    folders = {collection.name: collection.folder for collection in listed(settings)}
    if len(folders) == 1:
        return settings.index
    if st.session_state.get("collection") not in folders:  # none chosen yet, or removed since
        st.session_state["collection"] = settings.index.name
    name = st.selectbox(t("app.collection"), list(folders), key="collection")
    return folders[name]


@contextmanager
def told() -> Iterator[None]:
    """Show a failure inside as a sentence with its remedy instead of a traceback."""
    try:
        yield
    except EvalError as error:
        show_failure(Failure(error.message, error.remedy, 1))
    except FAILURES as error:
        show_failure(explain(error))


def show_failure(failure: Failure) -> None:
    """Show what happened and what mends it, as plain text."""
    with st.container(border=True):
        st.text(failure.message)
        if failure.remedy:
            st.text(failure.remedy)
