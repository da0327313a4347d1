"""Checks of prompt texts that a user wrote: their length, characters and placeholders."""

from __future__ import annotations

import unicodedata

from rag.prompt_templates import PLACEHOLDERS, placeholders

__all__ = ["LONGEST", "check_instruction", "check_template"]

LONGEST = 4000
"""The most characters of an instruction or a template."""
_BOTH = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def check_instruction(text: str | None) -> str | None:
    """Return an instruction for a language model; None stands for that of the form.

    Raises ``ValueError`` for one that is blank or too long, or holds control characters or a placeholder.
    """
    if text is None:
        return None
    _check(text)
    for name in placeholders(text):
        if name in PLACEHOLDERS:
            raise ValueError(f"{{{name}}} is not filled in here; write it in prompt.template")
    return text


def check_template(text: str | None) -> str | None:
    """Return a template of what is asked; None stands for that of the form.

    Raises ``ValueError`` for one that is blank or too long, holds control characters, or does not hold each placeholder
    exactly once.
    """
    if text is None:
        return None
    _check(text)
    names = placeholders(text)
    for name in names:
        if name not in PLACEHOLDERS:
            raise ValueError(f"{{{name}}} is not a placeholder; use {_BOTH}, once each")
    for name in PLACEHOLDERS:
        if names.count(name) != 1:
            raise ValueError(f"it holds {{{name}}} {names.count(name)} times; write {_BOTH} once each")
    return text


def _check(text: str) -> None:
    if not text.strip():
        raise ValueError("it is blank; write a text, or null for that of the form")
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text):,} characters; shorten it to {LONGEST:,}")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise ValueError(f"it holds the control character U+{ord(character):04X}; remove it")
