"""What every page stands in: the language, the collection and its engine, and failures as sentences.

A page gets a :class:`Here` and takes everything from it: texts, the chosen index, the engine that answers over it, and
whose chats it may show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from rag.config import Config, Resolved
from rag.errors import Failure
from ui.i18n import LANGUAGES, Texts
from ui.jobs.background import Engine, configured, engines
from ui.settings import UiSettings
from ui.storage.chats import owner_of
from ui.storage.collections import listed
from ui.text.failures import FORESEEN, failure_of, traced
from ui.text.safe import distinct

__all__ = ["Here", "say_failure", "say_unexpected", "show_failure", "showing_failures", "sidebar"]

STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True)
class Here:
    """Where the user is: the process's settings, the session's language, collection (an index folder) and owner."""

    settings: UiSettings
    t: Texts
    index: Path
    owner: str | None = None

    def engine_config(self) -> Config:
        """Return the configuration that the page was started with, before any choice of the session.

        Raises :class:`~rag.errors.UsageError`.
        """
        return configured(self.settings.config, self.settings.assignments).config

    def resolved(self, *assignments: str) -> Resolved:
        """Return the configuration of :meth:`engine`, with the index's calibrated threshold. Nothing is loaded.

        Raises :class:`~rag.errors.UsageError`.
        """
        return engines().open(self.index, self.settings.config, (*self.settings.assignments, *assignments)).config

    def engine(self, *assignments: str) -> Engine:
        """Return the engine that answers here, its loading begun; ``assignments`` come last (``generator.type=vllm``).

        Raises :class:`~rag.errors.UsageError`.
        """
        return engines().get(self.index, self.settings.config, (*self.settings.assignments, *assignments))


def sidebar(settings: UiSettings) -> Here:
    """Draw what all pages share, and return where the user is."""
    st.html(STYLE)
    own = (st.context.locale or "en").partition("-")[0]
    own = own if own in LANGUAGES else "en"
    with st.sidebar:
        language = st.segmented_control(
            Texts(st.session_state.get("language") or own)("app.language"), list(LANGUAGES), key="language",
            format_func=LANGUAGES.__getitem__, default=own, required=True, label_visibility="collapsed",
            bind="query-params",
        )  # fmt: skip
        t = Texts(language or own)
        known = not settings.oidc or bool(st.user.is_logged_in)  # a stranger does not see the collections
        index = _collection(settings, t) if known else settings.index
        if settings.oidc and known:
            st.button(t("login.log_out"), key="log_out", icon=":material/logout:", on_click=st.logout)
    return Here(settings, t, index, _owner())


def _owner() -> str | None:
    """Return whose session this is, as the server saw it arrive."""
    return owner_of(st.user.to_dict(), st.context.cookies.to_dict())


def _collection(settings: UiSettings, t: Texts) -> Path:
    """Let the user choose among the collections, where there are several; return the chosen folder."""
    if chosen := st.session_state.pop("collection_next", None):  # by a page, whose widgets cannot set this one's
        st.session_state["collection"] = chosen
    folders = {folder.name: folder for folder in listed(settings)}
    if len(folders) == 1:
        return settings.index
    if st.session_state.get("collection") not in folders:  # none chosen yet, or removed since
        st.session_state["collection"] = settings.index.name
    name = st.selectbox(t("app.collection"), list(folders), key="collection", format_func=distinct(folders))
    return folders[name]


@contextmanager
def showing_failures() -> Iterator[None]:
    """Show a failure inside as a sentence with its remedy instead of a traceback."""
    try:
        yield
    except FORESEEN as error:
        show_failure(failure_of(error))


def say_unexpected(error: Exception) -> bool:
    """Show that an unexpected error ended a page and log it in the terminal; return True: it is handled."""
    traced("drawing a page", error)
    st.text(Texts(st.session_state.get("language") or "en")("app.unexpected", kind=type(error).__name__))
    return True


def show_failure(failure: Failure) -> None:
    """Show a failure in a frame; see :func:`say_failure`."""
    with st.container(border=True):
        say_failure(failure)


def say_failure(failure: Failure) -> None:
    """Show the kind of a failure in the user's language, and its message and remedy in English."""
    t = Texts(st.session_state.get("language") or "en")
    if f"failures.{failure.kind}" in t:
        st.markdown(f"**{t(f'failures.{failure.kind}')}**")
    st.text(failure.message)
    if failure.remedy:
        st.text(failure.remedy)
