"""docs/formats.md says what the code does: its endings, limits, defaults and reasons, and its example runs."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from rag.ingestion.loaders import SUFFIXES
from rag.ingestion.loaders.code import CODE_SUFFIXES
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.sandbox import Limits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in CODE_SUFFIXES])
def test_every_ending_is_on_the_page(suffix: str) -> None:
    assert f"`{suffix}`" in PAGE


def test_every_limit_is_on_the_page_with_its_default() -> None:
    told: dict[str, float] = {}
    for names, values in re.findall(r"^\| (`[^|]+`) \| ([\d, ]+) \|", PAGE, re.MULTILINE):
        numbers = [float(number.replace(",", "")) for number in re.findall(r"\d+(?:,\d{3})*", values)]
        told.update(zip(re.findall(r"`([^`]+)`", names), numbers, strict=True))
    expected = {f.name: getattr(Limits(), f.name) for f in fields(Limits) if f.name != "bounds"}
    expected |= {f"bounds.{f.name}": getattr(Bounds(), f.name) for f in fields(Bounds)}
    assert told == expected


def test_every_reason_is_on_the_page() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for part in ("loaders", "sandbox")
        for path in (ROOT / "rag" / "ingestion" / part).glob("*.py")
    )
    reasons = set(re.findall(r'(?:DocumentError|_refusal)\(\s*"([a-z ]+)"', code))
    assert {"bomb", "timeout", "killed", "memory"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(example, {})
    assert printed.getvalue().startswith("notes.md Document(source='notes.md'")
