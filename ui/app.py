"""What Streamlit runs (:mod:`ui.entry.app`) for every session and interaction: language, collection, one page.

Each page is a module of :mod:`ui.pages` with a function ``show(here)``. Nothing heavy is imported here: models load in
the background (:mod:`ui.jobs.engines`) while the page is already there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ui.components.frame import Here, sidebar
from ui.settings import current

__all__ = ["main"]

ICON = Path(__file__).with_name("icon.svg")  # a :material: icon would be fetched from a font host
PAGES = (
    ("chat", ":material/chat:"),
    ("documents", ":material/folder_open:"),
    ("lab", ":material/science:"),
    ("evaluation", ":material/monitoring:"),
    ("system", ":material/memory:"),
)


def main() -> None:
    """Run one script run."""
    st.set_page_config(page_title="rag", page_icon=str(ICON), layout="wide")
    here = sidebar(current())
    if not _is_let_in(here):
        return

    def opener(name: str) -> Callable[[], None]:
        return lambda: importlib.import_module(f"ui.pages.{name}").show(here)

    titles = here.t.many(*(f"app.{name}" for name, _ in PAGES))
    pages = [
        st.Page(opener(name), title=title, icon=icon, url_path=name, default=name == "chat")
        for (name, icon), title in zip(PAGES, titles, strict=True)
    ]
    st.navigation(pages).run()


def _is_let_in(here: Here) -> bool:
    """Return whether the page may be shown: with an OpenID provider configured, only to users who have logged in.

    A password is checked before a request comes here (:mod:`ui.server.login`).
    """
    if not here.settings.oidc or st.user.is_logged_in:
        return True
    st.title(here.t("app.title"))
    st.button(here.t("login.with_account"), key="log_in", type="primary", on_click=st.login)
    return False
