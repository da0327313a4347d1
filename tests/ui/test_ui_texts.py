"""The catalogue: both languages say the same, every text that the code names is there, and numbers are local."""

from __future__ import annotations

import ast
import re
import sqlite3
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from eval.errors import EvalError, SweepError
from indexes.errors import StoreError
from rag.errors import RagError
from rag.types import NoteKind
from ui.i18n import Texts
from ui.storage.chats import HistoryError
from ui.text.failures import failure_of

UI = Path(__file__).parents[2] / "ui"
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
TABLES: dict[str, dict[str, dict[str, Any]]] = {
    language: yaml.safe_load((UI / "i18n" / f"{language}.yaml").read_text(encoding="utf-8")) for language in PLURALS
}


def test_both_languages_have_the_same_parts() -> None:
    assert list(TABLES["en"]) == list(TABLES["ru"])


def fields(entry: str | dict[str, str]) -> set[str]:
    return set(re.findall(r"{(\w+)}", entry if isinstance(entry, str) else " ".join(entry.values())))


@pytest.mark.parametrize("part", TABLES["en"])
def test_both_languages_say_the_same(part: str) -> None:
    english, russian = TABLES["en"][part], TABLES["ru"][part]
    assert set(english) == set(russian)
    for key, entry in english.items():
        assert isinstance(entry, str | dict) and isinstance(russian[key], type(entry)), key
        assert fields(entry) == fields(russian[key]), key
        for language, found in (("en", entry), ("ru", russian[key])):
            assert isinstance(found, str) or set(found) == PLURALS[language], key


def test_what_the_code_names_is_there_and_what_is_there_is_named() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in UI.rglob("*.py"))
    for part, entries in TABLES["en"].items():
        known = set(entries)
        plain = set(re.findall(rf'"{part}\.(\w+)"', code)) | set(re.findall(rf"'{part}\.(\w+)'", code))
        plain -= {"json", "lock", "py", "sqlite"}  # names of files, such as "app.py"
        assert plain <= known, plain - known
        beginnings = tuple(re.findall(rf"""f["']{part}\.(\w*){{""", code))
        unused = {key for key in known - plain if not key.startswith(tuple(b for b in beginnings if b))}
        # Named by a variable alone: columns of tables, and the words of the plots.
        assert "" in beginnings or not unused, unused


def test_every_kind_of_failure_has_a_name_in_both_languages() -> None:
    errors = [
        EvalError("?", "?"),
        SweepError("?", "?"),
        OSError(2, "gone", "a.txt"),
        sqlite3.OperationalError("full"),
        ValueError(),
    ]
    kinds = {failure_of(error).kind for error in errors}
    below = [*RagError.__subclasses__(), *StoreError.__subclasses__()]
    kinds |= {kind.__name__ for kind in below if kind.__module__ in ("rag.errors", "indexes.errors")}
    kinds.remove("StorageError")  # its kind is that of the storage error behind it
    kinds.add(HistoryError.__name__)
    for language in ("en", "ru"):
        assert kinds == set(TABLES[language]["failures"])
    assert "failures.OSError" in Texts("ru") and "failures.<b>" not in Texts("ru")


def noted() -> dict[str, set[str]]:
    """Every kind of note that the code makes, with the names of its values."""
    found = {}
    for path in (UI.parent / "rag").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Note":
                kind, values = [*call.args[1:], None, None][:2]
                if isinstance(kind, ast.Constant):
                    keys = values.keys if isinstance(values, ast.Dict) else []
                    found[str(kind.value)] = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return found


@pytest.mark.slow
def test_every_kind_of_note_has_a_sentence_with_its_values_in_both_languages() -> None:
    made = noted()
    assert set(made) == set(get_args(NoteKind)) - {""}
    for language in ("en", "ru"):
        sentences = TABLES[language]["notes"]
        assert set(sentences) == set(made)
        for kind, names in made.items():
            assert fields(sentences[kind]) <= names and ("n" in names) == isinstance(sentences[kind], dict), kind


def test_plurals_follow_the_language() -> None:
    told = Texts("ru")
    words = [re.sub(r"\d+", "", told("chat.reading", n=n)) for n in (1, 3, 5, 21)]
    assert len(set(words[:3])) == 3 and words[0] == words[3]


@pytest.mark.parametrize(
    ("language", "percent", "number", "size"),
    [
        ("en", "90.5%", "1,234.5", "2.5 MB"),
        ("ru", "90,5\u00a0%", "1\u00a0234,5", "2,5 МБ"),
        ("xx", "90.5%", "1,234.5", "2.5 MB"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(language: str, percent: str, number: str, size: str) -> None:
    told = Texts(language)
    assert (told.percent(0.905, 1), told.number(1234.5), told.size(2_500_000)) == (percent, number, size)
