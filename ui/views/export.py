"""A chat as a file: Markdown to read, JSON to go on with.

Nothing of a document or a model is alive in the Markdown: every sign that could mean something is escaped, and a word
joiner (U+2060, not visible) stands inside what programs take for an address even so. The JSON holds the exact texts.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from rag.serialise import answer_json
from ui.history import Chat, Turn
from ui.safe import inert
from ui.texts import Texts
from ui.views.places import full_place

__all__ = ["file_name", "to_json", "to_markdown"]


def to_markdown(chat: Chat, t: Texts) -> str:
    """Return a chat as Markdown in the language of the page."""
    lines = [f"# {inert(chat.title)}", ""]
    for turn in chat.turns:
        lines += [f"## {inert(turn.question)}", "", *_quoted(turn.said), *_sources(turn, t)]
        if turn.stopped:
            lines += [f"*{t('chat.stopped')}*", ""]
        if turn.failure is not None:
            lines += [f"*{inert(turn.failure.message)}*", ""]
        lines += [f"*{inert(_told(turn, t))}*", ""]
    return "\n".join(lines)


def to_json(chat: Chat) -> str:
    """Return a chat as JSON: every answer as ``rag ask --json`` prints it, with when and how it was asked."""
    value = {"title": chat.title, "collection": chat.collection, "turns": [_turn(turn) for turn in chat.turns]}
    return json.dumps(value, ensure_ascii=True, indent=2) + "\n"


def file_name(chat: Chat, suffix: str) -> str:
    """Return a name for the file: letters and digits of the title."""
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in chat.title.lower())
    return f"{'-'.join(part for part in name.split('-') if part)[:60] or 'chat'}.{suffix}"


def _quoted(text: str) -> list[str]:
    return [*(f"> {inert(line)}".rstrip() for line in text.splitlines()), ""]


def _sources(turn: Turn, t: Texts) -> list[str]:
    if turn.answer is None or not turn.answer.citations:
        return []
    lines = []
    for number, citation in enumerate(turn.answer.citations, start=1):
        lines.append(f"{number}. {inert(full_place(t, citation.passage))}: “{inert(citation.quote)}”")
    return [*lines, ""]


def _told(turn: Turn, t: Texts) -> str:
    told = [t.date(dt.datetime.fromtimestamp(turn.asked, dt.UTC)) + " UTC"]
    if turn.answer is not None and turn.answer.generator:
        told.append(turn.answer.generator)
    if turn.band:
        told.append(t(f"chat.{turn.band}"))
    return " · ".join(told)


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "question": turn.question,
        "asked": dt.datetime.fromtimestamp(turn.asked, dt.UTC).isoformat(timespec="seconds"),
        "stopped": turn.stopped,
        "failure": None if turn.failure is None else turn.failure.message,
        "shown": turn.said,
        "confidence": turn.band or None,
        "answer": None if turn.answer is None else answer_json(turn.answer, turn.config),
    }
