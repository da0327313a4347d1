"""Titles in the properties of a file, without those that say nothing: a program's default, a path, a file's name."""

from __future__ import annotations

import re

from rag.ingestion.loaders.office_package import OfficePackage, named
from rag.ingestion.loaders.text import normalise
from rag.text import one_line

__all__ = ["title_of", "usable_title"]

_DEFAULTS = frozenset({
    "anonymous", "default", "document", "dokument", "microsoft word", "new document", "no title", "none", "null",
    "powerpoint presentation", "powerpoint-präsentation", "presentation", "présentation powerpoint",
    "presentación de powerpoint", "sans titre", "sin título", "slide", "title", "unbenannt", "undefined", "unknown",
    "unspecified", "untitled", "untitled document", "unnamed", "word document", "без имени", "без названия", "документ",
    "презентация powerpoint",
})  # fmt: skip
"""What programs write where nobody chose a title, in lower case and without a number at the end."""
_FROM_PROGRAM = re.compile(r"(microsoft (word|excel|powerpoint|office \w+)|openoffice|libreoffice|print) [-–] ", re.I)
_IN_PROGRAM = re.compile(r".+ [-–] (notepad|wordpad|editor)", re.I)
_PATH = re.compile(r"[a-z]:[\\/]|\\\\|/\w|file:", re.I)
_FILE = re.compile(
    r"[^/\\]+\.(docx?|dotx?|rtf|odt|pptx?|odp|xlsx?|ods|pdf|ps|eps|dvi|tex|html?|txt|md|indd|pmd|qxd|cdr|ai|psd|dwg"
    r"|tiff?|jpe?g|png|gif|bmp|tmp)",
    re.I,
)


def title_of(package: OfficePackage) -> str:
    """Return the usable title in the properties of a package of Office or OpenDocument, empty if there is none."""
    for part in [*package.related("", "core-properties"), "meta.xml"]:
        title = next(named(package.xml(part), "title"), None) if package.has(part) else None
        if title is not None:
            return usable_title("".join(title.itertext()))
    return ""


def usable_title(title: str) -> str:
    """Return a title of a file's properties on one line, an empty text if it does not say what the file is about."""
    line = one_line(normalise(title))
    bare = line.strip(" \"'()[]<>-_.").casefold()
    is_default = re.sub(r"\s*\d+$", "", bare) in _DEFAULTS or not any(map(str.isalpha, bare))
    if (
        is_default
        or _FROM_PROGRAM.match(line)
        or _IN_PROGRAM.fullmatch(line)
        or _PATH.match(line)
        or _FILE.fullmatch(line)
    ):
        return ""
    return line
