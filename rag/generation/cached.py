"""A completer with a cache on disk, for evaluations: no prompt is completed twice.

An interrupted run continues, a repeated run costs seconds, and settings that change nothing in a prompt share its
completion. The key is everything that a result depends on: the prompt, the sampling, and an identity that names the
model and how it runs (see :mod:`rag.generation.registry`). The real completer starts only when it is needed.

Sampled answers (temperature above 0) are cached like greedy ones: the seed is part of the identity. Streams are not
cached. Extractions are not cached: a cache saved no time where passages are retrieved.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from indexes.system import closed_on_error
from rag.generation.base import Completer, Completion, Prompt, Sampling, TextStream
from rag.types import Usage

__all__ = ["CachedCompleter"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, completion TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, tokens INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


class CachedCompleter:
    """A completer that starts on first use, and the SQLite file of its completions and token counts.

    ``made`` counts the completions that were not cached. ``starting_s`` is the start-up time of the real completer in
    seconds, which belongs to no question.
    """

    name = "cached"

    def __init__(self, start: Callable[[], Completer], file: Path, identity: str) -> None:
        self._start = start
        self._identity = identity
        self._real: Completer | None = None
        self._lock = threading.RLock()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = sqlite3.connect(file, timeout=60, check_same_thread=False)
        with closed_on_error(self._database):
            self._database.executescript(_SCHEMA)
        self.made = 0
        self.starting_s = 0.0

    @property
    def real(self) -> Completer:
        """The completer itself, started now if it is not running."""
        with self._lock:
            if self._real is None:
                before = time.monotonic()
                self._real = self._start()
                self.starting_s += time.monotonic() - before
            return self._real

    @property
    def alive(self) -> bool:
        """Whether the real completer, if it was started, can still answer."""
        return self._real is None or self._real.alive

    def close(self) -> None:
        """Close the file and the real completer."""
        with self._lock:
            self._database.close()
            if self._real is not None:
                self._real.close()

    @property
    def context_length(self) -> int:
        """The real completer's, cached."""
        return self._counts("context", [""], lambda _: [self.real.context_length])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count what was not counted before."""
        return self._counts("text", texts, lambda new: self.real.count_tokens([texts[n] for n in new]))

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count what was not counted before."""
        rendered = [_rendered(prompt) for prompt in prompts]
        return self._counts("prompt", rendered, lambda new: self.real.count_prompts([prompts[n] for n in new]))

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Complete what was not completed before, in one batch, and store it in one transaction."""
        keys = [self._key("completion", _rendered(prompt), repr(sampling)) for prompt in prompts]
        known = dict(self._rows("completion", "completions", keys))
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
        if new:
            completions = self.real.generate(list(new.values()), sampling)
            rows = [(key, _completion_json(made)) for key, made in zip(new, completions, strict=True)]
            with self._lock, self._database:
                self._database.executemany("INSERT OR REPLACE INTO completions VALUES (?, ?)", rows)
            known.update(rows)
            self.made += len(new)
        return [_completion(known[key]) for key in keys]

    def stream(self, prompt: Prompt, sampling: Sampling) -> TextStream:
        """Stream from the real completer, without the cache."""
        return self.real.stream(prompt, sampling)

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
    return json.dumps([prompt.text, [[m.role, m.content] for m in prompt.messages]])


def _completion_json(completion: Completion) -> str:
    usage = completion.usage
    tokens = [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]
    return json.dumps([completion.text, completion.finish_reason, tokens, completion.seconds])


def _completion(text: str) -> Completion:
    answer, reason, tokens, seconds = json.loads(text)
    return Completion(answer, reason, Usage(*tokens), seconds)
