"""Which form of a text that a message has twice is read, and how lines of plain text are joined."""

from __future__ import annotations

import re

__all__ = ["fuller", "unflowed"]

_WORD = re.compile(r"\w+")
_SAME = 0.5  # of the words of one form that the other has: it says the same
_STUB_WORDS = 40  # a form of fewer words that says something else only points to the other


def fuller(plain: str, html: str) -> str:
    """Return the plain text, or the text of the HTML if the plain one is blank, a stub, or a part of it.

    Of two short texts that say different things the HTML is read: it is what mail programs show. Two long texts that
    say different things are both returned.
    """
    in_plain, in_html = _words(plain), _words(html)
    if not in_plain or not in_html:
        return plain if in_plain else html
    both = len(in_plain & in_html)
    if both >= _SAME * len(in_html):
        return plain
    if both >= _SAME * len(in_plain) or len(_WORD.findall(plain)) < _STUB_WORDS:
        return html
    if len(_WORD.findall(html)) < _STUB_WORDS:
        return plain
    return f"{plain.strip()}\n\n{html.strip()}"


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def unflowed(text: str, *, delete_space: bool = False) -> str:
    """Join the lines of ``format=flowed`` text: a line that ends in a space goes on in the next (RFC 3676).

    Quoted lines are joined with those of the same depth; the line before a signature ends a paragraph.
    """
    lines: list[str] = []
    goes_on, last_depth = False, 0
    for raw in text.split("\n"):
        quotes = len(raw) - len(raw.lstrip(">"))
        line = raw[quotes:]
        line = line.removeprefix(" ")
        is_signature = line == "-- "
        if goes_on and quotes == last_depth and not is_signature:
            lines[-1] += line
        else:
            lines.append(f"{'>' * quotes}{' ' if quotes else ''}{line}")
        goes_on = line.endswith(" ") and not is_signature
        if goes_on and delete_space:
            lines[-1] = lines[-1][:-1]
        last_depth = quotes
    return "\n".join(lines)
