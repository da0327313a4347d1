"""What gives the order of two versions: dates and version numbers in a file's name, its title and its first lines.

A name is parted into what identifies the document and its marks: ``policies/2023/leave-policy_v2-final.docx`` is the
``leave policy`` of ``policies``, of 2023, version 2, final. Other numbers, as in ``invoice-0012.pdf``, belong to the
document's identity. It compares nothing and knows no texts but the beginning that it is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = [
    "HEAD", "LATEST", "NameMarks", "TextMarks", "is_series", "marks_of_name", "marks_of_text", "may_have_marks",
]  # fmt: skip

Date = tuple[int, int, int]
"""Year, month, day; 0 for what is not said."""

LATEST = 999
"""The version number of a final document that has none."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar января", "february feb februar февраля", "march mar märz maerz марта",
            "april apr апреля", "may mai мая", "june jun juni июня", "july jul juli июля",
            "august aug августа", "september sep sept сентября", "october oct oktober okt октября",
            "november nov ноября", "december dec dezember dez декабря",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?<!\d)(?:19|20)\d\d"
_ISO = rf"({_YEAR})[-_. ]?(0[1-9]|1[0-2])[-_. ]?(0[1-9]|[12]\d|3[01])(?!\d)"
_NUMERIC = rf"(?<!\d)(0?[1-9]|[12]\d|3[01])[-_./](0?[1-9]|1[0-2])[-_./]({_YEAR})(?!\d)"
_WORDS = rf"(?<!\d)(\d\d?)(?:st|nd|rd|th)?\.? (?:of )?({_MONTH})\.?,? ({_YEAR})(?!\d)"
_AMERICAN = rf"\b({_MONTH})\.? (\d\d?)(?:st|nd|rd|th)?, ({_YEAR})(?!\d)"
_MONTH_YEAR = rf"\b({_MONTH})\.? ({_YEAR})(?!\d)"
_YEAR_MONTH = rf"({_YEAR})[-_. ](0[1-9]|1[0-2])(?!\d)"
_RANGE = rf"({_YEAR})[-_/](?:\d\d|{_YEAR})(?!\d)"
_DATES = [
    (re.compile(pattern, re.IGNORECASE), order)
    for pattern, order in (
        (_ISO, "ymd"), (_NUMERIC, "dmy"), (_WORDS, "dmy"), (_AMERICAN, "mdy"), (_MONTH_YEAR, "my"),
        (_YEAR_MONTH, "ym"), (_RANGE, "y"), (rf"({_YEAR})(?![^\W_])", "y"),
    )
]  # fmt: skip
_VERSION = re.compile(
    r"(?<![^\W\d_])(?:version|revision|fassung|edition|issue|версия|редакция|ver|rev|v)[-_. ]?"
    r"(\d{1,3}(?:\.\d{1,3})*)(?!\d)",
    re.IGNORECASE,
)
_STATUS = {
    0: "draft entwurf черновик проект", 2: "final endfassung signed approved утверждено окончательная",
    -1: "old alt obsolete superseded outdated archive archived архив старая", 3: "new neu latest current новая",
}  # fmt: skip
_STATUS_OF = {word: status for status, words in _STATUS.items() for word in words.split()}
_FINAL = re.compile(r"(?<![^\W\d_])final[-_. ]?(\d{1,2})(?!\d)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_SERIES_WORDS = """
invoice invoices receipt receipts minutes statement statements payslip payslips order orders report reports newsletter
newsletters timesheet agenda rechnung rechnungen protokoll bericht lieferschein счет счёт протокол отчет отчёт акт
журнал log logs diary journal
"""
_SERIES = frozenset(_SERIES_WORDS.split())
_SAYS_WHEN = re.compile(
    r"\b(?:effective|valid|in force|as of|dated?|revised|updated|revision|reviewed|changed|modified|issued|adopted|"
    r"approved|applies|stand|gültig|vom|ab|fassung|действует|действительно|утвержд\w+|редакци\w+|от|с)\b[^\n]{0,30}?$",
    re.IGNORECASE,
)
_SAYS_VERSION = re.compile(
    r"\b(?:version|revision|rev\.|issue|edition|fassung|версия|редакция)\s*(?:no\.?|nr\.?|№)?\s*:?\s*(\d{1,3}(?:\.\d{1,3})*)",
    re.IGNORECASE,
)
_ANY_MARK = re.compile(r"(?:19|20)\d\d|version|revision|rev\.|issue|edition|fassung|версия|редакция", re.IGNORECASE)
HEAD = 1_500
"""The characters of a text in which its version is looked for."""
_LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class NameMarks:
    """What a name says: ``family`` is what is left of it and of its folders without the marks."""

    family: str
    date: Date | None = None
    version: tuple[int, ...] | None = None
    status: int = 1
    shown: str = ""


@dataclass(frozen=True, slots=True)
class TextMarks:
    """What a title and the first lines say, and the words that say it."""

    date: Date | None = None
    date_shown: str = ""
    version: tuple[int, ...] | None = None


def marks_of_name(source: str) -> NameMarks:
    """Return the marks of a name. Those of the file count before those of its folders."""
    path = PurePosixPath(source)
    stem, date, shown = _without_date(path.stem)
    stem, version, status, more = _without_version(stem)
    folders = []
    for folder in reversed(path.parts[:-1]):
        rest, folder_date, folder_shown = _without_date(folder)
        words = [word for word in _WORD.findall(rest.casefold()) if _STATUS_OF.get(word) != -1]
        if len(words) < len(_WORD.findall(rest)) and status == 1:
            status = -1
        if date is None and folder_date is not None:
            date, shown = folder_date, folder_shown
        folders.append(" ".join(words) if words or folder_date else folder.casefold())
    family = "/".join([*reversed(folders), " ".join(_WORD.findall(stem.casefold()))])
    return NameMarks(family, date, version, status, ", ".join(filter(None, [shown, more])))


def marks_of_text(title: str, text: str) -> TextMarks:
    """Return the marks of a title and of the beginning of a text: dates behind words such as "effective"."""
    title = title[:_LONGEST_TITLE]
    head = f"{title}\n{text[:HEAD]}"
    version = _SAYS_VERSION.search(head)
    best: tuple[Date, str] | None = None
    for date, start, end in _dates(head):
        if date[0] and _SAYS_WHEN.search(head[max(0, start - 60) : start]) and (best is None or date > best[0]):
            best = (date, head[start:end])
    if best is None:
        years = list(_dates(title))
        best = (years[0][0], title[years[0][1] : years[0][2]]) if years else None
    number = _numbers(version.group(1)) if version else None
    return TextMarks(best[0] if best else None, " ".join(best[1].split()) if best else "", number)


def may_have_marks(head: str) -> bool:
    """Return whether a title and the beginning of a text may have marks; quick, for many documents."""
    return _ANY_MARK.search(head) is not None


def is_series(family: str) -> bool:
    """Return whether documents of this name are many of a kind, such as invoices, and no versions of one."""
    return not _SERIES.isdisjoint(_WORD.findall(family.rpartition("/")[2]))


def _without_date(name: str) -> tuple[str, Date | None, str]:
    for date, start, end in _dates(name.replace("_", " ")):
        return f"{name[:start]} {name[end:]}", date, name[start:end].strip("-_. ")
    return name, None, ""


def _without_version(stem: str) -> tuple[str, tuple[int, ...] | None, int, str]:
    version: tuple[int, ...] | None = None
    status, shown = 1, list[str]()
    if final := _FINAL.search(stem):
        version, status = (LATEST, int(final.group(1))), 2
        shown.append(final.group())
        stem = f"{stem[: final.start()]} {stem[final.end() :]}"
    if match := _VERSION.search(stem):
        version = _numbers(match.group(1))
        shown.append(match.group())
        stem = f"{stem[: match.start()]} {stem[match.end() :]}"
    for word in _WORD.findall(stem):
        if word.casefold() in _STATUS_OF:
            status = _STATUS_OF[word.casefold()]
            shown.append(word)
            stem = re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", " ", stem)
    return stem, version, status, ", ".join(shown)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dates(text: str) -> list[tuple[Date, int, int]]:
    """Return the dates of a text by place; of forms that overlap the fullest."""
    found: list[tuple[Date, int, int]] = []
    for pattern, order in _DATES:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for _, start, end in found):
                continue
            parts = dict(zip(order, match.groups(), strict=False))
            month = parts.get("m", "0")
            number = _MONTHS.get(month.casefold()) or (int(month) if month.isdigit() else 0)
            found.append(((int(parts["y"]), number, int(parts.get("d", "0"))), match.start(), match.end()))
    return sorted(found, key=lambda one: one[1])
