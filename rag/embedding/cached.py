"""An embedder that caches its vectors in one SQLite file, keyed by text and embedder.

For evaluations: a sweep over chunk sizes embeds a text that several of its indexes have only once, and the same ten
thousand questions are not embedded for every setting. An index does not need this: it stores its own vectors.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from indexes.system import closed_on_error
from rag.embedding.base import Embedder, EmbeddingWork, Float32

__all__ = ["CachedEmbedder"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID"


class CachedEmbedder:
    """Wraps an embedder. ``embedded`` counts the texts that were not in the cache."""

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._real = embedder
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = sqlite3.connect(file, timeout=60, check_same_thread=False)
        with closed_on_error(self._database):
            self._database.execute(_SCHEMA)
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.latin_only = embedder.latin_only
        self.embedded = 0

    @property
    def work(self) -> EmbeddingWork:
        """What the real embedder has done so far."""
        return self._real.work

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the real embedder."""
        return self._real.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Embed what is new."""
        return self._embed("passage", texts, self._real.embed_passages)

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Embed what is new."""
        return self._embed("query", texts, self._real.embed_queries)

    def close(self) -> None:
        """Close the file and the real embedder."""
        self._database.close()
        self._real.close()

    def _embed(self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Float32]) -> Float32:
        keys = [self._key(kind, text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        new: dict[bytes, int] = {}
        for n, key in enumerate(keys):
            with self._lock:
                row = self._database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
            if row is None:
                new.setdefault(key, n)
            else:
                vectors[n] = np.frombuffer(row[0], dtype="<f4")
        if new:
            computed = embed([texts[n] for n in new.values()])
            self.embedded += len(new)
            by_key = dict(zip(new, computed, strict=True))
            rows = [(key, np.asarray(vector, dtype="<f4").tobytes()) for key, vector in by_key.items()]
            with self._lock, self._database:
                self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            for n, key in enumerate(keys):
                if key in by_key:
                    vectors[n] = by_key[key]
        return vectors

    def _key(self, kind: str, text: str) -> bytes:
        parts = "\0".join((self.fingerprint, kind, text)).encode("utf-8", "backslashreplace")
        return hashlib.sha256(parts).digest()
