"""Equations of Office documents (OMML) as linear text: ``(a+b)/(2)``, ``x^2``, ``sqrt(x)``, ``∑_(n=1)^(9) n``."""

from __future__ import annotations

from typing import Any

from rag.ingestion.loaders.office_package import attribute, children, first_child, local_name

__all__ = ["linear_text"]

_PROPERTIES = "Pr"  # how the names of property elements end


def linear_text(element: Any) -> str:
    """Return the equation below an element on one line."""
    name = local_name(element)
    if name == "t":
        return element.text or ""
    writer = _WRITERS.get(name)
    if writer is not None:
        return writer(element)
    return "".join(linear_text(child) for child in element if not local_name(child).endswith(_PROPERTIES))


def _part(element: Any, name: str) -> str:
    part = first_child(element, name)
    return linear_text(part).strip() if part is not None else ""


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _fraction(element: Any) -> str:
    return f"{_grouped(_part(element, 'num'))}/{_grouped(_part(element, 'den'))}"


def _script(element: Any) -> str:
    below, above = _part(element, "sub"), _part(element, "sup")
    return _part(element, "e") + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")


def _radical(element: Any) -> str:
    degree = _part(element, "deg")
    return f"{f'root{_grouped(degree)}' if degree else 'sqrt'}({_part(element, 'e')})"


def _sum(element: Any) -> str:
    sign = _property(element, "naryPr", "chr", "∫")
    below, above = _part(element, "sub"), _part(element, "sup")
    limits = (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    return f"{sign}{limits} {_part(element, 'e')}"


def _delimited(element: Any) -> str:
    begin, end = _property(element, "dPr", "begChr", "("), _property(element, "dPr", "endChr", ")")
    parts = [linear_text(part).strip() for part in children(element, "e")]
    return f"{begin}{_property(element, 'dPr', 'sepChr', '|').join(parts)}{end}"


def _function(element: Any) -> str:
    argument = _part(element, "e")
    return f"{_part(element, 'fName')}{argument if argument.startswith('(') else f'({argument})'}"


def _limit(element: Any) -> str:
    return f"{_part(element, 'e')}_{_grouped(_part(element, 'lim'))}"


def _matrix(element: Any) -> str:
    rows = (", ".join(linear_text(cell).strip() for cell in children(row, "e")) for row in children(element, "mr"))
    return f"[{'; '.join(rows)}]"


def _lines(element: Any) -> str:
    return "; ".join(linear_text(line).strip() for line in children(element, "e"))


def _property(element: Any, properties: str, name: str, default: str) -> str:
    found = first_child(element, properties, name)
    return attribute(found, "val") if found is not None else default


_WRITERS = {
    "f": _fraction,
    "sSup": _script,
    "sSub": _script,
    "sSubSup": _script,
    "sPre": _script,
    "rad": _radical,
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
    "m": _matrix,
    "eqArr": _lines,
}
