"""Replies that need no passage, in English, Russian or German: the list of documents, and what can be asked.

They say only what the index knows: names, titles, pages and counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from indexes import DocumentRow
from rag.ingestion.loaders.formats import filter_of
from rag.text import one_line

__all__ = ["Language", "documents_reply", "language_of", "small_talk_reply"]

Language = Literal["en", "ru", "de"]
MOST_LISTED = 30
_LONGEST_TITLE = 120  # characters
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)
_UMLAUT = re.compile(r"[äöüß]", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_GERMAN = frozenset(
    """
    abend alle auf bist bitte danke dank das dateien dein dem den der dich die dir dokumente du ein eine es fass fasse
    gibt guten hallo hast helfen hilfe ich ist kann kannst kennst kurz mir morgen tag tschüss um vielen von was welche
    wer wie wir worum zeig zusammen zusammenfassung
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class _Words:
    """The wordings of one language. Nouns have a form for one, for a few (Russian), and for many."""

    documents: tuple[str, str, str]
    pages: tuple[str, str, str]
    listed: str
    more: str
    greeting: str
    example: str


_WORDS: dict[Language, _Words] = {
    "en": _Words(
        ("document", "documents", "documents"),
        ("page", "pages", "pages"),
        "You can ask about {count}: {types}.",
        "and {count} more",
        "Happy to help. Ask a question about your {count}, in your own words.",
        "For example, ask for a fact, a date, a list, or the steps of a procedure; say “Summarise {title}”; or ask "
        "“What documents do you have?”.",
    ),
    "ru": _Words(
        ("документ", "документа", "документов"),
        ("страница", "страницы", "страниц"),
        "Можно спрашивать по документам ({count}): {types}.",
        "и ещё {count}",
        "Рад помочь. Задайте вопрос по документам своими словами; сейчас здесь {count}.",
        "Например, спросите о факте, дате, списке или порядке действий; напишите «Кратко изложи {title}» или спросите "
        "«Какие у тебя есть документы?».",
    ),
    "de": _Words(
        ("Dokument", "Dokumente", "Dokumente"),
        ("Seite", "Seiten", "Seiten"),
        "Hier gibt es {count}: {types}.",
        "und {count} weitere",
        "Gerne. Stellen Sie eine Frage zu den Dokumenten, in eigenen Worten; im Moment: {count}.",
        "Fragen Sie zum Beispiel nach einer Tatsache, einem Datum, einer Liste oder einem Ablauf; schreiben Sie „Fasse "
        "{title} zusammen“; oder fragen Sie „Welche Dokumente hast du?“.",
    ),
}


def language_of(text: str) -> Language:
    """Return Russian for mostly Cyrillic letters, German for an umlaut or mostly German words, else English."""
    if len(_CYRILLIC.findall(text)) > len(_LATIN.findall(text)):
        return "ru"
    words = [word.casefold() for word in _WORD.findall(text)]
    german = sum(word in _GERMAN for word in words)
    return "de" if 2 * german > len(words) or (german and _UMLAUT.search(text)) else "en"


def documents_reply(documents: Sequence[DocumentRow], language: Language) -> str:
    """Return the documents as a Markdown list with their counts by type; at most 30, then how many more there are."""
    words = _WORDS[language]
    types: Counter[str] = Counter()
    for media_type, number in Counter(document.media_type for document in documents).items():
        types[filter_of(media_type)] += number
    by_type = ", ".join(f"{count} {name}" for name, count in sorted(types.items(), key=lambda x: (-x[1], x[0])))
    lines = [words.listed.format(count=_counted(len(documents), words.documents, language), types=by_type), ""]
    shown = documents[:MOST_LISTED]
    lines += [f"- {_entry(document, words, language)}" for document in shown]
    if len(documents) > len(shown):
        lines.append(f"- {words.more.format(count=len(documents) - len(shown))}")
    return "\n".join(lines)


def small_talk_reply(documents: Sequence[DocumentRow], language: Language) -> str:
    """Return a short friendly reply: how many documents there are and what can be asked, with one title."""
    words = _WORDS[language]
    titled = max(documents, key=lambda document: (bool(_title(document)), document.media_type != "text/x-code"))
    title = _title(titled) or one_line(PurePath(titled.source).name)
    count = _counted(len(documents), words.documents, language)
    return f"{words.greeting.format(count=count)} {words.example.format(title=title)}"


def _entry(document: DocumentRow, words: _Words, language: Language) -> str:
    title = _title(document)
    source = one_line(document.source)  # a file's name may hold line breaks
    details = [source] if title else []
    if document.pages:
        details.append(_counted(document.pages, words.pages, language))
    return (title or source) + (f" ({', '.join(details)})" if details else "")


def _title(document: DocumentRow) -> str:
    """Return a document's title, empty if it only repeats the file's name."""
    title = one_line(document.title, _LONGEST_TITLE)
    path = PurePath(document.source)
    return "" if title in (path.name, path.stem, document.source) else title


def _counted(count: int, forms: tuple[str, str, str], language: Language) -> str:
    one, few, many = forms
    if language != "ru":
        return f"{count:,} {one if count == 1 else many}"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} {one}"
    return f"{count} {few if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else many}"
