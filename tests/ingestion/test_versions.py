"""Versions of one document: what names and texts say, which documents are versions, and their order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rag_project import Project

from rag.ingestion.version_marks import LATEST, is_series, marks_of_name, marks_of_text
from rag.ingestion.versions import VERSIONS_FILE, StoredFamilies, find_families, load_families, store_families

LEAVE = """# Leave policy

This policy says how employees of the harbor take their leave and whom they ask before they go.
Every employee has {days} days of leave in a year, which the harbor master writes into the book of the pier.
Requests are handed in {weeks} weeks before the first day, in writing, at the desk by the north gate.
Days that are left at the end of the year are carried over until the end of {month} and then they are lost.
Employees who fall ill during their leave show a note of a doctor within three days of their return.
"""


def leave(days: int, weeks: int = 4, month: str = "March", more: str = "") -> str:
    return LEAVE.format(days=days, weeks=weeks, month=month) + more


@pytest.mark.parametrize(
    ("name", "family", "date", "version", "status"),
    [
        ("policies/leave-policy-2023.docx", "policies/leave policy", (2023, 0, 0), None, 1),
        ("leave_policy_2024-05-01.pdf", "leave policy", (2024, 5, 1), None, 1),
        ("Leave Policy (1 May 2024).docx", "leave policy", (2024, 5, 1), None, 1),
        ("leave policy 20240501.docx", "leave policy", (2024, 5, 1), None, 1),
        ("leave.01.05.2024.md", "leave", (2024, 5, 1), None, 1),
        ("handbook-2023-24.md", "handbook", (2023, 0, 0), None, 1),
        ("2024/leave.md", "/leave", (2024, 0, 0), None, 1),
        ("archive/leave.md", "archive/leave", None, None, -1),
        ("leave_v2.docx", "leave", None, (2,), 1),
        ("leave-v1.10-draft.docx", "leave", None, (1, 10), 0),
        ("LeaveV3.docx", "leavev3", None, None, 1),
        ("leave final.docx", "leave", None, None, 2),
        ("leave_final2.docx", "leave", None, (LATEST, 2), 2),
        ("положение редакция 3.docx", "положение", None, (3,), 1),
        ("invoice-0012.pdf", "invoice 0012", None, None, 1),
        ("room 2050b.md", "room 2050b", None, None, 1),
    ],
)
def test_what_a_name_says(name: str, family: str, date: object, version: object, status: int) -> None:
    marks = marks_of_name(name)
    assert (marks.family, marks.date, marks.version, marks.status) == (family, date, version, status)


@pytest.mark.parametrize(
    ("title", "text", "date", "version"),
    [
        ("Leave", "Effective from 1 May 2024. It replaces the rules of 2 June 2020.", (2024, 5, 1), None),
        ("Leave", "Version 3.1, valid from May 2023", (2023, 5, 0), (3, 1)),
        ("Urlaub", "Stand: 01.04.2022", (2022, 4, 1), None),
        ("Отпуск", "Редакция от 5 марта 2021", (2021, 3, 5), None),
        ("Leave 2022", "In 1998 the pier burned.", (2022, 0, 0), None),
        ("Leave", "In 1998 the pier burned.", None, None),
    ],
)
def test_what_a_text_says(title: str, text: str, date: object, version: object) -> None:
    marks = marks_of_text(title, text)
    assert (marks.date, marks.version) == (date, version)


def test_series_are_known_by_their_names() -> None:
    assert is_series("docs/invoice 12") and is_series("minutes") and not is_series("invoices/leave policy")


def families(project: Project) -> list[list[tuple[str, str]]]:
    return [[(m.source, m.why) for m in family.members] for family in find_families(project.index.store)]


def test_the_order_is_told_by_names_then_texts_then_files(project: Project) -> None:
    project.write(
        {
            "a/policy-2023.md": leave(20), "a/policy-2024.md": leave(25), "a/policy-2019.md": leave(18),
            "b/policy v2.md": leave(21, 5), "b/policy v10.md": leave(22, 6), "b/policy draft.md": leave(23, 7),
            "c/leave.md": leave(28, 3, "May", "Effective 1 June 2021.") , "c/holidays.md":
                leave(30, 2, "June", "Effective 2 June 2022."),
            "d/rules.md": leave(14, 9), "d/rules-2020.md": leave(13, 8),
        }
    )  # fmt: skip
    for name in ("d/rules.md", "d/rules-2020.md"):
        os.utime(project.folder / name, (1.6e9, 1.6e9))
    for folder in "abcd":
        own = Project(project.folder / folder)
        own.ingest()
        found = families(own)
        own.close()
        assert len(found) == 1, (folder, found)
        [members] = found
        expected = {
            "a": [("policy-2024.md", "2024 in the name"), ("policy-2023.md", "2023 in the name"),
                  ("policy-2019.md", "2019 in the name")],
            "b": [("policy v10.md", "v10 in the name"), ("policy v2.md", "v2 in the name"),
                  ("policy draft.md", "draft in the name")],
            "c": [("holidays.md", "2 June 2022 in the text"), ("leave.md", "1 June 2021 in the text")],
            "d": [("rules.md", "no date in the name"), ("rules-2020.md", "2020 in the name")],
        }[folder]  # fmt: skip
        assert members == expected


def test_what_is_no_version(project: Project) -> None:
    other = "# Buoys\n\nThe buoys of the bay are painted by the crew of the tender in the first week of every month.\n"
    project.write(
        {
            "leave-2023.md": leave(20), "leave-2024.md": other * 4,  # the same name, another text
            "invoice-2023-01.md": leave(1), "invoice-2023-02.md": leave(2),  # a series
            "contract ada.md": leave(3), "contract bob.md": leave(4),  # one form for two people
            "sheet-0001.md": leave(5), "sheet-0002.md": leave(6),
            "notice.md": leave(7), "notice.txt": leave(7),  # one document in two formats
        }
    ).ingest()  # fmt: skip
    assert families(project) == []


def test_families_are_stored_and_a_damaged_file_is_none(project: Project, tmp_path: Path) -> None:
    project.write({"policy-2023.md": leave(20), "policy-2024.md": leave(25)}).ingest()
    found = find_families(project.index.store)
    assert [member.names for member in found[0].members] == [("2024",), ("2023",)]
    folder = project.index.folder
    stored = StoredFamilies()
    assert stored.read(folder) == {}
    store_families(folder, found)
    assert load_families(folder) == found
    assert stored.read(folder)["policy-2023.md"] == found[0]
    for text in ("", "[]", "{}", '{"format": 1, "families": [[{}]]}', '{"format": 1, "families": 3}', "[" * 100_000):
        (folder / VERSIONS_FILE).write_text(text, encoding="utf-8")
        assert load_families(folder) == []
    store_families(folder, [])
    assert not (folder / VERSIONS_FILE).exists()
