"""A generator that remembers: completions and token counts are kept in one SQLite file and not made twice.

For evaluations, where the same prompts come again: a run that was interrupted goes on, a run that is repeated costs
seconds, and settings that change nothing in a prompt share its answer. The key of a completion is everything it
depends on: the prompt (question and passages are in it), the sampling, and ``identity``, which names the model and
how it is run. The real generator is started only for what is not known yet.

It does not stream, and it remembers sampled answers (temperature above 0) like greedy ones: the seed is in the
identity.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from pathlib import Path

from rag.generation.base import Completion, Evidence, Generator, Prompt, Sampling, Signals, TextStream
from rag.types import Note, Usage

__all__ = ["RememberingGenerator"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, completion TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, tokens INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


class RememberingGenerator:
    """Wraps the generator that ``start`` makes. ``made`` counts the completions that were not remembered.

    ``starting_s`` are the seconds that starting it took: they belong to no question.
    """

    name = "remembering"

    def __init__(self, start: Callable[[], Generator], file: Path, identity: str) -> None:
        self._start = start
        self._identity = identity
        self._real: Generator | None = None
        self._lock = threading.RLock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, timeout=60, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self.made = 0
        self.starting_s = 0.0

    @property
    def real(self) -> Generator:
        """The generator itself, started now if it was not."""
        with self._lock:
            if self._real is None:
                before = time.monotonic()
                self._real = self._start()
                self.starting_s += time.monotonic() - before
            return self._real

    @property
    def context_length(self) -> int:
        """The real generator's, remembered."""
        return self._counts("context", [""], lambda _: [self.real.context_length])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count what was not counted before."""
        return self._counts("text", texts, lambda new: self.real.count_tokens([texts[n] for n in new]))

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count what was not counted before."""
        rendered = [_rendered(prompt) for prompt in prompts]
        return self._counts("prompt", rendered, lambda new: self.real.count_prompts([prompts[n] for n in new]))

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Complete what was not completed before, all in one batch, and keep it in one transaction."""
        keys = [self._key("completion", _rendered(prompt), repr(sampling)) for prompt in prompts]
        found = {key: _completion(text) for key, text in self._rows("completion", "completions", keys)}
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
        if new:
            made = self.real.generate(list(new.values()), sampling)
            rows = [(key, _text(completion)) for key, completion in zip(new, made, strict=True)]
            with self._lock, self._database:
                self._database.executemany("INSERT OR REPLACE INTO completions VALUES (?, ?)", rows)
            found.update(zip(new, made, strict=True))
            self.made += len(new)
        return [found[key] for key in keys]

    def stream(self, prompt: Prompt, sampling: Sampling) -> TextStream:
        """Stream from the real generator; nothing is remembered."""
        return self.real.stream(prompt, sampling)

    def close(self) -> None:
        """Close the file and the real generator."""
        with self._lock:
            self._database.close()
            if self._real is not None:
                self._real.close()

    def _counts(self, kind: str, texts: Sequence[str], count: Callable[[list[int]], list[int]]) -> list[int]:
        keys = [self._key(kind, text) for text in texts]
        known = {key: int(tokens) for key, tokens in self._rows("tokens", "counts", keys)}
        new = [n for n, key in enumerate(keys) if key not in known]
        if new:
            rows = list(zip((keys[n] for n in new), count(new), strict=True))
            with self._lock, self._database:
                self._database.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?)", rows)
            known.update(rows)
        return [known[key] for key in keys]

    def _rows(self, column: str, table: str, keys: Iterable[str]) -> list[tuple[str, str]]:
        wanted = json.dumps(list(keys))
        query = f"SELECT key, {column} FROM {table} WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 - fixed names
        with self._lock:
            return self._database.execute(query, (wanted,)).fetchall()

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\0".join((self._identity, *parts)).encode("utf-8", "backslashreplace")).hexdigest()


def _rendered(prompt: Prompt) -> str:
    parts: list[object] = [prompt.text, [[m.role, m.content] for m in prompt.messages]]
    if prompt.question:
        parts += [prompt.question, [astuple(passage) for passage in prompt.passages]]
    return json.dumps(parts)


def _text(completion: Completion) -> str:
    usage = completion.usage
    tokens = [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]
    parts: list[object] = [completion.text, completion.finish_reason, tokens, completion.seconds]
    if completion.confidence is not None:
        places = [astuple(evidence) for evidence in completion.evidence]
        signals = None if completion.signals is None else astuple(completion.signals)
        notes = [[note.text, note.kind, dict(note.values)] for note in completion.notes]
        parts += [notes, completion.confidence, signals, places]
    return json.dumps(parts)


def _completion(text: str) -> Completion:
    answer, reason, tokens, seconds, *marked = json.loads(text)
    whole = Completion(answer, reason, Usage(*tokens), seconds)
    if not marked:
        return whole
    notes, confidence, told, places = marked
    signals = None if told is None else Signals(*told)
    evidence = tuple(Evidence(*place) for place in places)
    # A note that was remembered before notes had kinds is a sentence alone.
    noted = tuple(Note(note) if isinstance(note, str) else Note(*note) for note in notes)
    return Completion(answer, reason, whole.usage, seconds, noted, confidence, signals, evidence)
