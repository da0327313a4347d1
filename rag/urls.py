"""Addresses as they may be shown: without the user name and password that some carry."""

from __future__ import annotations

import re

__all__ = ["without_userinfo"]

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def without_userinfo(text: str) -> str:
    """Return a text with ``***`` in place of what stands before the ``@`` of each address in it."""
    return _USERINFO.sub("***@", text)
