"""What an index costs as it grows: time to ingest, to add a little, to open and to search, and memory.

    python -m benchmarks.scale                        # 1,000, 10,000 and 100,000 chunks: about 5 minutes, machine idle
    python -m benchmarks.scale 20000 --types hnsw,ivf,sq     # how other types of FAISS index compare, at one size

Made-up documents of some ten chunks go through the parser pool, the chunker, the store, FAISS and tantivy, with
vectors of 384 dimensions that are made up too (a real encoder adds the same to each chunk: ingest_overhead.md has its
rate): a few hundred directions, and each chunk near one of them. Then ten documents are added to the index. A process
of its own opens it, before and after, and searches; its memory is what it holds then, less what it held before opening.

Queries are five words as frequent as in the texts; the time to embed them is not in the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.generated_text import Writer
from rag.config import Config, load_config
from rag.embedding.fake import FakeEmbedder
from rag.factory import make_chunker, make_parser_pool, make_retriever, open_index, open_or_create
from rag.ingestion.ingestor import Ingestor
from rag.ingestion.report import IngestReport

SIZES = (1_000, 10_000, 100_000)
CHARACTERS_A_DOCUMENT = 9_200  # some ten chunks
ADDED = 10
QUERIES = 200
DIRECTIONS = 400


class MadeUp(FakeEmbedder):
    """Vectors of MiniLM's size that depend on the text and mean nothing."""

    fingerprint = "made-up:384"
    dimension = 384

    def __init__(self) -> None:
        self._directions = np.random.default_rng(7).standard_normal((DIRECTIONS, self.dimension), dtype=np.float32)

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Return unit vectors (n, 384), each near one of a few hundred directions."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
            noise = np.random.default_rng(seed).standard_normal(self.dimension, dtype=np.float32)
            vectors[row] = self._directions[seed % DIRECTIONS] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def config_of(kind: str) -> Config:
    """Return the preset without models, with the chunks and the candidates of the default one."""
    return load_config("test", [f"index.dense.type={kind}", "retrieval.k=10"]).config


def ingest(folder: Path, config: Config) -> IngestReport:
    """Ingest ``folder/docs`` into ``folder/.rag``."""
    embedder = MadeUp()
    index = open_or_create(folder / ".rag", config, embedder)
    with index.writing("benchmarks.scale"), make_parser_pool(config) as pool:
        report = Ingestor(index, embedder, make_chunker(config, embedder), parse_all=pool.parse_all).run(
            [folder / "docs"]
        )
    index.store.close()
    return report


def resident() -> float:
    """Return this process's memory in MB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def written() -> float:
    """Return the MB that this process has written to files, the system's buffers included."""
    lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar")) / 1e6


def p95(search: Callable[[int], object]) -> float:
    """Return the 95th percentile of the milliseconds that one search takes."""
    times = []
    for number in range(QUERIES):
        started = time.perf_counter()
        search(number)
        times.append(1000 * (time.perf_counter() - started))
    return float(np.percentile(times, 95))


def probe(folder: Path, kind: str) -> dict[str, float]:
    """Open the index and search it. Meant for a process of its own."""
    import faiss  # noqa: F401 - what importing takes is no part of opening
    import tantivy  # noqa: F401

    config, embedder, writer = config_of(kind), MadeUp(), Writer()
    questions = [" ".join(writer.some_words(5)) for _ in range(QUERIES)]
    vectors = embedder.embed_queries(questions)
    before, started = resident(), time.perf_counter()
    index = open_index(folder / ".rag", config, embedder)
    retriever = make_retriever(index, config, embedder)
    snapshot = retriever.reader.snapshot()
    opened = time.perf_counter() - started
    depth = config.retrieval.candidates
    found = {
        "open": opened,
        "dense": p95(lambda n: snapshot.dense.search(vectors[n : n + 1], depth)),
        "lexical": p95(lambda n: snapshot.lexical.search([questions[n]], depth)),
        "hybrid": p95(lambda n: retriever.retrieve(questions[n])),
        "chunks": len(snapshot.dense),
    }
    return found | {"rss": resident() - before}


def probe_elsewhere(folder: Path, kind: str) -> dict[str, float]:
    """Run :func:`probe` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--probe", str(folder), "--types", kind],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def disk(folder: Path) -> float:
    """Return the MB of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(chunks: int, kind: str) -> str:
    """Make, add to, open and search one index; return its row of the table."""
    writer, config = Writer(), config_of(kind)
    with tempfile.TemporaryDirectory(prefix="rag-scale-") as name:
        folder = Path(name)
        for number in range(chunks // 10):
            writer.write(folder / "docs" / f"{number // 500:03}" / f"{number:05}.txt", CHARACTERS_A_DOCUMENT)
        report = ingest(folder, config)
        before = probe_elsewhere(folder, kind)
        for number in range(ADDED):
            writer.write(folder / "docs" / f"added-{number}.txt", CHARACTERS_A_DOCUMENT)
        start = written()
        added = ingest(folder, config)
        wrote = written() - start
        after = probe_elsewhere(folder, kind)
        parts = [disk(folder / ".rag" / part) for part in ("dense", "lexical")]
        database = (folder / ".rag" / "rag.db").stat().st_size / 1e6
    stages = ", ".join(f"{stage} {1000 * seconds / report.chunks:.2f}" for stage, seconds in report.stages.items())
    return (
        f"| {report.chunks:,} | {kind} | {1000 * report.seconds / report.chunks:.2f} ({stages}) "
        f"| {added.seconds:.2f} s, {wrote:.0f} MB | {before['open']:.2f} / {after['open']:.2f} "
        f"| {before['dense']:.1f} | {before['lexical']:.1f} | {before['hybrid']:.1f} "
        f"| {before['rss']:.0f} | {database:.0f} + {parts[0]:.0f} + {parts[1]:.0f} |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--types", default="flat")
    parser.add_argument("--probe", type=Path)
    asked = parser.parse_args()
    if asked.probe:
        print(json.dumps(probe(asked.probe, asked.types)))
        return
    print(
        "| chunks | FAISS | ingest, ms a chunk (its stages) | 10 documents more "
        "| open, s, before / after | dense p95, ms | lexical p95, ms | hybrid p95, ms "
        "| memory, MB | database + dense + lexical, MB |"
    )
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for chunks in asked.sizes:
        for kind in asked.types.split(","):
            print(measure(chunks, kind), flush=True)


if __name__ == "__main__":
    main()
