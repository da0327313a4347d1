"""``rag eval sweep``: a grid or a list of settings, one run each, and a Pareto table of them.

Points that share a generator share one process and one engine; every other generator gets a process of its own, because
an engine that was closed leaves too much behind to start another beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.evaluation.job import execute, file_name, make_job
from rag.cli.evaluation.progress import ProgressForm, make_teller
from rag.cli.evaluation.run import OutFolder
from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json
from rag.config import load_config

if TYPE_CHECKING:
    from eval.records import RunData
    from eval.sweep import Point, Sweep
    from rag.cli.evaluation.job import Job

__all__ = ["sweep"]


def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep: dataset, mode, limit, and a grid or points of settings.")],
    out_folder: OutFolder = Path("runs"),
    index: Annotated[Path | None, typer.Option("--index", help="Search this index, for a .jsonl dataset.")] = None,
    progress: Annotated[
        ProgressForm, typer.Option("--progress", help="bar: on a terminal; json: lines on stderr, for a program.")
    ] = "bar",
    as_json: AsJson = False,
) -> None:
    """Try settings against each other on the same questions: F1 against p95 latency and tokens, Pareto-best marked."""
    from eval.records import load_run
    from eval.report import write_sweep_report
    from eval.sweep import pareto, read_sweep

    asked = read_sweep(file)
    jobs = [_job(asked, point, out_folder, index) for point in asked.points]  # every mistake is said before any work
    folders = _run_all(jobs, progress)
    rows = [_row(p, load_run(f), f) for p, f in zip(asked.points, folders, strict=True)]
    best = pareto(
        [{"f1": r["f1"]["mean"], "latency": r["p95_latency_s"], "tokens": r["tokens"]} for r in rows],
        more=["f1"],
        less=["latency", "tokens"],
    )
    rows = [row | {"pareto": good} for row, good in zip(rows, best, strict=True)]
    target = folders[0].with_name(f"{folders[0].name}-sweep-{file_name(asked.name)}")
    target.mkdir(exist_ok=True)
    write_sweep_report(target, rows)
    make_teller(progress).event("sweep", sweep=target)
    if as_json:
        out_json({"sweep": str(target), "points": rows})
        return
    width = max(len(row["name"]) for row in rows)
    out(f"{'':{width}}    EM    F1  95 % interval  p95 s  tokens")
    for row in sorted(rows, key=lambda r: -r["f1"]["mean"]):
        f1 = row["f1"]
        out(
            f"{row['name']:{width}}  {row['em']['mean']:4.1f}  {f1['mean']:4.1f}  {f1['low']:5.1f} to {f1['high']:4.1f}"
            f"  {row['p95_latency_s']:5.2f}  {row['tokens']:6.0f}{'  Pareto' if row['pareto'] else ''}"
        )
    out(f"\nreport: {target / 'sweep.html'}")


def _job(asked: Sweep, point: Point, out_folder: Path, index: Path | None) -> Job:
    assignments = [f"{key}={json.dumps(value, default=str)}" for key, value in (asked.common | point.settings).items()]
    resolved = load_config(asked.config, assignments)
    return make_job(
        asked.dataset,
        asked.mode,  # type: ignore[arg-type]  # read_sweep has checked it
        asked.limit,
        asked.seed,
        out_folder,
        f"{asked.name}-{point.name}",
        index,
        False,
        resolved,
    )


def _run_all(jobs: Sequence[Job], progress: ProgressForm) -> list[Path]:
    """Run the jobs, grouped by generator, and return their folders in order."""
    from rag.factory import generator_identity

    groups: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        groups.setdefault(generator_identity(job.resolved.config, job.window), []).append(number)
    folders: dict[int, Path] = {}
    for numbers in groups.values():
        alone = len(groups) == 1
        places = [(n + 1, len(jobs)) for n in numbers]
        run = _run_group if alone else _run_apart
        done = run([jobs[n] for n in numbers], places, progress)
        folders.update(zip(numbers, done, strict=True))
    return [folders[number] for number in range(len(jobs))]


def _run_group(jobs: Sequence[Job], places: Sequence[Sequence[int]], progress: ProgressForm) -> list[Path]:
    """Run jobs with one generator; ``places`` say of each which point it is, and of how many."""
    from rag.factory import make_cached_generator

    teller = make_teller(progress)
    generator = make_cached_generator(jobs[0].resolved.config, jobs[0].memory / "completions.sqlite", jobs[0].window)
    folders = []
    try:
        for job, (number, points) in zip(jobs, places, strict=True):
            note(f"{number} of {points}: {job.name}")
            teller.event("point", point=number, points=points, label=job.name)
            folders.append(execute(job, shared=generator, teller=teller)[1])
    finally:
        generator.close()
    return folders


def _run_apart(jobs: Sequence[Job], places: Sequence[Sequence[int]], progress: ProgressForm) -> list[Path]:
    """Run jobs in a process of their own; its progress goes to the same terminal."""
    told = [
        {
            "dataset": str(job.source),
            "mode": job.mode,
            "limit": job.limit,
            "seed": job.seed,
            "out": str(job.out),
            "name": job.name,
            "index": str(job.index) if job.index else None,
            "config": job.resolved.name,
            "set": [f"{key}={json.dumps(value)}" for key, value, origin in job.resolved.rows() if origin == "--set"],
        }
        for job in jobs
    ]
    child = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps([told, places, progress]),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if child.returncode:
        raise typer.Exit(child.returncode)  # it has said why
    return [Path(path) for path in json.loads(child.stdout.strip().splitlines()[-1])]


def _row(point: Point, run: RunData, folder: Path) -> dict[str, Any]:
    from eval.statistics import percentile

    usage = [sum(row["usage"].get(k, 0) for k in ("prompt_tokens", "completion_tokens")) for row in run.rows]
    return {
        "name": point.name,
        "settings": point.settings,
        "em": run.manifest["metrics"]["em"],
        "f1": run.manifest["metrics"]["f1"],
        "p95_latency_s": percentile([row["latency_s"] for row in run.rows], 95),
        "tokens": sum(usage) / len(usage),
        "run": folder.name,
    }


def _told(job: dict[str, Any]) -> Job:
    index = Path(job["index"]) if job["index"] else None
    resolved = load_config(job["config"], job["set"])
    return make_job(
        job["dataset"], job["mode"], job["limit"], job["seed"], Path(job["out"]), job["name"], index, False, resolved
    )


def _child() -> int:
    import os

    from rag.cli.main import guarded

    answer = os.dup(1)
    os.dup2(2, 1)

    def work() -> None:
        told, places, progress = json.load(sys.stdin)
        folders = [str(folder) for folder in _run_group([_told(job) for job in told], places, progress)]
        with os.fdopen(answer, "w") as handle:
            handle.write(json.dumps(folders) + "\n")

    return guarded(work)


if __name__ == "__main__":
    sys.exit(_child())
