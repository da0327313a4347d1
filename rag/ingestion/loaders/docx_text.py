"""The text of a Word paragraph: what its runs, fields, check boxes, equations and symbols show.

Deleted, hidden and struck-through text and instructions of fields are left out and counted. Boxes, drawings and notes
that are anchored in the paragraph are collected, to be read after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rag.ingestion.loaders.docx_styles import Look, Styles, look_of, value_of
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.office_package import attribute, children, first_child, local_name, named, says_yes
from rag.ingestion.loaders.omml import linear_text
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.word_symbols import symbol

__all__ = ["DELETED", "ParagraphReader", "alternative", "is_checked"]

DELETED = ("del", "moveFrom")
"""The elements whose content is deleted, by those who review a document."""
_NOTHING = ("pPr", "rPr", "delText", "instrText", "sdtPr", "sdtEndPr", "proofErr", "rt", "lastRenderedPageBreak")
_DRAWINGS = ("drawing", "pict", "object")
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|PAGEREF)\b", re.IGNORECASE)
_BOXES = "☐☑☒"
_PLAIN = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}


@dataclass(slots=True)
class _Field:
    """A field that is open: its instruction so far, and whether its result has begun."""

    instruction: str = ""
    in_result: bool = False


@dataclass(slots=True)
class ParagraphReader:
    """Reads paragraphs. After each, ``drawings`` and ``notes`` hold what is anchored in it; the caller empties them.

    ``without_pages`` leaves out page numbers, which a header repeats.
    """

    styles: Styles
    left_out: LeftOut
    drawings: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # kind and id
    without_pages: bool = False
    strong: bool = False  # whether all of the last paragraph is in bold
    _fields: list[_Field] = field(default_factory=list)
    _note_numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    _bold: int = 0
    _plain: int = 0

    def read(self, paragraph: Any, style: str) -> str:
        """Return the text of a paragraph that has a style."""
        self._bold = self._plain = 0
        text = self._children(paragraph, "", self.styles.look(style))
        self.strong = self._bold > 0 and self._plain == 0
        return text

    def note_number(self, kind: str, name: str) -> int:
        """Return the number by which a footnote or an endnote is referred to."""
        return self._note_numbers.setdefault((kind, name), len(self._note_numbers) + 1)

    def _children(self, element: Any, before: str, look: Look) -> str:
        text = ""
        for child in element:
            text += self._piece(child, before + text, look)
        return text

    def _piece(self, element: Any, before: str, look: Look) -> str:
        name = local_name(element)
        if name == "r":
            return self._run(element, before, look)
        if name in DELETED or name in _NOTHING or not name:
            return ""
        if name in ("oMath", "oMathPara"):
            return linear_text(element)
        if name == "sdt":
            return self._control(element, before, look)
        if name == "AlternateContent":
            chosen = alternative(element)
            return self._children(chosen, before, look) if chosen is not None else ""
        if name == "fldSimple":
            page = self.without_pages and _PAGE_FIELD.match(attribute(element, "instr"))
            return "" if page else self._children(element, before, look)
        return self._children(element, before, look)

    def _control(self, element: Any, before: str, look: Look) -> str:
        """Return the text of a content control; a prompt to fill it in is none."""
        properties, content = first_child(element, "sdtPr"), first_child(element, "sdtContent")
        if first_child(properties, "showingPlcHdr") is not None:
            return ""
        text = self._children(content, before, look) if content is not None else ""
        box = first_child(properties, "checkbox")
        if box is not None and not any(sign in text for sign in _BOXES):
            return ("☒" if is_checked(box) else "☐") + text
        return text

    def _run(self, run: Any, before: str, look: Look) -> str:
        properties = first_child(run, "rPr")
        style = value_of(properties, "rStyle")
        own = look_of(properties) if properties is not None else Look()
        look = own.over(self.styles.look(style) if style else Look()).over(look)
        text = ""
        for child in run:
            text += self._content(child, before + text)
        if not text.strip():
            return text
        if look.hidden or look.struck:
            self.left_out.hidden += bool(look.hidden)
            self.left_out.struck += bool(look.struck and not look.hidden)
            return ""
        self._bold += bool(look.strong)
        self._plain += not look.strong
        if look.place == "superscript":
            return with_raised(before, text)
        return with_lowered(before, text) if look.place == "subscript" else text

    def _content(self, element: Any, before: str) -> str:
        name = local_name(element)
        if name == "fldChar":
            return self._field_mark(element)
        if name == "instrText":
            if self._fields:
                self._fields[-1].instruction += element.text or ""
            return ""
        if self._skips_result():
            return ""
        if name == "t":
            return element.text or ""
        if name in _PLAIN:
            return _PLAIN[name]
        if name == "sym":
            return symbol(chr(int(attribute(element, "char") or "20", 16) & 0xFFFF), attribute(element, "font"))
        if name in ("footnoteReference", "endnoteReference"):
            kind, number = name.removesuffix("Reference"), attribute(element, "id")
            self.notes.append((kind, number))
            space = " " if before and not before[-1].isspace() else ""
            return f"{space}[{self.note_number(kind, number)}]"
        if name == "commentReference":
            self.left_out.comments += 1
        elif name in _DRAWINGS:
            self.drawings.append(element)
        elif name == "AlternateContent":
            chosen = alternative(element)
            return "".join(self._content(child, before) for child in chosen) if chosen is not None else ""
        elif name == "ruby":
            base = first_child(element, "rubyBase")
            return "".join(t.text or "" for t in named(base, "t")) if base is not None else ""
        return ""

    def _field_mark(self, element: Any) -> str:
        kind = attribute(element, "fldCharType")
        if kind == "begin":
            self._fields.append(_Field())
            return _form_field(element)
        if kind == "separate" and self._fields:
            self._fields[-1].in_result = True
        elif kind == "end" and self._fields:
            self._fields.pop()
        return ""

    def _skips_result(self) -> bool:
        """Return whether the place is in the instruction of a field, or in a page number that is left out."""
        return any(
            not each.in_result or (self.without_pages and _PAGE_FIELD.match(each.instruction) is not None)
            for each in self._fields
        )


def _form_field(element: Any) -> str:
    """Return the box or the choice of an old form field."""
    data = first_child(element, "ffData")
    box, choices = first_child(data, "checkBox"), first_child(data, "ddList")
    if box is not None:
        checked = first_child(box, "checked")
        return "☒" if says_yes(checked if checked is not None else first_child(box, "default")) else "☐"
    if choices is not None:
        entries = [attribute(entry, "val") for entry in children(choices, "listEntry")]
        chosen = value_of(choices, "result") or "0"
        return entries[int(chosen)] if chosen.isdigit() and int(chosen) < len(entries) else ""
    return ""


def is_checked(box: Any) -> bool:
    """Return whether a check box control is checked."""
    return says_yes(first_child(box, "checked"))


def alternative(element: Any) -> Any:
    """Return the first of several renderings of the same content; None if there is none."""
    choice = first_child(element, "Choice")
    return choice if choice is not None else first_child(element, "Fallback")
