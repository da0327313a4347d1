"""``rag eval DATASET``: its options, and what it prints of a run. The run itself is :mod:`rag.cli.evaluation.job`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.evaluation.job import Job, Mode, execute, make_job
from rag.cli.evaluation.progress import ProgressForm, make_teller
from rag.cli.options import AsJson, ConfigName, Settings, resolve
from rag.cli.output import out, out_json
from rag.errors import UsageError
from rag.text import counted

__all__ = ["OutFolder", "Seed", "metric_lines", "run"]

OutFolder = Annotated[Path, typer.Option("--out", envvar="RAG_RUNS", help="Where runs are kept.", metavar="DIR")]
Seed = Annotated[int, typer.Option("--seed", help="Draws the sample and the bootstrap.", min=0)]


def run(
    dataset: Annotated[
        str,
        typer.Argument(help="squad, squad_v2, a SQuAD-format .json or a .jsonl of {question, answers, source?}."),
    ],
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode", help="open: passages must be found; gold: the paragraph is given; closed-book: neither."
        ),
    ] = "open",
    limit: Annotated[int | None, typer.Option("--limit", help="A seeded sample of so many questions.", min=1)] = None,
    seed: Seed = 0,
    out_folder: OutFolder = Path("runs"),
    name: Annotated[str | None, typer.Option("--name", help="The run's name; default: dataset and mode.")] = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", help="Search this index (default for .jsonl: .rag; SQuAD sets make one of their own)."),
    ] = None,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="Measure retrieval and answer nothing.")
    ] = False,
    window: Annotated[
        int | None,
        typer.Option("--window", help="Questions in flight at once; 1 measures the latency of single ones.", min=1),
    ] = None,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="Also measure questions/s and tokens/s by batch size and precision.")
    ] = False,
    precisions: Annotated[
        str, typer.Option("--precisions", help="For --throughput: comma-separated, such as float32,bfloat16.")
    ] = "",
    progress: Annotated[
        ProgressForm, typer.Option("--progress", help="bar: on a terminal; json: lines on stderr, for a program.")
    ] = "bar",
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the product on a dataset: SQuAD's measures, retrieval, citations, and where the points are lost.

    A run that was interrupted goes on when the same command is given again, and one that is repeated costs seconds.
    """
    job = make_job(
        dataset, mode, limit, seed, out_folder, name, index, retrieval_only, resolve(config, settings), window
    )
    if retrieval_only and throughput:
        raise UsageError("--retrieval-only answers nothing whose --throughput could be measured", "leave one out")
    measured = _precisions(precisions, job) if throughput else None
    data, folder = execute(job, throughput=measured, teller=make_teller(progress))
    if as_json:
        out_json({"run": str(folder), "metrics": data.manifest["metrics"], "official": data.manifest["official"],
            "losses": data.manifest["losses"], "throughput": data.manifest.get("throughput")})  # fmt: skip
        return
    for line in metric_lines(data.manifest):
        out(line)
    out(f"\nreport: {folder / 'report.html'}")


def metric_lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the metrics as lines of a table, each with its interval."""
    from eval.metrics import METRICS

    dataset = manifest["dataset"]
    asked = f"{dataset['asked']:,} of {counted(dataset['questions'], 'question')}"
    yield f"{dataset['name']} · {manifest['mode']} · {asked} · seed {manifest['seed']}"
    for name, interval in manifest["metrics"].items():
        digits = 1 if name in METRICS and METRICS[name].unit == "percent" else 3
        shown = (f"{interval[part]:.{digits}f}" for part in ("mean", "low", "high"))
        mean, low, high = shown
        yield f"  {name:<16}{mean:>8}   95 % interval {low} to {high}   n = {interval['n']:,}"
    losses = manifest.get("losses")
    if losses and any(losses.values()):
        from eval.losses import STAGES

        yield "  EM lost per stage, points:"
        for stage, count in losses.items():
            if count:
                yield f"    {STAGES[stage]:<32}{100 * count / dataset['asked']:>6.1f}   {counted(count, 'question')}"


def _precisions(text: str, job: Job) -> list[str]:
    known = ("auto", "float32", "float16", "bfloat16")
    names = [name.strip() for name in text.split(",") if name.strip()] or [job.resolved.config.generator.vllm.dtype]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no precision {name!r}", f"choose of {', '.join(known)}")
    return names
