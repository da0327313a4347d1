r"""Rich Text Format: headings, paragraphs, lists with their numbers, tables, boxes and notes, in any code page.

The headers and footers of the first section come first, as a letterhead; footnotes stand in brackets where they are
referred to. Deleted text and tables of contents are left out; hidden and struck-through text, comments, pictures, and
embedded objects are left out and noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.flow_text import FlowText
from rag.ingestion.loaders.grid import Table
from rag.ingestion.loaders.left_out import LeftOut
from rag.ingestion.loaders.raised_text import with_lowered, with_raised
from rag.ingestion.loaders.rtf_fonts import Fonts
from rag.ingestion.loaders.rtf_tables import RowForm, RtfTable
from rag.ingestion.loaders.table_text import LARGE_TABLE, inline_text
from rag.ingestion.loaders.titles import usable_title
from rag.text import one_line
from rag.types import Document

__all__ = ["load_rtf"]

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_SKIPPED = frozenset(
    b"colortbl listtable listoverridetable objdata author operator company generator rsidtbl themedata "
    b"colorschememapping datastore latentstyles xmlnstbl bkmkstart bkmkend comment atnid atnauthor atnref atndate "
    b"keywords subject doccomm filetbl revtbl private nonshppict shprslt nonesttables sn ftnsep ftnsepc ftncn aftnsep "
    b"aftnsepc aftncn deleted".split()
)
# Groups whose text goes elsewhere, by the word that begins them.
_TARGETS = {
    b"fonttbl": "fonts", b"stylesheet": "styles", b"info": "info", b"listtext": "mark", b"pntext": "mark",
    b"fldinst": "instruction", b"formfield": "form", b"ffl": "choice", b"shptxt": "box", b"dptxbxtext": "box",
    b"sp": "property", b"header": "head", b"headerf": "head", b"headerl": "head", b"headerr": "head", b"footer": "head",
    b"footerf": "head", b"footerl": "head", b"footerr": "head",
}  # fmt: skip
# Groups that are marked as optional and are read.
_READ_OPTIONAL = frozenset(
    b"fldinst formfield ffl shppict shpinst shptxt do dptxbxtext nesttableprops pntext listtext".split()
)
_SIGNS = {
    b"tab": "\t", b"line": "\n", b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“",
    b"rdblquote": "”", b"bullet": "•", b"emspace": " ", b"enspace": " ", b"qmspace": " ",
}  # fmt: skip
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|PAGEREF)\b", re.IGNORECASE)
_NOTE = " ["  # before a footnote
_BODY_TEXT = 9  # the outline level of paragraphs that are no headings
_CHECK_BOX, _LIST = 1, 2  # kinds of form fields
_BY_DEFAULT = 25  # the result of a form field that was not changed


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits: where its text goes, how it looks, its font, and the form of its paragraph."""

    target: str = "text"
    hidden: bool = False
    struck: bool = False
    place: str = ""  # ``super`` or ``sub``
    font: int | None = None
    skip: int = 1
    style: int = 0
    outline: int = _BODY_TEXT
    depth: int = 0  # of a list item
    in_table: bool = False
    nested: bool = False  # in the definition of a row of a table inside a cell


def load_rtf(data: bytes, source: str) -> Document:
    """Read a document; its title is the one in its properties, or its first heading."""
    builder = DocumentBuilder()
    flow = FlowText(builder)
    reader = _Reader(flow)
    reader.read(data)
    flow.end()
    reader.left_out.add_notes(builder)
    return builder.document(source, "application/rtf", usable_title(reader.title) or flow.first_heading)


