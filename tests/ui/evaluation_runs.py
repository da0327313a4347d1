"""Real runs for the tests of the evaluation page: made once by ``rag eval`` with the fakes, hostile texts included."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from squad_samples import NAMES, beacons

from rag.cli.main import main

HOSTILE = '<img src=x onerror=alert(1)> ![x](http://evil.example/x) [y](javascript:1) $x^2$ :red[z] "&amp;"'


@cache
def made() -> Path:
    """A folder with ``beacons.json`` and ``runs``: two runs, and a sweep of two points."""
    folder = Path(mkdtemp(prefix="rag-ui-runs-"))
    data = beacons(NAMES[:6], impossible=True, extra=f"{HOSTILE} ")
    (folder / "beacons.json").write_text(json.dumps(data), encoding="utf-8")
    common = [str(folder / "beacons.json"), "--config", "test", "--out", str(folder / "runs")]
    assert main(["eval", *common, "--name", "loose"]) == 0
    assert main(["eval", *common, "--name", "strict", "--set", "retrieval.min_relevance=0.6"]) == 0
    sweep = {"dataset": str(folder / "beacons.json"), "config": "test", "limit": 6, "grid": {"retrieval.k": [1, 3]}}
    (folder / "sweep.yaml").write_text(json.dumps(sweep), encoding="utf-8")
    assert main(["eval", "sweep", str(folder / "sweep.yaml"), "--out", str(folder / "runs")]) == 0
    return folder


def copied(target: Path) -> Path:
    """A copy of the runs that a test may break; returns its folder of runs."""
    shutil.copytree(made() / "runs", target / "runs", ignore=shutil.ignore_patterns("corpora", "memory"))
    return target / "runs"


def named(runs: Path, name: str) -> Path:
    """The folder of a run by the end of its name."""
    [found] = [path for path in runs.iterdir() if path.name.endswith(f"-{name}")]
    return found
