"""What a PDF has besides the text of its pages: the values of form fields, and the texts of annotations.

A field is named as a reader sees it: by its tooltip, or by the text to the left of it, above it, or (check boxes) to
the right; without any, by its name in the file. Fields that are empty are left out, check boxes are not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.ingestion.loaders.text import normalise
from rag.text import one_line

__all__ = ["annotation_texts", "is_dynamic_form", "open_form"]

_LONGEST_LABEL = 120
_MOST_LABELED = 500  # fields of a page; in a page with more, each is called by its name
_ABOVE = 18.0  # points: how far above a field its label may be
_NEAR = 200.0  # points: how far to the right of a check box its label may end


@dataclass(frozen=True, slots=True)
class _Widget:
    """A form field on a page, with its box in points: left, bottom, right, top."""

    kind: int
    name: str
    tooltip: str
    value: str
    checked: bool
    box: tuple[float, float, float, float]


def open_form(pdf: Any) -> None:
    """Make the form of a PDF readable and visible, if it has one. Call it before a page is loaded."""
    import pypdfium2.raw as pdfium

    if pdf.get_formtype() != pdfium.FORMTYPE_NONE:
        pdf.init_forms()


def is_dynamic_form(pdf: Any) -> bool:
    """Return whether the pages of a PDF are only a stand-in for a dynamic form (XFA), which is not read."""
    import pypdfium2.raw as pdfium

    return bool(pdf.get_formtype() == pdfium.FORMTYPE_XFA_FULL)


def annotation_texts(pdf: Any, page: Any, textpage: Any) -> list[str]:
    """Return a line for each filled field of a page, and the text of each annotation."""
    import pypdfium2.raw as pdfium

    widgets, texts = [], []
    for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            subtype = pdfium.FPDFAnnot_GetSubtype(annotation)
            if subtype == pdfium.FPDF_ANNOT_WIDGET:
                if pdf.formenv is not None and (widget := _widget(pdf.formenv, annotation)):
                    widgets.append(widget)
            elif subtype not in (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP):
                text = normalise(_string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")).strip()
                if text:
                    texts.append(text if subtype == pdfium.FPDF_ANNOT_FREETEXT else f"Note: {text}")
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return [*_fields(widgets, textpage), *texts]


def _widget(form: Any, annotation: Any) -> _Widget | None:
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE, pdfium.FPDF_FORMFIELD_UNKNOWN):
        return None
    box = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, box)
    chosen = kind == pdfium.FPDF_FORMFIELD_RADIOBUTTON
    value = pdfium.FPDFAnnot_GetFormFieldExportValue if chosen else pdfium.FPDFAnnot_GetFormFieldValue
    return _Widget(
        kind,
        one_line(normalise(_string(pdfium.FPDFAnnot_GetFormFieldName, form, annotation))),
        one_line(normalise(_string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation))),
        ", ".join(_chosen(form, annotation)) or one_line(normalise(_string(value, form, annotation))),
        bool(pdfium.FPDFAnnot_IsChecked(form, annotation)),
        (box.left, box.bottom, box.right, box.top),
    )


def _chosen(form: Any, annotation: Any) -> list[str]:
    """Return the chosen options of a list, of which there may be several."""
    import pypdfium2.raw as pdfium

    return [
        one_line(normalise(_string(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, number)))
        for number in range(max(0, pdfium.FPDFAnnot_GetOptionCount(form, annotation)))
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, number)
    ]


def _string(read: Any, *arguments: Any) -> str:
    """Call a function of pdfium that writes UTF-16 to a buffer, and returns the bytes that it needs."""
    import pypdfium2.raw as pdfium

    size = read(*arguments, None, 0)
    if size <= 2:  # the end alone
        return ""
    buffer = ctypes.create_string_buffer(size)
    read(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0")


def _fields(widgets: list[_Widget], textpage: Any) -> Iterator[str]:
    import pypdfium2.raw as pdfium

    labeled = len(widgets) <= _MOST_LABELED
    for widget in widgets:
        is_radio = widget.kind == pdfium.FPDF_FORMFIELD_RADIOBUTTON
        is_box = widget.kind == pdfium.FPDF_FORMFIELD_CHECKBOX
        label = _label(widget, widgets, textpage, beside=is_radio or is_box) if labeled else ""
        if is_box:
            yield f"{widget.tooltip or label or widget.name}: {'checked' if widget.checked else 'unchecked'}"
        elif is_radio and widget.checked:
            yield f"{widget.tooltip or widget.name}: {label or widget.value}"
        elif widget.value and not is_radio:
            yield f"{widget.tooltip or label or widget.name}: {widget.value}"


def _label(widget: _Widget, widgets: list[_Widget], textpage: Any, *, beside: bool) -> str:
    """Return the text that names a field on the page. ``beside``: a box that may have it to the right."""
    left, bottom, right, top = widget.box
    row = [other.box for other in widgets if other.box[1] < top and bottom < other.box[3]]
    begin = max((box[2] for box in row if box[2] <= left), default=0.0)
    before = _text_in(textpage, begin, bottom, left, top)
    if beside and not before.endswith(":"):
        end = min((box[0] for box in row if box[0] >= right), default=right + _NEAR)
        if after := _text_in(textpage, right, bottom, end, top):
            return after
    above = "" if before or beside else _text_in(textpage, left, top, right, top + _ABOVE)
    return (before or above).rstrip(": ")


def _text_in(textpage: Any, left: float, bottom: float, right: float, top: float) -> str:
    """Return the first line of text in a box of a page."""
    text = normalise(textpage.get_text_bounded(left, bottom, right, top))
    line = next(filter(None, map(str.strip, text.split("\n"))), "")
    return one_line(line)[:_LONGEST_LABEL]
