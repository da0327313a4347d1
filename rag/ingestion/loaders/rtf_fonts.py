"""Fonts and code pages of RTF: which characters the bytes of a text are."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.ingestion.loaders.declared_encoding import codec_of
from rag.ingestion.loaders.word_symbols import symbol

__all__ = ["Fonts"]

_CHARSETS = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    255: "cp437",
}  # fmt: skip
_CODECS = {b"mac": "mac-roman", b"pc": "cp437", b"pca": "cp850"}
_DEFAULT = "cp1252"
_SYMBOLS = 2  # the character set of symbol fonts


@dataclass(slots=True)
class Fonts:
    """The document's code page, and the fonts of its table by number: their code pages and names."""

    codec: str = _DEFAULT
    _codecs: dict[int, str] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _symbols: set[int] = field(default_factory=set)
    _defined: int = 0

    def use_page(self, word: bytes, number: int | None) -> None:
        """Set the document's code page from ``ansicpg``, ``mac``, ``pc`` or ``pca``."""
        self.codec = _CODECS.get(word) or codec_of(f"cp{number}") or _DEFAULT

    def define(self, font: int) -> None:
        """Begin the definition of a font."""
        self._defined = font

    def charset(self, number: int) -> None:
        """Set the character set of the font that is being defined."""
        if number == _SYMBOLS:
            self._symbols.add(self._defined)
        elif number in _CHARSETS:
            self._codecs[self._defined] = _CHARSETS[number]

    def name(self, text: str) -> None:
        """Add to the name of the font that is being defined."""
        self._names[self._defined] = self._names.get(self._defined, "") + text

    def decode(self, data: bytes, font: int | None) -> str:
        """Return the characters of bytes in a font."""
        if font in self._symbols and font is not None:
            name = self._names.get(font, "").strip(" ;")
            return "".join(symbol(chr(byte), name) for byte in data)
        codec = self._codecs.get(font, "") if font is not None else ""
        return data.decode(codec or self.codec, "replace")
