"""docs/formats.md matches the code: its table, limits, defaults and reasons; its example runs."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path

from rag.ingestion.loaders import FORMATS, Format
from rag.ingestion.loaders.formats import CODE
from rag.ingestion.loaders.limits import Bounds, OcrSettings
from rag.ingestion.sandbox import Limits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def documented(row: Format) -> tuple[str, str, str]:
    """Return what the table says of a format: its name, extensions, and filter."""
    names = [f"`{extension}`" for extension in row.extensions]
    endings = "`.py` `.js` `.go` and " + f"{len(names) - 3} more" if row.media_type == CODE else " ".join(names)
    return row.name, endings, f"`{row.filter}`"


def test_the_table_has_a_line_for_every_format() -> None:
    table = PAGE.split("| format | extensions |")[1].split("\n\n")[0]
    lines = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]
    assert [line[:3] for line in lines] == [documented(row) for row in FORMATS.values()]
    assert all(len(line) == 5 and all(line) for line in lines)


def test_every_limit_is_on_the_page_with_its_default() -> None:
    documented: dict[str, float] = {}
    for names, values in re.findall(r"^\| (`[^|]+`) \| ([\d, ]+) \|", PAGE, re.MULTILINE):
        numbers = [float(number.replace(",", "")) for number in re.findall(r"\d+(?:,\d{3})*", values)]
        documented.update(zip(re.findall(r"`([^`]+)`", names), numbers, strict=True))
    expected = {f.name: getattr(Limits(), f.name) for f in fields(Limits) if f.name not in ("bounds", "ocr")}
    expected |= {f"bounds.{f.name}": getattr(Bounds(), f.name) for f in fields(Bounds) if f.name != "embedded_files"}
    settings = {f"ocr.{f.name}": getattr(OcrSettings(), f.name) for f in fields(OcrSettings)}
    expected |= {name: value for name, value in settings.items() if isinstance(value, int)}
    assert documented == expected


def test_every_reason_is_on_the_page() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rag" / "ingestion").rglob("*.py"))
    reasons = set(re.findall(r'DocumentError\(\s*"([a-z ]+)"', code))
    assert {"bomb", "timeout", "killed", "memory", "missing"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(example, {})
    assert printed.getvalue().startswith("notes.md Document(source='notes.md'")
