"""Feedback on answers, stored beside the index: every thumb, and questions with their right answers as test cases.

``ratings.jsonl`` has a line for each thumb, the last one of an answer counts. ``feedback.json`` is a SQuAD v2.0 file
that ``rag eval`` reads as it is: its contexts are passages, its answers stand in them letter by letter. Files are
replaced in one step under a lock that holds across threads and processes, so that no session loses another one's. It
knows no widgets.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from indexes.system import atomic_write
from rag.errors import InputError, RagError

__all__ = ["Case", "FeedbackStore", "Rating", "find_words"]

_LOCK_SECONDS = 20.0
_MOST_CHARACTERS = 4000
_SURROGATE = re.compile("[\ud800-\udfff]")
_in_process = threading.Lock()


@dataclass(frozen=True)
class Rating:
    """A thumb; ``reason`` is one of the keys that the page offers, ``comment`` the user's own words."""

    answer_id: str
    question: str
    answer: str
    thumb: Literal["up", "down"]
    reason: str = ""
    comment: str = ""
    sources: tuple[str, ...] = ()
    generator: str = ""
    generation: int = 0


@dataclass(frozen=True)
class Case:
    """A question with its right answer at ``context[start:end]`` of a document; equal where there is none."""

    question: str
    source: str
    context: str
    start: int = 0
    end: int = 0

    @property
    def answer(self) -> str:
        """The right words, empty where the documents do not say."""
        return self.context[self.start : self.end]

    @property
    def id(self) -> str:
        """The same for the same case, from any user."""
        parts = (self.question, self.source, self.context, str(self.start), str(self.end))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:24]


def find_words(text: str, words: str) -> tuple[int, int] | None:
    """Return where words stand in a text; only white space may differ, as it does in what was copied from a page."""
    wanted = words.split()
    if not wanted or len(words) > _MOST_CHARACTERS:
        return None
    found = re.search(r"\s+".join(map(re.escape, wanted)), text)
    return found.span() if found else None


class FeedbackStore:
    """The feedback in a folder, which is made with the first piece of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cases_file = folder / "feedback.json"
        self.ratings_file = folder / "ratings.jsonl"

    def rate(self, rating: Rating) -> None:
        """Keep a thumb. Raises :class:`~rag.errors.RagError` where it cannot be written; nothing is half written."""
        row = {"time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), **_sound(asdict(rating))}
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        with self._writing(), self.ratings_file.open("ab") as file:
            before = file.tell()
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise

    def add(self, case: Case) -> int:
        """Keep a case, once; return how many there are. Raises :class:`~rag.errors.RagError`."""
        if not case.question.strip() or not case.context.strip():
            raise InputError("a case needs a question and a passage", "choose a passage")
        if not 0 <= case.start <= case.end <= len(case.context):
            raise InputError("the words do not stand in the passage", "copy them from it")
        with self._writing():
            cases = self._read()
            if _put(cases, case):
                atomic_write(self.cases_file, json.dumps(cases, ensure_ascii=False, indent=1) + "\n", mode=0o600)
            return sum(len(p["qas"]) for article in cases["data"] for p in article["paragraphs"])

    def _read(self) -> dict[str, Any]:
        try:
            text = self.cases_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {"version": "v2.0", "data": []}
        try:
            cases = json.loads(text)
            for article in cases["data"]:
                assert isinstance(article["title"], str)  # noqa: S101 - caught below, as every other shape is
                for paragraph in article["paragraphs"]:
                    assert isinstance(paragraph["context"], str)  # noqa: S101
                    assert all(isinstance(qa["id"], str) for qa in paragraph["qas"])  # noqa: S101
        except (ValueError, KeyError, TypeError, AssertionError):
            message = f"{self.cases_file} is no longer a feedback file and is left unchanged"
            raise RagError(message, "rename it; a new one is created then") from None
        return dict(cases)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            with _in_process:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                with FileLock(self._folder / "feedback.lock", timeout=_LOCK_SECONDS):
                    yield
        except Timeout:
            raise RagError("another program keeps the feedback locked", "wait a moment and press Save again") from None
        except OSError as error:
            message = f"the feedback could not be saved in {self._folder}: {error.strerror}"
            raise RagError(
                message, "make room on the disk or check the folder's permissions, and press Save again"
            ) from None


def _put(cases: dict[str, Any], case: Case) -> bool:
    """Put a case into its document and passage; False where it is there already."""
    fields = _sound({"title": case.source, "context": case.context, "question": case.question, "answer": case.answer})
    article = _member(cases["data"], "title", fields["title"], {"paragraphs": []})
    paragraph = _member(article["paragraphs"], "context", fields["context"], {"qas": []})
    if any(qa["id"] == case.id for qa in paragraph["qas"]):
        return False
    answers = [{"text": fields["answer"], "answer_start": case.start}] if fields["answer"] else []
    paragraph["qas"].append(
        {"id": case.id, "question": fields["question"], "answers": answers, "is_impossible": not answers}
    )
    return True


def _member(members: list[dict[str, Any]], key: str, value: str, empty: dict[str, Any]) -> dict[str, Any]:
    for member in members:
        if member[key] == value:
            return member
    members.append({key: value, **empty})
    return members[-1]


def _sound(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace what UTF-8 cannot carry, character by character: offsets hold."""
    return {
        name: _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value for name, value in fields.items()
    }
