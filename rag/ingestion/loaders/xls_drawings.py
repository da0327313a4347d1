"""What lies on the sheets of an old Excel workbook and xlrd does not read: texts of boxes, pictures, and charts.

Both are records of the workbook's stream (MS-XLS): a text (TXO) is followed by its characters, a chart is a part of its
own.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Drawings", "read_drawings"]

_STREAMS = ("Workbook", "Book")
_BEGIN, _END, _TEXT, _GOES_ON, _OBJECT = 0x0809, 0x000A, 0x01B6, 0x003C, 0x005D
_PICTURE = 8  # a kind of object
_SHEET, _CHART = 0x0010, 0x0020


@dataclass(slots=True)
class Drawings:
    """The texts of boxes and the number of pictures by the number of their sheet, from 0, and that of all charts."""

    texts: dict[int, list[str]] = field(default_factory=dict)
    pictures: Counter[int] = field(default_factory=Counter)
    charts: int = 0


def read_drawings(data: bytes) -> Drawings:
    """Return what the records of a workbook say; only Excel 97 and later store texts so."""
    found = Drawings()
    sheet, depth, expected = -1, 0, 0
    for kind, content in _records(data):
        if kind == _BEGIN:
            depth += 1
            part = int.from_bytes(content[2:4], "little")
            found.charts += part == _CHART
            sheet += depth == 1 and part == _SHEET
        elif kind == _END:
            depth -= 1
        elif kind == _OBJECT:
            found.pictures[sheet] += int.from_bytes(content[4:6], "little") == _PICTURE
        elif kind == _TEXT:
            expected = int.from_bytes(content[10:12], "little")
        elif kind == _GOES_ON and expected and content:
            wide = content[0] & 1
            text = content[1:].decode("utf-16-le" if wide else "latin-1", "replace")[:expected]
            found.texts.setdefault(sheet, []).append(text.replace("\r", "\n"))
            expected = 0
    return found


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    import olefile

    with olefile.OleFileIO(data) as file:
        name = next((name for name in _STREAMS if file.exists(name)), None)
        stream = file.openstream(name).read() if name else b""
    place = 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        yield kind, stream[place + 4 : place + 4 + length]
        place += 4 + length
