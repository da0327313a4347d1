"""``rag eval sweep``: one run for each point of a grid or list of settings, and a table of them.

Points with the same generator share one process. Each other generator gets its own process, because a closed engine
does not free everything that the next one needs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.evaluation.child import call, serve
from rag.cli.evaluation.events import Events, ProgressForm, ProgressOption
from rag.cli.evaluation.job import Request, execute, file_name, make_generator, make_job
from rag.cli.evaluation.run import OutFolder
from rag.cli.options import AsJson
from rag.cli.output import note, out, out_json

if TYPE_CHECKING:
    from eval.runs import RunData
    from eval.sweep import Point, Sweep
    from rag.cli.evaluation.job import Job

__all__ = ["sweep"]


def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep: dataset, mode, limit, and a grid or points of settings.")],
    out_folder: OutFolder = Path("runs"),
    index: Annotated[Path | None, typer.Option("--index", help="Search this index, for a .jsonl dataset.")] = None,
    progress: ProgressOption = "bar",
    as_json: AsJson = False,
) -> None:
    """Compare settings on the same questions: F1 against p95 latency and tokens, Pareto-optimal ones marked."""
    from eval.errors import EvalError
    from eval.report import write_sweep_report
    from eval.runs import load_run
    from eval.sweep import pareto, read_sweep

    request = read_sweep(file)
    jobs = [
        make_job(_request(request, point, out_folder, index)) for point in request.points
    ]  # reports mistakes before any work
    if jobs[0].request.retrieval_only:
        raise EvalError(
            f"a sweep compares answers, and {jobs[0].dataset.name} has relevance judgments only",
            "use `rag eval run` once for each setting",
        )
    folders = _run_all(jobs, progress)
    rows = [_row(p, load_run(f), f) for p, f in zip(request.points, folders, strict=True)]
    best = pareto(
        [{"f1": r["f1"]["mean"], "latency": r["p95_latency_s"], "tokens": r["tokens"]} for r in rows],
        more=["f1"],
        less=["latency", "tokens"],
    )
    rows = [row | {"pareto": good} for row, good in zip(rows, best, strict=True)]
    target = folders[0].with_name(f"{folders[0].name}-sweep-{file_name(request.name)}")
    target.mkdir(exist_ok=True)
    write_sweep_report(target, rows)
    Events(progress).emit("sweep", sweep=target)
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


def _request(sweep: Sweep, point: Point, out_folder: Path, index: Path | None) -> Request:
    settings = [f"{key}={json.dumps(value, default=str)}" for key, value in (sweep.common | point.settings).items()]
    return Request(
        dataset=sweep.dataset,
        mode=sweep.mode,  # type: ignore[arg-type]  # read_sweep has checked it
        limit=sweep.limit,
        seed=sweep.seed,
        out=str(out_folder),
        name=f"{sweep.name}-{point.name}",
        index=None if index is None else str(index),
        config=sweep.config,
        settings=settings,
    )


def _run_all(jobs: Sequence[Job], progress: ProgressForm) -> list[Path]:
    """Run the jobs, grouped by generator, and return their folders in order."""
    from rag.factory import generator_identity

    groups: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        groups.setdefault(generator_identity(job.resolved.config, job.window), []).append(number)
    folders: dict[int, Path] = {}
    for numbers in groups.values():
        places = [(n + 1, len(jobs)) for n in numbers]
        run_jobs = _run_group if len(groups) == 1 else _run_in_process
        done = run_jobs([jobs[n] for n in numbers], places, progress)
        folders.update(zip(numbers, done, strict=True))
    return [folders[number] for number in range(len(jobs))]


def _run_group(jobs: Sequence[Job], places: Sequence[Sequence[int]], progress: ProgressForm) -> list[Path]:
    """Run jobs with one generator. ``places`` has the number of each point and the number of points."""
    events = Events(progress)
    generator = make_generator(jobs[0])
    folders = []
    try:
        for job, (number, points) in zip(jobs, places, strict=True):
            note(f"{number} of {points}: {job.name}")
            events.emit("point", point=number, points=points, label=job.name)
            folders.append(execute(job, shared=generator, events=events)[1])
    finally:
        generator.close()
    return folders


def _run_in_process(jobs: Sequence[Job], places: Sequence[Sequence[int]], progress: ProgressForm) -> list[Path]:
    """Run jobs in a process of their own; see :func:`_run_group`."""
    folders, child = call(__name__, [[asdict(job.request) for job in jobs], places, progress])
    if folders is None:
        raise typer.Exit(child.returncode)  # it has reported the error
    return [Path(folder) for folder in folders]


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


def _run_requests(requests: Sequence[Any], places: Sequence[Sequence[int]], progress: ProgressForm) -> list[str]:
    jobs = [make_job(Request(**request)) for request in requests]
    return [str(folder) for folder in _run_group(jobs, places, progress)]


if __name__ == "__main__":
    from rag.cli.main import guarded

    sys.exit(guarded(lambda: serve(lambda job: _run_requests(*job))))
