"""The colours of the page, light and dark. A test computes the contrast of every pair that meets on the page.

White stands on the primary colour (buttons, chosen values of a list), so that in the dark it is too dark to be written
in: ``style.css`` writes as other text what Streamlit would write in it.
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "MARK", "options"]

LIGHT = {
    "primaryColor": "#0b57a4",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f1f4f8",
    "textColor": "#0f1720",
    "linkColor": "#0b57a4",
    "borderColor": "#c3ccd8",
}
DARK = {
    "primaryColor": "#2a72c8",
    "backgroundColor": "#12161c",
    "secondaryBackgroundColor": "#1c232d",
    "textColor": "#e8edf3",
    "linkColor": "#7db8f5",
    "borderColor": "#465263",
}
MARK = {"backgroundColor": "#ffe08a", "textColor": "#1b2430"}  # of <mark>, in both themes


def options() -> dict[str, str]:
    """Return the themes as Streamlit's options."""
    return {
        f"theme.{name}.{key}": value
        for name, theme in (("light", LIGHT), ("dark", DARK))
        for key, value in theme.items()
    }
