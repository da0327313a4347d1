"""``robots.txt`` by RFC 9309: whether one program may read one page.

The group that names the program decides, else that of ``*``; of the rules that match, the longest decides, and
``Allow`` wins a tie. ``*`` and a final ``$`` are understood. Patterns are foreign text: each is matched in time
linear in the length of the path and of itself, never as a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

__all__ = ["MOST_BYTES", "allowed"]

MOST_BYTES = 512_000
"""So much of a file is read; RFC 9309 asks for at least 500 KiB."""

_MOST_RULES = 20_000
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_SAFE = "%/:@!$&'()*+,;=~-._[]?#"


def allowed(robots: str, url: str, agent: str) -> bool:
    """Return whether ``agent``, a product name such as ``rag-qa``, may read the page at ``url``."""
    parts = urlsplit(url)
    path = _escaped(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
    if path == "/robots.txt":
        return True
    best, permits = -1, True
    for allow, pattern in _rules(robots, agent.casefold()):
        escaped = _escaped(pattern)
        length = len(escaped)
        if (length > best or (length == best and allow)) and _matches(escaped, path):
            best, permits = length, allow
    return permits


def _rules(robots: str, agent: str) -> list[tuple[bool, str]]:
    """Return the rules for a program: whether each allows, and its pattern."""
    own: list[tuple[bool, str]] = []
    common: list[tuple[bool, str]] = []
    names: set[str] = set()
    is_named, has_rules = False, False
    for key, value in _lines(robots):
        if key == "user-agent":
            if has_rules:
                names, has_rules = set(), False
            name = re.split(r"[/\s]", value.casefold(), maxsplit=1)[0]
            names.add(name)
            is_named = is_named or name == agent
        elif key in ("allow", "disallow"):
            has_rules = True
            if not value:  # allows everything: as no rule
                continue
            rule = (key == "allow", value)
            if agent in names and len(own) < _MOST_RULES:
                own.append(rule)
            if "*" in names and len(common) < _MOST_RULES:
                common.append(rule)
    return own if is_named else common


def _lines(robots: str) -> Iterator[tuple[str, str]]:
    for line in robots.splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield key.strip().casefold(), value.strip()


def _matches(pattern: str, path: str) -> bool:
    """Return whether a path begins with what a pattern says: each piece is looked for behind the one before."""
    is_anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    if not rest:
        return not is_anchored or place == len(path)
    *middle, last = rest
    for piece in middle:
        found = path.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    if is_anchored:
        return len(path) - len(last) >= place and path.endswith(last)
    return path.find(last, place) >= 0


def _escaped(text: str) -> str:
    """Return a path in one form: what is not ASCII is percent-encoded, escapes in upper case."""
    return _ESCAPE.sub(lambda match: match.group().upper(), quote(text, safe=_SAFE))
