r"""Rich Text Format: paragraphs and tables as text, in any code page, with raised figures, without what is not shown.

Pictures, headers, hidden and deleted text are left out; footnotes stand in brackets where they are referred to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rag.ingestion.loaders.declared_encoding import codec_of
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.grid import Cell, read_tables
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.titles import usable_title
from rag.text import one_line
from rag.types import Document

__all__ = ["load_rtf"]

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_SKIPPED = frozenset(
    b"fonttbl colortbl stylesheet listtable listoverridetable pict object objdata header headerl headerr "
    b"headerf footer footerl footerr footerf fldinst author operator company generator rsidtbl themedata "
    b"colorschememapping datastore latentstyles xmlnstbl bkmkstart bkmkend comment annotation atnid "
    b"atnauthor atnref atndate keywords subject doccomm pntext listtext filetbl revtbl private nonshppict "
    b"shpinst".split()
)
_SHOWN_SPECIAL = frozenset(b"fldrslt shppict pgdsctbl".split())  # groups marked as optional that hold text
_SIGNS = {
    b"tab": "\t", b"line": "\n", b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“",
    b"rdblquote": "”", b"bullet": "•", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_CHARSETS = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    255: "cp437",
}  # fmt: skip
_DEFAULT = "cp1252"


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits: where its text goes, how it looks, and its code page."""

    target: str = "text"
    hidden: bool = False
    codec: str = ""
    skip: int = 1


def load_rtf(data: bytes, source: str) -> Document:
    """Read a document; its title is the one in its properties."""
    reader = _Reader()
    reader.read(data)
    builder = DocumentBuilder()
    for piece in reader.pieces:
        if isinstance(piece, str):
            builder.add(piece)
        else:
            rows = [(number, [Cell(text) for text in row]) for number, row in enumerate(piece, start=1)]
            builder.add("\n\n".join(map(table_text, read_tables(rows))))
    return builder.document(source, "application/rtf", usable_title(reader.title))


class _Reader:
    """Collects texts and tables (as rows) in order."""

    def __init__(self) -> None:
        self.pieces: list[str | list[list[str]]] = []
        self.title = ""
        self._codec = _DEFAULT
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._text: list[str] = []
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._bytes = bytearray()
        self._state = _State()
        self._skip = 0

    def read(self, data: bytes) -> None:
        stack: list[_State] = []
        optional = False
        for match in _TOKEN.finditer(data):
            word, number, byte, sign, brace, text = match.groups()
            if byte is not None or text is not None:
                self._add_bytes(bytes([int(byte, 16)]) if byte is not None else text)
                continue
            self._flush()
            if brace == b"{":
                stack.append(self._state)
            elif brace == b"}":
                self._close(stack.pop() if stack else _State())
            elif word:
                self._word(word, int(number) if number else None, optional=optional)
            elif sign:
                self._sign(sign)
            optional = sign == b"*"
        self._flush()
        self._end_paragraph()
        self._end_table()

    def _word(self, word: bytes, number: int | None, *, optional: bool) -> None:
        state = self._state
        if word in _SKIPPED or (optional and word not in _SHOWN_SPECIAL):
            target = "fonts" if word == b"fonttbl" else "nothing"
            self._state = replace(state, target=target if state.target != "nothing" else "nothing")
        elif word == b"info":
            self._state = replace(state, target="info")
        elif word == b"title" and state.target == "info":
            self._state = replace(state, target="title")
        elif word == b"footnote":
            self._append(" [")
            self._state = replace(state, target="note")
        elif word == b"ansicpg" and number:
            self._codec = codec_of(f"cp{number}") or _DEFAULT
        elif word == b"mac":
            self._codec = "mac-roman"
        elif word == b"pc":
            self._codec = "cp437"
        elif word == b"f" and number is not None:
            self._font = number
            self._state = replace(state, codec=self._fonts.get(number, ""))
        elif word == b"fcharset" and state.target == "fonts" and number in _CHARSETS:
            self._fonts[self._font] = _CHARSETS[number]
        elif word in (b"v", b"deleted", b"strike"):
            self._state = replace(state, hidden=number != 0)
        elif word in (b"super", b"sub"):
            self._append("^" if word == b"super" else "_")
        elif word == b"plain":
            self._state = replace(state, hidden=False)
        elif word == b"uc":
            self._state = replace(state, skip=number or 0)
        elif word == b"u" and number is not None:
            self._append(_character(number))
            self._skip = state.skip
        elif word in (b"par", b"sect", b"page", b"column"):
            self._end_paragraph()
        elif word in (b"cell", b"nestcell"):
            self._cells.append(one_line(_joined("".join(self._text))))
            self._text = []
        elif word in (b"row", b"nestrow"):
            self._rows.append(self._cells)
            self._cells = []
        elif word in _SIGNS:
            self._append(_SIGNS[word])
        elif word == b"bin" and number:
            self._skip = number

    def _sign(self, sign: bytes) -> None:
        if sign in b"\\{}":
            self._append(sign.decode())
        elif sign == b"~":
            self._append(" ")
        elif sign == b"_":
            self._append("-")
        elif sign in b"\r\n":
            self._end_paragraph()

    def _add_bytes(self, data: bytes) -> None:
        dropped = min(self._skip, len(data))
        self._skip -= dropped
        self._bytes += data[dropped:]

    def _flush(self) -> None:
        """Decode the bytes that were read since the last control word."""
        if self._bytes:
            self._append(self._bytes.decode(self._state.codec or self._codec, "replace"))
            self._bytes.clear()

    def _append(self, text: str) -> None:
        state = self._state
        if state.target == "title":
            self.title += text
        elif state.target in ("text", "note") and not state.hidden:
            self._text.append(text)

    def _close(self, outer: _State) -> None:
        if self._state.target == "note" and outer.target != "note":
            self._text.append("]")
        self._state = outer

    def _end_paragraph(self) -> None:
        text = "".join(self._text).strip()
        if not text:
            return
        if self._cells:
            self._text.append(" ")  # a paragraph inside a cell
            return
        self._end_table()
        self._text = []
        self.pieces.append(_joined(text))

    def _end_table(self) -> None:
        if self._rows:
            self.pieces.append(self._rows)
            self._rows = []


def _character(number: int) -> str:
    return chr(number % 65_536)  # halves of a surrogate pair are joined at the end


def _joined(text: str) -> str:
    """Join surrogate pairs, which are written as two numbers."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
