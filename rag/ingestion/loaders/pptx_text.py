"""The text of a shape on a slide: paragraphs with their bullets and numbers, exponents, formulas; struck text goes."""

from __future__ import annotations

import re
from typing import Any

from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.numbering import number_text
from rag.ingestion.loaders.office_package import children, first_child, local_name
from rag.ingestion.loaders.omml import linear_text
from rag.ingestion.loaders.raised_text import with_lowered, with_raised

__all__ = ["frame_text", "paragraph_text"]

_AUTOMATIC = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(Period|ParenR|ParenBoth|Plain)")
_FORMS = {"arabic": "decimal", "alphaLc": "letter", "alphaUc": "LETTER", "romanLc": "roman", "romanUc": "ROMAN"}
_SIGNS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}


def frame_text(body: Any, left_out: LeftOut, *, bullets: bool) -> str:
    """Return the text of a body (``a:txBody``); ``bullets`` says whether its paragraphs have some by their layout."""
    lines, numbers = [], dict[int, int]()
    for paragraph in children(body, "p"):
        text = paragraph_text(paragraph, left_out)
        if not text.strip():
            continue
        properties = first_child(paragraph, "pPr")
        level = (
            int(properties.get("lvl", "0")) if properties is not None and properties.get("lvl", "0").isdigit() else 0
        )
        automatic = first_child(properties, "buAutoNum")
        match = _AUTOMATIC.match(automatic.get("type", "")) if automatic is not None else None
        for deeper in [each for each in numbers if each > level or (each == level and not match)]:
            del numbers[deeper]
        if match:
            start = automatic.get("startAt", "1")
            numbers[level] = numbers.get(level, int(start) - 1 if start.isdigit() else 0) + 1
            mark = _SIGNS[match[2]].format(number_text(numbers[level], _FORMS[match[1]])) + " "
        else:
            own = first_child(properties, "buChar") is not None
            none = first_child(properties, "buNone") is not None
            mark = "- " if (level or bullets or own) and not none else ""
        lines.append("  " * level + mark + text.replace("\n", "\n" + "  " * (level + 1) if mark else "\n"))
    return "\n".join(lines)


def paragraph_text(paragraph: Any, left_out: LeftOut) -> str:
    """Return the text of a paragraph."""
    text = ""
    for piece in paragraph:
        name = local_name(piece)
        if name in ("r", "fld"):
            text += _run(piece, text, left_out)
        elif name == "br":
            text += "\n"
        elif name in ("m", "oMath", "oMathPara"):
            text += linear_text(piece)
        elif name == "AlternateContent":
            choice = first_child(piece, "Choice")
            text += linear_text(choice) if choice is not None else ""
    return text.strip()


def _run(run: Any, before: str, left_out: LeftOut) -> str:
    text = "".join(element.text or "" for element in children(run, "t")).replace("\v", "\n")
    properties = first_child(run, "rPr")
    if properties is None or not text.strip():
        return text
    if properties.get("strike", "noStrike") != "noStrike":
        left_out.struck += 1
        return ""
    baseline = properties.get("baseline", "0").removesuffix("%")
    if baseline.startswith("-"):
        return with_lowered(before, text)
    return with_raised(before, text) if baseline.strip("0.") else text
