"""How long ``rag ingest`` takes over a tree in which nothing has changed, as a process of its own, start-up included.

    python -m benchmarks.second_run [FILES]

makes FILES (10,000) small text files of two kinds in a temporary folder, ingests them with the preset ``test`` (the
fake embedder: what is measured embeds nothing), waits until their times count as settled, and runs the command again
five times. The first of them hashes what the first run could not vouch for. It prints each run's seconds, then the
same with ``--rehash`` and ``--dry-run``, then after one file in a hundred was moved.

Aimed at: less than 2 s on 2 idle CPU cores (benchmarks/second_run.md has what was measured).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def make_files(folder: Path, count: int) -> None:
    """Write small documents, a hundred to a folder."""
    for number in range(count):
        place = folder / f"part-{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        suffix = ("md", "txt")[number % 2]
        text = f"# Note {number}\n\nThe lantern on quay {number} burns {number % 7} litres of oil a week.\n"
        (place / f"note-{number:06}.{suffix}").write_text(text, encoding="utf-8")


def ingest(folder: Path, *options: str) -> tuple[float, str]:
    """Run the command; return its seconds and what it printed."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "rag", "ingest", "docs", "--config", "test", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.monotonic() - started, done.stdout.strip()


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="rag-second-run-") as name:
        folder = Path(name)
        make_files(folder / "docs", count)
        print(f"first run            {ingest(folder)[0]:6.2f} s")
        time.sleep(2.5)
        runs = []
        for number in range(5):
            seconds, told = ingest(folder)
            assert told.startswith(f"0 added, 0 changed, {count} unchanged, 0 failed · 0 chunks, 0 embedded"), told
            print(f"unchanged, run {number + 1}     {seconds:6.2f} s")
            runs.append(seconds)
        print(f"median of those      {statistics.median(runs):6.2f} s")
        print(f"--rehash             {ingest(folder, '--rehash')[0]:6.2f} s")
        print(f"--dry-run            {ingest(folder, '--dry-run')[0]:6.2f} s")
        for place in sorted((folder / "docs").iterdir()):
            file = min(place.iterdir())
            (folder / "docs" / f"moved-{place.name}").mkdir()
            file.rename(folder / "docs" / f"moved-{place.name}" / file.name)
        seconds, told = ingest(folder)
        assert " moved, " in told and "0 embedded" in told, told
        print(f"one in 100 moved     {seconds:6.2f} s · {told.split(' · ')[0]}")


if __name__ == "__main__":
    main()
