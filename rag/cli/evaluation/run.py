"""``rag eval run``: its options and output. :mod:`rag.cli.evaluation.job` does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.evaluation.events import Events, ProgressOption
from rag.cli.evaluation.job import Job, Mode, Request, execute, make_job
from rag.cli.options import AsJson, ConfigName, Settings
from rag.cli.output import out, out_json
from rag.errors import UsageError
from rag.text import counted

__all__ = ["OutFolder", "Seed", "metric_lines", "run"]

OutFolder = Annotated[Path, typer.Option("--out", envvar="RAG_RUNS", help="The folder of runs.", metavar="DIR")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the sample and the bootstrap.", min=0)]


def run(
    dataset: Annotated[
        str,
        typer.Argument(
            help="squad, squad_v2, a SQuAD-format .json, a .jsonl of {question, answers, source?}, or a BEIR folder."
        ),
    ],
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode", help="open: passages are retrieved; gold: the right paragraph is given; closed-book: no passage."
        ),
    ] = "open",
    limit: Annotated[
        int | None, typer.Option("--limit", help="Ask only a random sample of this many questions.", min=1)
    ] = None,
    seed: Seed = 0,
    out_folder: OutFolder = Path("runs"),
    name: Annotated[str | None, typer.Option("--name", help="The run's name; default: dataset and mode.")] = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", help="Search this index (default for .jsonl: .rag; SQuAD datasets get their own)."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="The judgments of a BEIR folder, qrels/SPLIT.tsv (default: test)."),
    ] = None,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="Measure retrieval only; no answers.")
    ] = False,
    window: Annotated[
        int | None,
        typer.Option(
            "--window", help="Questions answered together; 1 measures the latency of single questions.", min=1
        ),
    ] = None,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="Also measure questions/s and tokens/s by batch size and precision.")
    ] = False,
    precisions: Annotated[
        str, typer.Option("--precisions", help="For --throughput: comma-separated, such as float32,bfloat16.")
    ] = "",
    progress: ProgressOption = "bar",
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate on a dataset: SQuAD's metrics, retrieval, citations, and the stage that lost each point.

    After an interruption, the same command continues. What a language model wrote is cached, so a repeated run is fast.
    """
    asked = Request(
        dataset=dataset,
        mode=mode,
        limit=limit,
        seed=seed,
        out=str(out_folder),
        name=name,
        index=None if index is None else str(index),
        config=config,
        settings=settings or (),
        retrieval_only=retrieval_only,
        window=window,
        split=split,
    )
    job = make_job(asked)
    if job.request.retrieval_only and throughput:
        raise UsageError("--retrieval-only and --throughput cannot be combined", "use one of them")
    measured = _precisions(precisions, job) if throughput else None
    data, folder = execute(job, throughput=measured, events=Events(progress))
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

        yield "  EM points lost per stage:"
        for stage, count in losses.items():
            if count:
                yield f"    {STAGES[stage]:<32}{100 * count / dataset['asked']:>6.1f}   {counted(count, 'question')}"


def _precisions(text: str, job: Job) -> list[str]:
    known = ("auto", "float32", "float16", "bfloat16")
    names = [name.strip() for name in text.split(",") if name.strip()] or [job.resolved.config.generator.vllm.dtype]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no precision {name!r}", f"use one of {', '.join(known)}")
    return names
