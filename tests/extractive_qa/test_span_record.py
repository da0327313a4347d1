"""A reader's record: what cannot be is refused in a sentence, and what was written is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ModelError
from rag.extractive_qa.record import Calibration, Combination, ReaderRecord, is_latin
from rag.extractive_qa.windows import WindowSettings


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = ReaderRecord(
        WindowSettings(size=128, stride=0),
        Combination(margin=0.2),
        Calibration(bias=-1.5, threshold=0.4),
        latin_only=True,
    )
    (tmp_path / "reader.json").write_text(json.dumps(record.tree()), encoding="utf-8")
    assert ReaderRecord.load(tmp_path) == record
    assert ReaderRecord.load(tmp_path / "nowhere") == ReaderRecord()


@pytest.mark.parametrize(
    "tree",
    [
        [],
        "x",
        {"combination": {"margin": "0.1"}},
        {"combination": {"merge": None}},
        {"combination": {"margin": float("nan")}},
        {"calibration": {"threshold": 7}},
        {"calibration": {"threshold": "high"}},
        {"calibration": {"other": 1.0}},
        {"window": {"size": "320"}},
        {"window": {"answer": 0}},
        {"window": {"stride": -1}},
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, tree: Any) -> None:
    (tmp_path / "reader.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(ModelError, match=r"reader\.json is not a reader's record"):
        ReaderRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "latin"), [("Who?", True), ("Кто?", False), ("2 + 2 = ?", True), ("", True), ("Was heißt дом?", True)]
)
def test_which_script(text: str, latin: bool) -> None:
    assert is_latin(text) is latin
