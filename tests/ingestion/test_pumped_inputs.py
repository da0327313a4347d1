"""Inputs made of one thing over and over: what reads them takes a time that grows no faster than they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from rag_project import Project

from rag.embedding.fake import FakeEmbedder
from rag.errors import DocumentError
from rag.ingestion.chunker import Chunker, ChunkerSettings
from rag.ingestion.loaders import load_bytes, sniff
from rag.types import Document, Section

UNITS = {
    "comments": ("<?xml version='1.0'?>" + "<!-- x -->", ".xml"),
    "instructions": ("<?x ?>", ".xml"),
    "doctypes": ("<!DOCTYPE a [ ] >", ".xml"),
    "headers": ("From: a\n", ".eml"),
    "cues": ("1\n00:00:00,0 --> 1\n", ".srt"),
    "percent": ("%\n", ".tex"),
    "braces": ("{", ".json"),
    "newlines": ("\n", ".txt"),
    "spaces": (" ", ".md"),
    "stars": ("*a ", ".md"),
    "brackets": ("[a](", ".md"),
    "ticks": ("`a", ".md"),
    "quotes": ('"a,', ".csv"),
    "bars": ("| a ", ".md"),
    "tags": ("<b>", ".html"),
    "words": ("a", ".txt"),
}


def seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        with suppress(DocumentError):  # refused is as good as read
            work()
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("name", UNITS)
def test_detecting_and_reading_grow_no_faster_than_the_input(name: str) -> None:
    unit, suffix = UNITS[name]

    def pumped(size: int) -> bytes:
        return b"a\n" * (suffix == ".txt") + (unit * (size // len(unit))).encode() + b"a"

    for read in (sniff, load_bytes):
        small, large = (seconds(partial(read, pumped(size), f"it{suffix}")) for size in (2_000, 16_000))
        assert large < 0.05 + 24 * small, f"{large:.3f} s for 8 times the input of {small:.3f} s"


@pytest.mark.parametrize("filler", ["\n", " ", "\t", "\u3000", " \n", "\u200b", "\u00ad"])
def test_a_chunk_has_a_limit_in_characters(filler: str) -> None:
    text = f"The mast is tall.{filler * (300_000 // len(filler))}The lamp is lit."
    embedder = FakeEmbedder()
    chunker = Chunker(embedder, ChunkerSettings(size=200, overlap=32))
    chunks = chunker.chunk(Document("it.txt", "text/plain", "it", text, (Section(0, len(text)),)))
    assert max(len(chunk.text) for chunk in chunks) <= 20 * 200 + 20
    held = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert all(place in held for place, character in enumerate(text) if character not in filler + " ")


@pytest.mark.timeout(60)
def test_a_question_over_many_newlines_is_answered(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write({"it.txt": "The mast is 31 metres tall." + "\n" * 300_000 + "The lamp is lit at 18:00."}).ingest()
    started = time.process_time()
    found = project.retriever("retrieval.fusion=lexical").retrieve("How tall is the mast?")
    assert "31 metres" in found.passages[0].text
    assert time.process_time() - started < 5
    project.close()
