"""What the browser looks after: that an answer that comes is in sight, and that the page is drawn to its end.

Streamlit's stop button ends the script and draws nothing, so the page must be requested again. A fragment that
asks by the clock would do so while the script runs too: such a request waits for its end, and where the browser hears
of both ends at once, the chat's field stays locked. The browser knows when the script has ended, and asks only then.
What it does not see is a script that was stopped before it came to the call of :func:`watch_answer`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["watch_answer"]


def watch_answer(*, asks: bool) -> None:
    """Watch, and bring the answer of a run that ``asks`` into sight: to be called in every run, at the same place."""
    _watcher()(key="watcher", data={"asks": asks}, on_ended_change=lambda: None)


@cache
def _watcher() -> Any:
    script = Path(__file__).with_name("watching.js").read_text(encoding="utf-8")
    return st.components.v2.component("rag_watcher", html="<div></div>", js=script)
