"""Listing a folder of runs: complete and broken ones, and the stamp that changes with them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from report_samples import manifest, point, row

from eval.report import write_sweep_report
from eval.runs import list_runs, list_sweeps, runs_stamp


def write_run(root: Path, name: str, **changes: Any) -> Path:
    rows = [row(0), row(1, right=False)]
    text = "".join(json.dumps(r) + "\n" for r in rows)
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps(manifest(rows, rows_sha256=digest, **changes)), encoding="utf-8")
    return folder


def test_runs_are_listed_newest_first_without_other_folders(tmp_path: Path) -> None:
    for name in ("20260101-a", "20260202-b", "memory", "corpora"):
        write_run(tmp_path, name)
    (tmp_path / "a file").write_text("", encoding="utf-8")
    entries = list_runs(tmp_path)
    assert [(entry.name, entry.state) for entry in entries] == [("20260202-b", "complete"), ("20260101-a", "complete")]
    assert entries[0].manifest["dataset"]["name"] == "dev"
    assert list_runs(tmp_path / "nothing") == list_sweeps(tmp_path / "a file") == []


def _cut(folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-40])


def _without(name: str) -> Any:
    def change(folder: Path) -> None:
        tree = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        del tree[name]
        (folder / "run.json").write_text(json.dumps(tree), encoding="utf-8")

    return change


BROKEN = {
    "half-written rows": (_cut, "cut off"),
    "no rows": (lambda f: (f / "rows.jsonl").unlink(), "rows.jsonl is missing"),
    "no manifest": (lambda f: (f / "run.json").unlink(), "no run.json"),
    "no JSON": (lambda f: (f / "run.json").write_text("{", encoding="utf-8"), "cannot be read"),
    "deep JSON": (lambda f: (f / "run.json").write_text("[" * 200_000, encoding="utf-8"), "cannot be read"),
    "not UTF-8": (lambda f: (f / "run.json").write_bytes(b"\xff\xfe"), "cannot be read"),
    "a list": (lambda f: (f / "run.json").write_text("[]", encoding="utf-8"), "of format None"),
    "a folder for a file": (lambda f: ((f / "rows.jsonl").unlink(), (f / "rows.jsonl").mkdir()), "cannot be read"),
    "no dataset": (_without("dataset"), "lacks the dataset"),
    "no metrics": (_without("metrics"), "lacks the metrics"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_run_is_listed_with_its_problem(tmp_path: Path, spoil: Any, message: str) -> None:
    write_run(tmp_path, "1-good")
    spoil(write_run(tmp_path, "2-broken"))
    broken, good = list_runs(tmp_path)
    assert (good.state, good.problem) == ("complete", "")
    assert broken.state == "broken"
    assert message in broken.problem
    assert broken.remedy


def test_another_version_and_an_unfinished_run(tmp_path: Path) -> None:
    write_run(tmp_path, "1", format=9)
    write_run(tmp_path, "2", status="incomplete")
    unfinished, other = list_runs(tmp_path)
    assert (other.state, "of format 9" in other.problem) == ("broken", True)
    assert (unfinished.state, "resume" in unfinished.remedy) == ("incomplete", True)


def test_the_stamp_changes_with_every_change(tmp_path: Path) -> None:
    stamps = [runs_stamp(tmp_path)]
    folder = write_run(tmp_path, "1")
    stamps.append(runs_stamp(tmp_path))
    _cut(folder)
    stamps.append(runs_stamp(tmp_path))
    assert len(set(stamps)) == 3
    assert list_runs(tmp_path)[0].state == "broken"


def test_a_sweep_is_read_back_unchanged(tmp_path: Path) -> None:
    points = [point(0), point(1)]
    write_sweep_report(tmp_path / "s", points)
    [entry] = list_sweeps(tmp_path)
    assert (list(entry.points), entry.problem) == (points, "")
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"points": []}', '{"points": [1]}', '{"points": [{"settings": 3}]}'])
def test_a_broken_sweep_has_a_problem(tmp_path: Path, text: str) -> None:
    write_sweep_report(tmp_path / "s", [point(0)])
    (tmp_path / "s" / "sweep.json").write_text(text, encoding="utf-8")
    assert list_sweeps(tmp_path)[0].problem


def test_a_sweep_of_an_earlier_version_has_a_remedy(tmp_path: Path) -> None:
    write_sweep_report(tmp_path / "s", [point(0)])
    (tmp_path / "s" / "sweep.json").unlink()
    assert "sweep again" in list_sweeps(tmp_path)[0].problem
