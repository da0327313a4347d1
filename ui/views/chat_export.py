"""A chat as a file: Markdown to read, with all text escaped, and JSON with the exact texts."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from rag.ops.serialize import answer_json
from ui.i18n import Texts
from ui.storage.chats import Chat, Turn
from ui.text.safe import readable
from ui.views.chat import confidence, ending, no_answer, shown_band, was_rewritten, with_doubts, without_sources
from ui.views.words import full_place, noted

__all__ = ["file_name", "to_json", "to_markdown"]


def to_markdown(chat: Chat, t: Texts) -> str:
    """Return a chat as Markdown in the language of the page."""
    lines = [f"# {readable(chat.title)}", ""]
    for turn in chat.turns:
        lines += [f"## {readable(turn.question)}", "", *_understood(turn, t), *_answer(turn, t), *_sources(turn, t)]
        for remark in (*_ending(turn, t), *_notes(turn, t), _details(turn, t)):
            lines += [f"*{readable(remark)}*", ""]
    return "\n".join(lines)


def to_json(chat: Chat) -> str:
    """Return a chat as JSON: every answer as ``rag ask --json`` prints it, with when and how it was asked."""
    value = {"title": chat.title, "collection": chat.collection, "turns": [_turn(turn) for turn in chat.turns]}
    return json.dumps(value, ensure_ascii=True, indent=2) + "\n"


def file_name(chat: Chat, suffix: str) -> str:
    """Return a name for the file: letters and digits of the title."""
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in chat.title.lower())
    return f"{'-'.join(part for part in name.split('-') if part)[:60] or 'chat'}.{suffix}"


def _understood(turn: Turn, t: Texts) -> list[str]:
    if turn.answer is None or not was_rewritten(turn):
        return []
    return [f"*{readable(t('chat.understood', question=turn.answer.question))}*", ""]


def _answer(turn: Turn, t: Texts) -> list[str]:
    """Return the answer, or why there is none: then the generator's own words for that are left out, as on the page."""
    if turn.answer is None:
        return _quoted(turn.shown)
    if turn.answer.abstained:
        title, *reasons = no_answer(turn, t)
        return [f"**{readable(title)}**", "", *(part for reason in reasons for part in (readable(reason), ""))]
    return _quoted(with_doubts(turn.answer, t))


def _ending(turn: Turn, t: Texts) -> list[str]:
    """Say that an answer is not whole, and why."""
    failure = turn.failure
    reasons = () if failure is None else (failure.message, failure.remedy)
    return [*ending(turn, t), *(line for line in reasons if line.strip())]


def _notes(turn: Turn, t: Texts) -> list[str]:
    return [] if turn.answer is None else [noted(t, note) for note in turn.answer.notes]


def _quoted(text: str) -> list[str]:
    return [*(f"> {readable(line)}".rstrip() for line in text.splitlines()), ""]


def _sources(turn: Turn, t: Texts) -> list[str]:
    if turn.answer is None or turn.answer.abstained or not turn.answer.text:
        return []
    if without_sources(turn.answer):
        return []
    if not turn.answer.citations:
        return [f"*{readable(t('evidence.none'))}*", ""]
    lines = []
    for number, citation in enumerate(turn.answer.citations, start=1):
        lines.append(f"{number}. {readable(full_place(t, citation))}: “{readable(citation.quote)}”")
    return [*lines, ""]


def _details(turn: Turn, t: Texts) -> str:
    parts = [t.date(dt.datetime.fromtimestamp(turn.asked, dt.UTC)) + " UTC"]
    if turn.answer is not None and turn.answer.generator:
        parts.append(turn.answer.generator)
    if sure := confidence(turn, t):
        parts.append(sure)
    return " · ".join(parts)


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "question": turn.question,
        "asked": dt.datetime.fromtimestamp(turn.asked, dt.UTC).isoformat(timespec="seconds"),
        "stopped": turn.stopped,
        "failure": None if turn.failure is None else turn.failure.message,
        "absence": turn.absence or None,
        "filter": " and ".join(turn.filter) or None,
        "shown": turn.said,
        "confidence": shown_band(turn) or None,
        "answer": None if turn.answer is None else answer_json(turn.answer, turn.config),
    }
