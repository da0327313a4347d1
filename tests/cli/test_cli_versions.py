"""Versions on the command line: listed with what gives their order, and preferred by answers with a note."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Rag, error_of

from rag.knowledge_base import open as open_kb

POLICY = """# Leave policy

This policy says how employees of the harbor take their leave and whom they ask before they go.
Every employee has {days} days of leave in a year, which the harbor master writes into the book of the pier.
Requests are handed in four weeks before the first day, in writing, at the desk by the north gate.
Employees who fall ill during their leave show a note of a doctor within three days of their return.
"""
QUESTION = "How many days of leave does every employee have in a year?"


@pytest.fixture
def policies(work: Path, rag: Rag) -> Path:
    for year, days in ((2022, 18), (2023, 20), (2024, 25)):
        path = work / "docs" / f"policy-{year}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(POLICY.format(days=days), encoding="utf-8")
    ran = rag("ingest", "docs")
    assert "versions of one document: 3 documents; `rag documents list --versions` lists them" in ran.err
    return work


def test_versions_are_listed_newest_first(policies: Path, rag: Rag) -> None:
    assert rag("documents", "list", "--versions").out.splitlines() == [
        "docs/policy-2024.md  (newest: 2024 in the name)",
        "  older  docs/policy-2023.md  (2023 in the name)",
        "  older  docs/policy-2022.md  (2022 in the name)",
    ]
    [family] = rag("documents", "list", "--versions", "--json").json
    assert family["versions"][0] == {"source": "docs/policy-2024.md", "why": "2024 in the name"}
    assert error_of(rag("documents", "list", "--versions", "--notes"))[0] == "--notes and --versions cannot be combined"
    (policies / "docs" / "policy-2022.md").unlink()
    rag("documents", "rm", "docs/policy-2023.md", "docs/policy-2022.md")
    assert rag("documents", "list", "--versions").err == "No document has several versions.\n"


OLDER = "docs/policy-2024.md is the newest version. There is an older one that says “20 days”: docs/policy-2023.md."


def test_answers_prefer_the_newest_and_say_so(policies: Path, rag: Rag) -> None:
    ran = rag("ask", QUESTION, "--json").json
    assert {p["source"] for p in ran["passages"]} == {"docs/policy-2024.md"}
    assert OLDER in ran["notes"]
    assert "older_version" in {note["kind"] for note in ran["note_kinds"]}
    assert OLDER in rag("ask", QUESTION).err

    named = rag("ask", f"{QUESTION[:-1]} under the policy of 2023?", "--json").json
    assert "docs/policy-2023.md" in {p["source"] for p in named["passages"]}
    assert not [note for note in named["notes"] if "version" in note]
    before = rag("ask", "How many days of leave did employees have before?", "--json").json
    assert len({p["source"] for p in before["passages"]}) > 1

    only = rag("ask", QUESTION, "--filter", "source=docs/policy-2022.md", "--json").json
    note = "docs/policy-2022.md is an older version; the newest is docs/policy-2024.md (2024 in the name)."
    assert note in only["notes"]
    assert {p["source"] for p in rag("search", QUESTION, "--json").json["passages"]} > {"docs/policy-2024.md"}


def test_a_version_that_is_gone_or_changed_is_none(policies: Path, rag: Rag) -> None:
    rag("documents", "rm", "docs/policy-2024.md")
    ran = rag("ask", QUESTION, "--json").json
    assert {p["source"] for p in ran["passages"]} == {"docs/policy-2023.md"}
    assert "docs/policy-2023.md is the newest version." in " ".join(ran["notes"])
    (policies / ".rag" / "versions.json").write_text("{", encoding="utf-8")
    assert len({p["source"] for p in rag("ask", QUESTION, "--json").json["passages"]}) == 2
    with open_kb(policies / ".rag", config="test") as kb:
        assert [member.source for member in kb.versions()[0].members] == ["docs/policy-2023.md", "docs/policy-2022.md"]
