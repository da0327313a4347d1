"""Characters of symbol fonts, which a Word document names by a code and a font."""

from __future__ import annotations

__all__ = ["symbol"]

_PRIVATE = range(0xF000, 0xF100)  # where documents put the codes of symbol fonts
_WINGDINGS = {
    0x6F: "☐", 0x71: "☐", 0x72: "☐", 0xA8: "☐", 0xFE: "☑", 0x52: "☑", 0xFD: "☒", 0x78: "☒", 0xFC: "✓", 0xFB: "✗",
    0xE0: "→", 0xDF: "←", 0xE8: "→", 0xF0: "⇨", 0x4A: "☺", 0x4C: "☹", 0x28: "☎", 0x2A: "✉",
}  # fmt: skip
_WINGDINGS_2 = {0xA3: "☐", 0x2A: "☐", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x50: "✓", 0x4F: "✗"}
_SYMBOL = dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)) | dict(
    zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)
) | {
    0xA3: "≤", 0xB3: "≥", 0xB0: "°", 0xB1: "±", 0xB4: "×", 0xB8: "÷", 0xB9: "≠", 0xBB: "≈", 0xAE: "→", 0xB7: "•",
    0xA5: "∞", 0xE5: "∑", 0xD6: "√", 0x2D: "−",
}  # fmt: skip
_FONTS = {"wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2, "symbol": _SYMBOL}


def symbol(text: str, font: str) -> str:
    """Return the first character of a text in a font; empty for one that has no plain form."""
    if not text:
        return ""
    code = ord(text[0])
    table = _FONTS.get(font.lower())
    if code in _PRIVATE:
        code -= _PRIVATE.start
        return table.get(code, "") if table is not None else ""
    return table.get(code, text[0]) if table is not None else text[0]
