"""What the first visit would otherwise wait for, done in the background as soon as the server listens.

Modules that a script run imports, the texts of both languages, and what Streamlit makes when its first widget is drawn.
Models are not included: they load when the first visitor arrives (:mod:`ui.jobs.engines`).
"""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ui import i18n as texts
from ui.text.failures import traced

if TYPE_CHECKING:
    import streamlit as st

__all__ = ["lifespan", "warm"]

_PAGE = "ui.pages.chat"  # the one that an address without a path shows
_EMOJI = "streamlit.emojis"  # a pattern of thousands, compiled for the first label that is not ASCII


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Begin it when the server starts, beside its first requests."""
    threading.Thread(target=_tried, name="warm", daemon=True).start()
    yield


def warm() -> None:
    """Do it all; 0.3 s of a processor."""
    texts.load()
    importlib.import_module(_PAGE)
    importlib.import_module(_EMOJI)
    inspect.stack()  # Streamlit asks for it once, and the first answer walks through all modules


def _tried() -> None:
    try:
        warm()
    except Exception as error:  # noqa: BLE001 - the visitor's own run says on the page what fails
        traced("preparing the page", error)
