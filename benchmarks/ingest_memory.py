"""How much memory ``rag ingest`` takes for a gigabyte of text beyond what it takes for a few small files.

    python -m benchmarks.ingest_memory                              # 1 GB, preset test: 20 to 40 minutes
    python -m benchmarks.ingest_memory --megabytes 4 --config cpu   # the real encoder: some 5 minutes

writes text files of 50 kB to 50 MB (a fifth of the bytes in files of 50 MB, a fifth of 5 MB, a fifth of 500 kB, the
rest of 50 kB) into a temporary folder and runs the command over it as a user would: parser pool, chunker, store, FAISS
and tantivy. Before, it runs the command over twenty files of 20 kB, enough for whole batches of the encoder. The
highest resident memory of both is compared: the kernel's own mark of the command, and what it and its workers were seen
to hold every fifth of a second.

The preset ``test`` has a fake encoder: a real one would take many hours for a gigabyte on two cores. Its vectors have
64 dimensions instead of 384: a flat FAISS index is held in memory while it is published, 4 bytes a dimension and chunk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generated_text import Writer

SIZES = ((50_000_000, 0.2), (5_000_000, 0.2), (500_000, 0.2), (50_000, 0.4))
SAMPLED_EVERY_S = 0.2
SHOWN_EVERY_S = 60


@dataclass
class Peak:
    """The highest resident memory seen, in MB: of the command, of that without files' pages, and of its workers."""

    command: float = 0.0
    anonymous: float = 0.0
    workers: float = 0.0


def make_files(folder: Path, total: int) -> int:
    """Write about ``total`` bytes; return how many exactly. Sizes that do not fit in are left out."""
    writer, written = Writer(), 0
    for size, share in SIZES:
        for number in range(round(total * share / size)):
            name = f"{size // 1000:05}k/{number // 200:03}/text-{number:05}.{('txt', 'md')[number % 2]}"
            written += writer.write(folder / name, size)
    return written


def resident(pid: int) -> tuple[float, float]:
    """Return a process's resident memory in MB, the highest so far and now without pages of files; 0 once it ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0, 0.0
    told = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmHWM", "RssAnon"))}
    return int(told.get("VmHWM", 0)) / 1000, int(told.get("RssAnon", 0)) / 1000


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text(encoding="utf-8").split())
        except OSError:
            continue
    return found


def watch(folder: Path, documents: str, config: str) -> tuple[Peak, dict[str, object], float]:
    """Run the command; return the highest memory, its report and its seconds."""
    command = [sys.executable, "-P", "-m", "rag", "ingest", documents, "--config", config, "--json"]
    command += ["--index", f".rag-{documents}"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    started = shown = time.monotonic()
    peak = Peak()
    with (folder / "out").open("w+", encoding="utf-8") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out)
        while process.poll() is None:
            highest, anonymous = resident(process.pid)
            workers = sum(resident(child)[0] for child in children(process.pid))
            peak.command, peak.anonymous = max(peak.command, highest), max(peak.anonymous, anonymous)
            peak.workers = max(peak.workers, workers)
            if time.monotonic() - shown >= SHOWN_EVERY_S:
                shown = time.monotonic()
                print(f"  {shown - started:5.0f} s: {anonymous:.0f} MB, highest so far {peak.command:.0f}", flush=True)
            time.sleep(SAMPLED_EVERY_S)
        out.seek(0)
        report = json.loads(out.read())
    if process.returncode:
        raise SystemExit(f"rag ingest ended with {process.returncode}")
    return peak, report, time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--config", default="test")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rag-memory-") as name:
        folder = Path(name)
        writer = Writer()
        for number in range(20):
            writer.write(folder / "few" / f"text-{number}.md", 20_000)
        size = make_files(folder / "many", asked.megabytes * 1_000_000)
        print(f"{size / 1e6:.0f} MB in {sum(p.is_file() for p in folder.rglob('*')) - 20} files, preset {asked.config}")
        few, _, _ = watch(folder, "few", asked.config)
        many, report, seconds = watch(folder, "many", asked.config)
        stages = report["stages"]
        disk = {p.name: sum(f.stat().st_size for f in p.rglob("*") if f.is_file()) / 1e6
                for p in (folder / ".rag-many" / part for part in ("dense", "lexical"))}  # fmt: skip
        database = (folder / ".rag-many" / "rag.db").stat().st_size / 1e6
    print(f"{report['chunks']} chunks in {seconds:.0f} s, stages {stages}")
    print(f"on the disk: database {database:.0f} MB, dense {disk['dense']:.0f} MB, lexical {disk['lexical']:.0f} MB\n")
    print("| highest resident memory, MB | 20 files of 20 kB | all files | difference |")
    print("|---|--:|--:|--:|")
    for what, a, b in (
        ("the command", few.command, many.command),
        ("of that, not pages of files", few.anonymous, many.anonymous),
        ("its workers together", few.workers, many.workers),
    ):
        print(f"| {what} | {a:.0f} | {b:.0f} | {b - a:.0f} |")


if __name__ == "__main__":
    main()
