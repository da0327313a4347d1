"""Slides: reading order by position, SmartArt, exponents, numbers, struck text, comments and embedded files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from format_samples import saved
from lxml import etree

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.diagram_text import diagram_items
from rag.ingestion.loaders.reading_order import Box, reading_order
from rag.types import Document

DGM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def read(fill: Callable[[Any], None]) -> Document:
    """Make a presentation of one slide without placeholders and read it."""
    from pptx import Presentation

    made = Presentation()
    fill(made.slides.add_slide(made.slide_layouts[6]))
    return load_bytes(saved(made), "talk.pptx")


def box(shapes: Any, text: str, left: float, top: float, width: float = 2, height: float = 1) -> Any:
    from pptx.util import Inches

    added = shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    added.text_frame.text = text
    return added


@pytest.mark.parametrize(
    ("boxes", "order"),
    [
        ({"foot": (0, 6, 9), "head": (0, 0, 9), "body": (0, 1, 9)}, "head body foot"),
        ({"b": (5, 0, 4), "a": (0, 0, 4)}, "a b"),
        ({"r1": (5, 1, 4), "l2": (0, 2.1, 4), "r2": (5, 2.1, 4), "l1": (0, 1, 4)}, "l1 l2 r1 r2"),
        ({"r": (5, 1.3, 4), "l2": (0, 2.1, 4), "h": (0, 0, 9), "l1": (0, 1, 4)}, "h l1 l2 r"),
        ({"d": (3, 5, 2), "c": (0, 5, 2), "b": (3, 0, 2), "a": (0, 0, 2)}, "a b c d"),
    ],
)
def test_boxes_are_read_by_their_position(boxes: dict[str, tuple[float, float, float]], order: str) -> None:
    def fill(slide: Any) -> None:
        for text, place in boxes.items():
            box(slide.shapes, text, *place)

    assert read(fill).text.split() == order.split()


def test_a_group_is_read_as_a_whole() -> None:
    def fill(slide: Any) -> None:
        box(slide.shapes, "last", 0, 5, 9)
        group = slide.shapes.add_group_shape().shapes
        box(group, "two", 3, 1)
        box(group, "one", 0, 1)
        box(slide.shapes, "first", 0, 0, 9)

    assert read(fill).text.split() == ["first", "one", "two", "last"]


def test_boxes_that_overlap_or_have_no_size_are_all_read() -> None:
    boxes = [Box(0, 0, 9, 9, 0), Box(1, 1, 2, 2, 1), Box(1, 1, 1, 1, 2), Box(0, 0, 9, 9, 3)]
    assert sorted(reading_order(boxes)) == [0, 1, 2, 3]


def test_exponents_numbers_and_struck_text() -> None:
    def fill(slide: Any) -> None:
        frame = box(slide.shapes, "At most 10", 0, 0).text_frame
        for text, name, value in (("6", "baseline", "30000"), (" cells, ", "", ""), ("often ", "strike", "sngStrike")):
            run = frame.paragraphs[0].add_run()
            run.text = text
            if name:
                run._r.get_or_add_rPr().set(name, value)
        for text in ("first", "second"):
            paragraph = frame.add_paragraph()
            paragraph.text = text
            etree.SubElement(paragraph._p.get_or_add_pPr(), f"{{{A}}}buAutoNum", type="alphaLcParenR")

    document = read(fill)
    assert document.text == "At most 10^6 cells,\na) first\nb) second"
    assert [note.kind for note in document.notes] == ["struck_through"]


def points(*connections: tuple[str, str, int], **texts: str) -> Any:
    """Make the data of a diagram; ``doc`` is its root."""
    root = etree.Element(f"{{{DGM}}}dataModel")
    for name, text in {"doc": "", **texts}.items():
        point = etree.SubElement(root, f"{{{DGM}}}pt", modelId=name, type="doc" if name == "doc" else "node")
        paragraph = etree.SubElement(etree.SubElement(point, f"{{{DGM}}}t"), f"{{{A}}}p")
        etree.SubElement(etree.SubElement(paragraph, f"{{{A}}}r"), f"{{{A}}}t").text = text
    etree.SubElement(root, f"{{{DGM}}}pt", modelId="pres", type="pres")
    for source, target, order in connections:
        etree.SubElement(root, f"{{{DGM}}}cxn", srcId=source, destId=target, srcOrd=str(order))
    etree.SubElement(root, f"{{{DGM}}}cxn", srcId="pres", destId="doc", srcOrd="0", type="presOf")
    return root


CHART = points(
    ("doc", "p", 0), ("p", "m", 1), ("p", "h", 0), ("h", "x", 0),
    m="VP Marketing", p="President", x="Manager", h="VP HR",
)  # fmt: skip


def test_a_diagram_is_a_nested_list_in_the_order_of_its_connections() -> None:
    assert diagram_items(CHART) == [(0, "President"), (1, "VP HR"), (2, "Manager"), (1, "VP Marketing")]


def test_a_diagram_in_a_circle_or_without_connections_ends() -> None:
    assert diagram_items(points(("a", "b", 0), ("b", "a", 0), a="one", b="two")) == [(0, "one"), (1, "two")]
    assert diagram_items(points(a="one", b="two")) == [(0, "one"), (0, "two")]


def test_smartart_on_a_slide_is_read() -> None:
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    def fill(slide: Any) -> None:
        kind = "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml"
        part = Part(PackURI("/ppt/diagrams/data1.xml"), kind, slide.part.package, etree.tostring(CHART))
        relation = slide.part.relate_to(part, f"{R}/diagramData")
        table = slide.shapes.add_table(1, 1, 0, 0, 99, 99)
        data = table._element.graphic.graphicData
        data.set("uri", DGM)
        for child in list(data):
            data.remove(child)
        etree.SubElement(data, f"{{{DGM}}}relIds").set(f"{{{R}}}dm", relation)

    assert read(fill).text == "- President\n  - VP HR\n    - Manager\n  - VP Marketing"


def test_comments_and_embedded_files_are_noted() -> None:
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    def fill(slide: Any) -> None:
        box(slide.shapes, "Prices", 0, 0)
        xml = b'<p:cmLst xmlns:p="urn:p"><p:cm><p:text>Why?</p:text></p:cm><p:cm/></p:cmLst>'
        part = Part(PackURI("/ppt/comments/comment1.xml"), "application/xml", slide.part.package, xml)
        slide.part.relate_to(part, f"{R}/comments")
        import io

        slide.shapes.add_ole_object(io.BytesIO(b"PK"), "Excel.Sheet.12", 0, 0, 99, 99)

    notes = {note.kind: note.text for note in read(fill).notes}
    assert notes == {"comments": "2 comments not read", "embedded_not_read": "a file inside it was not read"}