class _Reader:
    """Reads tokens into a flow."""

    def __init__(self, flow: FlowText) -> None:
        self.left_out = LeftOut()
        self.title = ""
        self._flow = flow
        self._fonts = Fonts()
        self._styles: dict[int, str] = {}  # their names
        self._levels: dict[int, int] = {}  # of headings, by style
        self._state = _State()
        self._bytes = bytearray()
        self._skip = 0
        self._text: list[str] = []
        self._last_place = ""
        self._texts: dict[str, str] = {}  # of the group that is read, by target
        self._heads: set[str] = set()
        self._in_first_section = True
        self._boxes: list[str] = []
        self._form = {"fftype": 0, "ffres": _BY_DEFAULT, "ffdefres": 0}
        self._choices: list[str] = []
        self._table, self._row = RtfTable(), RowForm()
        self._inner, self._inner_row = RtfTable(), RowForm()
        self._before: list[str] = []  # the text of a cell before the table in it
        self._in_inner = False
        self._large: list[Table] = []  # tables that follow the one whose cells contain them

    def read(self, data: bytes) -> None:
        stack: list[_State] = []
        begun = optional = False  # whether a group has just begun, and is marked as optional
        place, data = 0, data.rstrip(b"\x00")
        while match := _TOKEN.search(data, place):
            place = match.end()
            word, number, byte, sign, brace, text = match.groups()
            if byte is not None or text is not None:
                self._add_bytes(bytes([int(byte, 16)]) if byte is not None else text)
                begun = optional = False
                continue
            self._flush()
            self._skip = 0 if brace else self._skip
            if brace == b"{":
                stack.append(self._state)
            elif brace == b"}":
                self._close(stack.pop() if stack else _State())
            elif word == b"bin":
                place += max(int(number or 0), 0)
            elif word:
                self._word(word, int(number) if number else None, optional=optional)
            elif sign:
                self._sign(sign)
            optional = sign == b"*" and begun
            begun = brace == b"{"
        self._flush()
        if (self._table.in_row or self._state.in_table) and "".join(self._text).strip():
            self._end_cell()
        self._state = _State()
        self._end_paragraph()
        self._end_table()

    # Words ---------------------------------------------------------------------------------------------------------

    def _word(self, word: bytes, number: int | None, *, optional: bool) -> None:
        state = self._state
        if state.target == "nothing":
            return
        on = number != 0
        if (word in _SKIPPED and on) or (optional and word not in _READ_OPTIONAL):
            self.left_out.comments += word == b"annotation"
            self._state = replace(state, target="nothing")
        elif word in _TARGETS:
            self._begin(_TARGETS[word])
        elif word == b"title" and state.target == "info":
            self._begin("title")
        elif word == b"footnote":
            self._state = replace(state, place="")
            self._append(_NOTE)
            self._state = replace(self._state, target="note")
        elif word == b"pict":
            self.left_out.pictures += 1
            self._state = replace(state, target="nothing")
        elif word == b"object":
            self.left_out.objects += 1
        elif word == b"fldrslt" and state.target == "head" and _PAGE_FIELD.match(self._texts.get("instruction", "")):
            self._state = replace(state, target="nothing")
        elif word == b"nesttableprops":
            self._state = replace(state, nested=True)
        elif word == b"uc":
            self._state = replace(state, skip=number or 0)
        elif word == b"u" and number is not None:
            self._append(chr(number % 65_536))  # halves of a surrogate pair are joined at the end
            self._skip = state.skip
        elif word in _SIGNS:
            self._append(_SIGNS[word])
        elif word in (b"fftype", b"ffres", b"ffdefres"):
            self._form[word.decode()] = number or 0
        elif word in (b"v", b"strike", b"striked", b"super", b"sub", b"nosupersub", b"plain"):
            self._look(word, on=on)
        elif not self._font_word(word, number) and not self._paragraph_word(word, number):
            self._table_word(word, number)

    def _look(self, word: bytes, *, on: bool) -> None:
        changes: dict[bytes, dict[str, object]] = {
            b"v": {"hidden": on}, b"strike": {"struck": on}, b"striked": {"struck": on}, b"nosupersub": {"place": ""},
            b"super": {"place": "super" if on else ""}, b"sub": {"place": "sub" if on else ""},
            b"plain": {"hidden": False, "struck": False, "place": "", "font": None},
        }  # fmt: skip
        self._state = replace(self._state, **changes[word])  # type: ignore[arg-type]  # as the fields are

    def _font_word(self, word: bytes, number: int | None) -> bool:
        if word in (b"ansicpg", b"mac", b"pc", b"pca"):
            self._fonts.use_page(word, number)
        elif word == b"f" and number is not None:
            self._fonts.define(number)
            self._state = replace(self._state, font=number)
        elif word == b"fcharset" and self._state.target == "fonts":
            self._fonts.charset(number or 0)
        else:
            return False
        return True

    def _paragraph_word(self, word: bytes, number: int | None) -> bool:
        state = self._state
        if word == b"pard":
            self._state = replace(state, style=0, outline=_BODY_TEXT, depth=0, in_table=False)
        elif word == b"s":
            self._state = replace(state, style=number or 0)
        elif word == b"outlinelevel":
            self._state = replace(state, outline=number or 0)
        elif word == b"ilvl":
            self._state = replace(state, depth=min(max(number or 0, 0), 8))
        elif word == b"itap":
            if (number or 0) > 1 and not self._in_inner:
                self._before, self._text = self._before + self._text, []
            self._state = replace(state, in_table=True)
            self._in_inner = (number or 0) > 1
        elif word == b"intbl":
            self._state = replace(state, in_table=True)
        elif word in (b"par", b"sect", b"page", b"column"):
            self._end_paragraph()
            self._in_first_section = self._in_first_section and word != b"sect"
        else:
            return False
        return True

    def _table_word(self, word: bytes, number: int | None) -> None:
        row = self._inner_row if self._state.nested else self._row
        if word == b"trowd":
            if self._state.nested:
                self._inner_row = RowForm()
            else:
                self._row = RowForm()
        elif word == b"cellx":
            row.end_cell(number or 0)
        elif word == b"trhdr":
            row.header = True
        elif word == b"clvmrg":
            row.below = True
        elif word == b"clmrg":
            row.beside = True
        elif word == b"nestcell":
            self._inner.cell(self._taken())
            self._in_inner = True
        elif word == b"nestrow":
            self._inner.row(self._inner_row)
            self._in_inner = True
        elif word == b"cell" and self._state.target == "head":
            self._append("\t")
        elif word == b"cell":
            self._end_cell()
        elif word == b"row" and self._state.target != "head":
            self._table.row(self._row)

    def _sign(self, sign: bytes) -> None:
        if sign in b"\\{}":
            self._append(sign.decode())
        elif sign == b"~":
            self._append(" ")
        elif sign == b"_":
            self._append("-")
        elif sign in b"\r\n":
            self._end_paragraph()

    # Texts ---------------------------------------------------------------------------------------------------------

    def _begin(self, target: str) -> None:
        if self._state.target == "property" and target != "box":
            return
        self._state = replace(self._state, target=target)
        self._texts[target] = ""
        if target == "form":
            self._form, self._choices = {"fftype": 0, "ffres": _BY_DEFAULT, "ffdefres": 0}, []

    def _add_bytes(self, data: bytes) -> None:
        dropped = min(self._skip, len(data))
        self._skip -= dropped
        self._bytes += data[dropped:]

    def _flush(self) -> None:
        """Decode the bytes that were read since the last control word."""
        if self._bytes:
            self._append(self._fonts.decode(bytes(self._bytes), self._state.font))
            self._bytes.clear()

    def _append(self, text: str) -> None:
        state = self._state
        if state.target == "fonts":
            self._fonts.name(text)
        elif state.target not in ("text", "note", "nothing"):
            self._texts[state.target] = self._texts.get(state.target, "") + text
        elif state.target == "nothing":
            return
        elif state.hidden or state.struck:
            self.left_out.hidden += bool(text.strip()) and state.hidden
            self.left_out.struck += bool(text.strip()) and not state.hidden
        else:
            if state.place and state.place != self._last_place and text.strip():
                raise_ = with_raised if state.place == "super" else with_lowered
                text = raise_("".join(self._text[-8:]), text)
            self._last_place = state.place
            self._text.append(text.lstrip() if self._text[-1:] == [_NOTE] else text)

    def _taken(self) -> str:
        """Return the text since the last paragraph or cell on one line, and forget it."""
        text = one_line(_joined("".join(self._text)))
        self._text, self._last_place = [], ""
        mark = _mark(self._texts.pop("mark", ""))
        return f"{mark} {text}" if mark not in ("", "-") and text else text

    def _close(self, outer: _State) -> None:
        inner, self._state = self._state, outer
        if inner.target == outer.target and inner.target != "styles":
            return
        text = self._texts.get(inner.target, "")
        if inner.target == "note":
            self._text += [] if outer.hidden or outer.struck else ["]"]
        elif inner.target == "title":
            self.title = self.title or text
        elif inner.target == "styles":
            self._end_style(inner, text)
        elif inner.target == "choice":
            self._choices.append(text)
        elif inner.target == "form":
            self._append_field()
        elif inner.target == "box":
            self._boxes.append(text)
        elif inner.target == "head":
            self._end_head(text)

    def _end_style(self, state: _State, name: str) -> None:
        name = one_line(name.strip(" ;"))
        heading = _HEADING.match(name)
        self._styles[state.style] = name.casefold()
        level = int(heading[1]) - 1 if heading else 0 if name.casefold() == "title" else state.outline
        if level < _BODY_TEXT:
            self._levels[state.style] = level
        self._texts["styles"] = ""

    def _append_field(self) -> None:
        """Show the box or the choice of a form field."""
        result = self._form["ffdefres"] if self._form["ffres"] == _BY_DEFAULT else self._form["ffres"]
        if self._form["fftype"] == _CHECK_BOX:
            self._text.append("☒" if result else "☐")
        elif self._form["fftype"] == _LIST and 0 <= result < len(self._choices):
            self._text.append(self._choices[result])

    def _end_head(self, text: str) -> None:
        lines = [one_line(line) for line in _joined(text).split("\n")]
        head = "\n".join(line for line in lines if any(map(str.isalpha, line)))
        if head and head not in self._heads and self._in_first_section:
            self._heads.add(head)
            self._flow.paragraph(head)

    # Blocks --------------------------------------------------------------------------------------------------------

    def _end_paragraph(self) -> None:
        state = self._state
        if state.target not in ("text", "note"):
            self._append("\n")
            return
        text = _joined("".join(self._text)).strip()
        if state.target == "note" or state.in_table or self._table.in_row:
            self._text += [" "] if text else []
            return
        if text or not self._texts.get("mark"):
            mark, self._texts["mark"] = _mark(self._texts.get("mark", "")), ""
            self._text, self._last_place = [], ""
            self._end_table()
            self._add_block(text, mark)
        self._end_boxes()

    def _add_block(self, text: str, mark: str) -> None:
        state = self._state
        level = state.outline if state.outline < _BODY_TEXT else self._levels.get(state.style, _BODY_TEXT)
        if self._styles.get(state.style, "").startswith("toc "):
            return
        if text and level < _BODY_TEXT:
            self._flow.heading(level + 1, f"{mark} {text}" if mark not in ("", "-") else text)
        elif mark:
            self._flow.item(text, state.depth, mark)
        else:
            self._flow.paragraph(text)

    def _end_boxes(self) -> None:
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            for line in _joined(box).split("\n"):
                self._flow.paragraph(line)

    def _end_cell(self) -> None:
        before, after = one_line(_joined("".join(self._before))), self._taken()
        inner, self._before, self._in_inner = self._inner.tables(), [], False
        line = " ".join(map(inline_text, inner))
        if len(line) > LARGE_TABLE:
            self._large += inner
            line = ""
        self._table.cell(" ".join(filter(None, (before, line, after))))

    def _end_table(self) -> None:
        if self._inner.in_row or not self._table.in_row:
            self._large += self._inner.tables()
        tables = self._table.tables()
        large, self._large = self._large, []
        self._flow.table([*tables, *large])


def _mark(text: str) -> str:
    """Return the number of a list item, or a dash for any bullet."""
    mark = one_line(_joined(text))
    return mark if any(map(str.isalnum, mark)) and mark != "o" else "-" if mark else ""


def _joined(text: str) -> str:
    """Join surrogate pairs, which are written as two numbers."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
