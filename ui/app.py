"""What Streamlit runs (:mod:`ui.entry.app`) for every session and interaction: language, collection, one page.

Each row of ``PAGES`` is a page. Nothing heavy is imported here: models load in the background
(:mod:`ui.jobs.background`) while the page is already there.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from ui.components.frame import Here, sidebar
from ui.settings import current

__all__ = ["PAGES", "Page", "main"]

ICON = Path(__file__).with_name("icon.svg")  # a :material: icon would be fetched from a font host


@dataclass(frozen=True)
class Page:
    """A page: its module, whose function ``show(here)`` draws it, and its icon."""

    module: str
    icon: str


# By address; the first is shown at an address without a path. The title is the text ``app.<address>``.
PAGES = {
    "chat": Page("ui.pages.chat", ":material/chat:"),
    "documents": Page("ui.pages.documents", ":material/folder_open:"),
    "lab": Page("ui.pages.lab", ":material/science:"),
    "evaluation": Page("ui.pages.evaluation", ":material/monitoring:"),
    "system": Page("ui.pages.system", ":material/memory:"),
}


def main() -> None:
    """Run one script run."""
    st.set_page_config(page_title="rag", page_icon=str(ICON), layout="wide")
    here = sidebar(current())
    if not _is_let_in(here):
        return

    first = next(iter(PAGES))
    pages = [
        st.Page(
            lambda page=page: importlib.import_module(page.module).show(here),  # type: ignore[misc] # bound in the loop
            title=here.t(f"app.{name}"), icon=page.icon, url_path=name, default=name == first,
        )
        for name, page in PAGES.items()
    ]  # fmt: skip
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
