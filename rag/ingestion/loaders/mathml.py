"""Equations of web pages (MathML) as linear text: ``(a+b)/2``, ``x^2``, ``sqrt(x)``; TeX where it is given."""

from __future__ import annotations

from typing import Any

from rag.text import one_line

__all__ = ["linear_math"]

_TEX = ("application/x-tex", "tex", "latex", "text/x-tex")
_LEAVES = frozenset({"mi", "mn", "mo", "mtext", "ms"})


def linear_math(element: Any) -> str:
    """Return an equation on one line."""
    for annotation in element.find_all("annotation"):
        if str(annotation.get("encoding") or "").casefold() in _TEX:
            return one_line(annotation.get_text())
    return one_line(_linear(element))


def _linear(element: Any) -> str:
    name = element.name.rpartition(":")[2]
    if name in _LEAVES:
        return one_line(element.get_text())
    children = [child for child in element.contents if getattr(child, "name", None)]
    if name in ("annotation", "annotation-xml"):
        return ""
    parts = [_linear(child) for child in children]
    if not children:
        return one_line(element.get_text())
    first, second, third = [*parts, "", "", ""][:3]
    if name == "msup":
        return f"{_grouped(first)}^{_grouped(second)}"
    if name in ("msub", "munder"):
        return f"{_grouped(first)}_{_grouped(second)}"
    if name == "mover":
        return f"{_grouped(first)}^{_grouped(second)}"
    if name in ("msubsup", "munderover"):
        return f"{_grouped(first)}_{_grouped(second)}^{_grouped(third)}"
    if name == "mfrac":
        return f"{_grouped(first)}/{_grouped(second)}"
    if name == "msqrt":
        return f"sqrt({''.join(parts)})"
    if name == "mroot":
        return f"root{_grouped(second)}({first})"
    if name == "mtr":
        return ", ".join(parts)
    if name == "mtable":
        return f"[{'; '.join(parts)}]"
    if name == "mfenced":
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    return "".join(parts)


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() or text.lstrip("-−").isalnum() else f"({text})"
