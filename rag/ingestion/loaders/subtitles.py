"""Subtitles (SubRip and WebVTT): the spoken words, in sections of about half a minute, headed by their times."""

from __future__ import annotations

import io
import re
from typing import Any

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.text import decode
from rag.text import one_line
from rag.types import Document

__all__ = ["load_srt", "load_vtt"]

_SECTION_CHARACTERS = 500
_MARKUP = re.compile(r"<[^>\n]{0,100}>|\{\\[^}\n]{0,100}\}")


def load_srt(data: bytes, source: str) -> Document:
    """Read SubRip subtitles."""
    return _load(data, source, "srt", "application/x-subrip")


def load_vtt(data: bytes, source: str) -> Document:
    """Read WebVTT subtitles; each line begins with the speaker's name if it is known."""
    return _load(data, source, "vtt", "text/vtt")


def _load(data: bytes, source: str, form: str, media_type: str) -> Document:
    import webvtt

    cues = webvtt.from_buffer(io.StringIO(decode(data)), format=form).captions
    if not cues:
        raise ValueError("no cue has a valid time")
    builder = DocumentBuilder()
    group: list[Any] = []
    size = 0
    for cue in cues:
        if group and size + len(cue.text) > _SECTION_CHARACTERS:
            _add(builder, group)
            group, size = [], 0
        group.append(cue)
        size += len(cue.text)
    _add(builder, group)
    return builder.document(source, media_type)


def _add(builder: DocumentBuilder, cues: list[Any]) -> None:
    lines = [f"{cue.voice}: {_words(cue)}" if cue.voice else _words(cue) for cue in cues]
    builder.add("\n".join(filter(None, lines)), None, (f"{_clock(cues[0].start)}-{_clock(cues[-1].end)}",))


def _words(cue: Any) -> str:
    return one_line(_MARKUP.sub("", cue.text))


def _clock(time: str) -> str:
    return time.partition(".")[0]
