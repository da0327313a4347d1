"""Small documents with vectors that are exact in float16, so that scores can be compared for equality."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from indexes import Index, NewChunk, NewDocument, Section
from indexes.search.protocols import DenseIndex, Hits
from indexes.store.rows import Float32, Int64
from indexes.store.store import Store

EMBEDDER = "signs"
DIMENSION = 32
SETTINGS = {"embedder": EMBEDDER, "chunk_size": 200}
MEMORY = Path("/dev/shm")
NONE: Int64 = np.empty(0, dtype=np.int64)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder in memory where there is such a thing: these tests wait for a disk hundreds of times."""
    with tempfile.TemporaryDirectory(prefix="rag-tests-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def key_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def vector_of(text: str) -> Float32:
    """Return 32 signs of the text's hash: its product with itself is 32, with any other text's less."""
    bits = np.unpackbits(np.frombuffer(key_of(text)[: DIMENSION // 8], dtype=np.uint8))
    return bits.astype(np.float32) * 2 - 1


def document(source: str, *texts: str, title: str = "") -> NewDocument:
    """Return a document whose chunks are ``texts``, one a line."""
    whole = "\n".join(texts)
    chunks, start = [], 0
    for text in texts:
        chunks.append(NewChunk(start, start + len(text), text, key_of(text)))
        start += len(text) + 1
    return NewDocument(
        source, key_of(whole), "text/plain", title, len(whole), 7, None, whole,
        (Section(0, len(whole)),), tuple(chunks),
    )  # fmt: skip


def put(store: Store, *documents: NewDocument, embedder: str = EMBEDDER) -> int:
    """Store the documents' vectors and then the documents; return the generation."""
    texts = {c.vector_key: c.text for d in documents for c in d.chunks}
    store.put_vectors(embedder, {key: vector_of(text) for key, text in texts.items()})
    return store.commit(documents)


def new_store(folder: Path) -> Store:
    return Store.create(folder, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION)


def new_index(folder: Path) -> Index:
    return Index.create(folder, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION)


def nearest(dense: DenseIndex, text: str, k: int = 1) -> Hits:
    return dense.search(vector_of(text)[None, :], k)[0]


def flip_bit(path: Path, seed: int = 0, at: int | None = None) -> None:
    """Invert one bit of a file."""
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data)) if at is None else at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
