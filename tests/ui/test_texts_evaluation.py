"""The texts of the evaluation and the system page: the same in both languages, and every one that the code names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

UI = Path(__file__).parents[2] / "ui"
PAGES = ("evaluation", "plots", "system")
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}


def catalogue(language: str, page: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((UI / "texts" / language / f"{page}.yaml").read_text(encoding="utf-8"))
    return loaded


def fields(entry: str | dict[str, str]) -> set[str]:
    return set(re.findall(r"{(\w+)}", entry if isinstance(entry, str) else " ".join(entry.values())))


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_say_the_same(page: str) -> None:
    english, russian = catalogue("en", page), catalogue("ru", page)
    assert list(english) == list(russian)
    for key, entry in english.items():
        assert isinstance(entry, str | dict) and isinstance(russian[key], type(entry)), key
        assert fields(entry) == fields(russian[key]), key
        for language, found in (("en", entry), ("ru", russian[key])):
            assert isinstance(found, str) or set(found) == PLURALS[language], key


def test_what_the_code_names_is_there_and_what_is_there_is_named() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in UI.rglob("*.py"))
    for page in PAGES:
        known = set(catalogue("en", page))
        plain = set(re.findall(rf'"{page}\.(\w+)"', code)) | set(re.findall(rf"'{page}\.(\w+)'", code))
        assert plain <= known
        beginnings = tuple(re.findall(rf"""f["']{page}\.(\w*){{""", code))
        unused = {key for key in known - plain if not key.startswith(tuple(b for b in beginnings if b))}
        # Named by a variable alone: columns of tables, and the words of the plots.
        assert "" in beginnings or not unused, unused
