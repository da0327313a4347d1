"""Pages run without a browser until nothing works in the background, and what they show as text."""

from __future__ import annotations

import time

from streamlit.testing.v1 import AppTest


def settled(page: AppTest) -> AppTest:
    """Run a page again until it shows no status."""
    for _ in range(100):
        assert not page.exception
        if not page.get("status"):
            return page
        time.sleep(0.2)
        page.run()
    raise AssertionError("the page is still at work")


def said(page: AppTest) -> str:
    """Return everything that a page says in text, tables included."""
    parts = [e.value for kind in ("text", "caption", "markdown", "info", "subheader") for e in page.get(kind)]
    parts += [frame.value.to_csv() for frame in page.dataframe]
    return "\n".join(map(str, parts))
