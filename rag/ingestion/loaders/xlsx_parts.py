"""What the cells of a workbook refer to: shared strings and styles, and the comments and drawings of a sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.ingestion.loaders.chart_data import chart_tables
from rag.ingestion.loaders.diagram_text import diagram_items
from rag.ingestion.loaders.grid import Table
from rag.ingestion.loaders.office_package import (
    OfficePackage,
    attribute,
    children,
    first_child,
    is_true,
    local_name,
    named,
    says_yes,
)
from rag.ingestion.loaders.office_pictures import OfficePictures
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.text import one_line

__all__ = [
    "Style",
    "comments_of",
    "drawing_pictures",
    "drawing_tables",
    "drawing_texts",
    "rich_text",
    "shared_strings",
    "styles_of",
]

_GENERAL = "General"


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell is shown: the code of its number format, in bold, struck through."""

    number_format: str = _GENERAL
    strong: bool = False
    struck: bool = False


def rich_text(element: Any) -> str:
    """Return the text of a string with runs, without phonetic hints and without what is struck through."""
    text = ""
    for part in element:
        name = local_name(part)
        if name == "t":
            text += part.text or ""
        elif name == "r":
            properties = first_child(part, "rPr")
            if says_yes(first_child(properties, "strike")):
                continue
            run = "".join(t.text or "" for t in children(part, "t"))
            place = first_child(properties, "vertAlign")
            kind = place.get("val") if place is not None else ""
            text += (
                with_raised(text, run)
                if kind == "superscript"
                else with_lowered(text, run)
                if kind == "subscript"
                else run
            )
    return text


def shared_strings(package: OfficePackage, workbook: str) -> list[str]:
    """Return the strings that cells refer to by number."""
    from lxml import etree

    strings: list[str] = []
    for part in package.related(workbook, "sharedStrings"):
        with package.open(part) as stream:
            for _, element in etree.iterparse(stream, tag="{*}si", resolve_entities=False, no_network=True):
                strings.append(one_line(rich_text(element)))
                element.clear(keep_tail=False)
                while element.getprevious() is not None:
                    del element.getparent()[0]
    return strings


def styles_of(package: OfficePackage, workbook: str) -> list[Style]:
    """Return the styles that cells refer to by number."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    parts = package.related(workbook, "styles")
    if not parts:
        return []
    root = package.xml(parts[0])
    codes = {n: str(code) for n, code in BUILTIN_FORMATS.items()}
    codes |= {int(f.get("numFmtId", "0")): f.get("formatCode", _GENERAL) for f in named(root, "numFmt")}
    codes[14] = "yyyy-mm-dd"  # shown as each reader's own system shows dates
    codes[22] = "yyyy-mm-dd hh:mm"
    fonts = [
        (says_yes(first_child(font, "b")), says_yes(first_child(font, "strike")))
        for font in children(first_child(root, "fonts"), "font")
    ]
    styles = []
    formats = first_child(root, "cellXfs")
    for one in children(formats, "xf") if formats is not None else ():
        font = int(one.get("fontId", "0"))
        strong, struck = fonts[font] if font < len(fonts) else (False, False)
        styles.append(Style(codes.get(int(one.get("numFmtId", "0")), _GENERAL), strong, struck))
    return styles


def comments_of(package: OfficePackage, sheet: str) -> dict[str, str]:
    """Return the comments and notes of a sheet by cell; a conversation is one text."""
    comments: dict[str, str] = {}
    for part in package.related(sheet, "comments"):
        for comment in named(package.xml(part), "comment"):
            body = first_child(comment, "text")
            if body is not None:
                comments[comment.get("ref", "")] = one_line(rich_text(body))
    threads: dict[str, list[str]] = {}
    for part in package.related(sheet, "threadedComment"):
        for comment in named(package.xml(part), "threadedComment"):
            body = first_child(comment, "text")
            if body is not None and body.text:
                threads.setdefault(comment.get("ref", ""), []).append(one_line(body.text))
    return comments | {ref: " / ".join(texts) for ref, texts in threads.items()}


def drawing_texts(package: OfficePackage, sheet: str) -> Iterator[str]:
    """Yield the texts of the boxes, shapes and diagrams that lie on a sheet."""
    for part in package.related(sheet, "drawing"):
        for shape in named(package.xml(part), "sp"):
            properties = next(named(shape, "cNvPr"), None)
            if properties is not None and is_true(properties.get("hidden")):
                continue
            lines = ("".join(t.text or "" for t in named(paragraph, "t")) for paragraph in named(shape, "p"))
            if text := "\n".join(line for line in lines if line.strip()):
                yield text
        relations = package.relations(part)
        for reference in named(package.xml(part), "relIds"):
            relation = relations.get(attribute(reference, "dm"))
            if relation and package.has(relation.part):
                items = diagram_items(package.xml(relation.part))
                yield "\n".join(f"{'  ' * depth}- {text}" for depth, text in items)


def drawing_pictures(package: OfficePackage, sheet: str, pictures: OfficePictures) -> Iterator[str]:
    """Yield the texts on the pictures that lie on a sheet."""
    for part in package.related(sheet, "drawing"):
        relations = package.relations(part)
        for picture in named(package.xml(part), "pic"):
            yield pictures.read_blips(picture, package, relations)


def drawing_tables(package: OfficePackage, sheet: str) -> Iterator[Table]:
    """Yield the data of the charts that lie on a sheet, in the order in which the sheet's drawings name them."""
    for part in package.related(sheet, "drawing"):
        relations = package.relations(part)
        for chart in named(package.xml(part), "chart"):
            relation = relations.get(attribute(chart, "id"))
            if relation and relation.kind == "chart" and package.has(relation.part):
                yield from chart_tables(package.xml(relation.part))
