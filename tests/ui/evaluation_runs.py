"""Real runs for the tests of the evaluation page: made once by ``rag eval`` with the fakes, hostile texts included."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rag.cli.main import main

HOSTILE = '<img src=x onerror=alert(1)> ![x](http://evil.example/x) [y](javascript:1) $x^2$ :red[z] "&amp;"'
NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir")


def squad() -> dict[str, Any]:
    """Six beacons, two questions each, one of them hostile, and as many that no text answers."""
    articles = []
    for number, name in enumerate(NAMES):
        text = f"The beacon of {name} is {20 + number} metres tall. {HOSTILE} "
        text += f"The lamp of {name} was lit in {1850 + number}."
        qas = [
            _qa(
                f"{name}-tall",
                f"How many metres tall is the beacon of {name}? {HOSTILE}",
                f"{20 + number} metres",
                text,
            ),
            _qa(f"{name}-lit", f"When was the lamp of {name} lit?", str(1850 + number), text),
            {"id": f"{name}-who", "question": f"Who painted {name}?", "is_impossible": True, "answers": []},
        ]
        articles.append({"title": name, "paragraphs": [{"context": text, "qas": qas}]})
    return {"version": "v2.0", "data": articles}


def _qa(key: str, question: str, answer: str, text: str) -> dict[str, Any]:
    return {"id": key, "question": question, "answers": [{"text": answer, "answer_start": text.index(answer)}]}


@cache
def made() -> Path:
    """A folder with ``beacons.json`` and ``runs``: two runs, and a sweep of two points."""
    folder = Path(mkdtemp(prefix="rag-ui-runs-"))
    (folder / "beacons.json").write_text(json.dumps(squad()), encoding="utf-8")
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
