"""Makes small files in old and less usual office formats, by hand where no library writes them."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

__all__ = ["Tree", "msg", "odp", "ods", "ole", "rtf", "xls", "xlsb"]

LEASE = "The warehouse at Pier 4 costs 4,200 EUR a month."
ROWS: list[list[Any]] = [["Item", "Price"], ["Lamp", 19.9], ["Größe", 250]]
Tree = dict[str, "bytes | Tree"]
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def ole(tree: Tree) -> bytes:
    """Return an OLE file (MS-CFB, version 3) with storages (mappings) and streams (bytes)."""
    entries: list[list[Any]] = [["Root Entry", 5, None, []]]  # name, kind, content, children

    def add(children: Tree, parent: int) -> None:
        for name, value in children.items():
            entries.append([name, 2 if isinstance(value, bytes) else 1, value, []])
            entries[parent][3].append(len(entries) - 1)
            if not isinstance(value, bytes):
                add(value, len(entries) - 1)

    add(tree, 0)
    sectors: list[bytes] = []
    chain: list[int] = []
    mini = bytearray()
    mini_chain: list[int] = []

    def stored(data: bytes) -> int:
        first = len(sectors)
        count = -(-len(data) // 512)
        sectors.extend(data[n * 512 : (n + 1) * 512].ljust(512, b"\0") for n in range(count))
        chain.extend([*range(first + 1, first + count), _END] if count else [])
        return first if count else _END

    places: dict[int, tuple[int, int]] = {}
    for number, (_, kind, content, _) in enumerate(entries):
        if kind == 2 and len(content) >= 4096:
            places[number] = (stored(content), len(content))
        elif kind == 2:
            first, count = len(mini) // 64, -(-len(content) // 64)
            mini += content.ljust(count * 64, b"\0")
            mini_chain += [*range(first + 1, first + count), _END] if count else []
            places[number] = (first if count else _END, len(content))
    places[0] = (stored(bytes(mini)), len(mini))
    mini_fat = stored(struct.pack(f"<{len(mini_chain)}I", *mini_chain).ljust(-(-len(mini_chain) // 128) * 512, b"\xff"))
    directory = bytearray()
    siblings = {child: after for entry in entries for child, after in pairwise([*entry[3], _FREE])}
    for number, (name, kind, _, children) in enumerate(entries):
        encoded = (name + "\0").encode("utf-16-le")
        start, size = places.get(number, (0, 0))
        directory += encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded), kind, 1)
        directory += struct.pack("<III", _FREE, siblings.get(number, _FREE), children[0] if children else _FREE)
        directory += bytes(36) + struct.pack("<IQ", start, size)
    directory_start = stored(bytes(directory).ljust(-(-len(directory) // 512) * 512, b"\0"))
    fat_sectors = 1
    while len(chain) + fat_sectors > fat_sectors * 128:
        fat_sectors += 1
    fat_at = len(sectors)
    fat = [*chain, *[_FAT] * fat_sectors]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack(
        "<IIIIIIIII", 0, fat_sectors, directory_start, 0, 4096, mini_fat, -(-len(mini_chain) // 128), _END, 0
    )
    header += struct.pack("<109I", *range(fat_at, fat_at + fat_sectors), *[_FREE] * (109 - fat_sectors))
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(fat_sectors * 512, b"\xff")
    return header + b"".join(sectors) + table


def msg(
    body: str = LEASE,
    attachments: dict[str, bytes] | None = None,
    *,
    wide: bool = True,
    html: str = "",
    rtf: bytes = b"",
) -> bytes:
    """Return an Outlook message, with Unicode properties or in code page 1251."""
    kind, encoding = ("001F", "utf-16-le") if wide else ("001E", "cp1251")

    def text(tag: str, value: str) -> Tree:
        return {f"__substg1.0_{tag}{kind}": value.encode(encoding)}

    sent = datetime(2031, 3, 1, 16, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    tree: Tree = {
        "__properties_version1.0": bytes(32)
        + struct.pack("<HHIQ", 0x40, 0x39, 6, int(sent.total_seconds()) * 10**7)
        + struct.pack("<HHIQ", 0x03, 0x3FFD, 6, 0 if wide else 1251),
        **text("0037", "Lease of Pier 4"),
        **text("0C1A", "Ada Brill"),
        **text("0C1F", "ada@example.org"),
        **text("0E04", "Tom Wick"),
        **(text("1000", body) if body else {}),
        **({"__substg1.0_10130102": html.encode()} if html else {}),
        **({"__substg1.0_10090102": rtf} if rtf else {}),
    }
    for number, (name, content) in enumerate((attachments or {}).items()):
        tree[f"__attach_version1.0_#{number:08X}"] = {**text("3707", name), "__substg1.0_37010102": content}
    return ole(tree)


def xls(rows: list[list[Any]] = ROWS, *, hidden: bool = False) -> bytes:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            style = xlwt.easyxf(num_format_str="YYYY-MM-DD" if isinstance(value, date) else "General")
            sheet.write(number, column, value, style)
    if hidden:
        secret = book.add_sheet("Secret")
        secret.write(0, 0, "hidden words")
        secret.visibility = 1
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def xlsb(rows: list[list[Any]] = ROWS) -> bytes:
    """Return a binary workbook (MS-XLSB) with the records that a reader needs."""

    def record(kind: int, content: bytes = b"") -> bytes:
        number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
        size = len(content)
        return number + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + content

    def wide(text: str) -> bytes:
        return struct.pack("<I", len(text)) + text.encode("utf-16-le")

    def cell(column: int, value: Any) -> bytes:
        place = struct.pack("<II", column, 0)
        return record(6, place + wide(value)) if isinstance(value, str) else record(5, place + struct.pack("<d", value))

    bundle = record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Prices"))
    workbook = record(131) + record(143) + bundle + record(144) + record(132)
    lines = b"".join(
        record(0, struct.pack("<IIHHBI", number, 0, 300, 0, 0, 0)) + b"".join(cell(c, v) for c, v in enumerate(row))
        for number, row in enumerate(rows)
    )
    size = struct.pack("<IIII", 0, len(rows) - 1, 0, len(rows[0]) - 1)
    sheet = record(129) + record(148, size) + record(145) + lines + record(146) + record(130)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{office}/%s" Target="%s"/></Relationships>'
    )
    main = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    types = f'<Types xmlns="{namespace}"><Default Extension="bin" ContentType="{main}"/></Types>'
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", types)
        package.writestr("_rels/.rels", relations % ("officeDocument", "xl/workbook.bin"))
        package.writestr("xl/workbook.bin", workbook)
        package.writestr("xl/_rels/workbook.bin.rels", relations % ("worksheet", "worksheets/sheet1.bin"))
        package.writestr("xl/worksheets/sheet1.bin", sheet)
    return made.getvalue()


def ods(rows: list[list[Any]] = ROWS) -> bytes:
    from odfdo import Document as OpenDocument
    from odfdo import Table

    document = OpenDocument("spreadsheet")
    document.body.clear()
    table = Table("Prices")
    table.set_values(rows)
    document.body.append(table)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def odp() -> bytes:
    """Return a presentation of two slides with a list, a table, and notes."""
    names = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (
            ("office", "office"), ("draw", "drawing"), ("text", "text"), ("table", "table"),
            ("presentation", "presentation"),
        )
    )  # fmt: skip
    frame = '<draw:frame presentation:class="%s"><draw:text-box>%s</draw:text-box></draw:frame>'
    item = "<text:list><text:list-item><text:p>%s</text:p>%s</text:list-item></text:list>"
    points = item % (LEASE, item % ("old<text:s/>lamps", ""))
    row = "<table:table-row>%s</table:table-row>"
    cells = "".join(
        row % "".join(f"<table:table-cell><text:p>{value}</text:p></table:table-cell>" for value in line)
        for line in ROWS
    )
    box = "<draw:frame><draw:text-box><text:p>Say it slowly.</text:p></draw:text-box></draw:frame>"
    notes = f"<presentation:notes>{box}</presentation:notes>"
    slides = (
        f"<draw:page>{frame % ('title', '<text:p>Leases</text:p>')}{frame % ('outline', points)}"
        f"{frame % ('page-number', '<text:p>1</text:p>')}{notes}</draw:page>"
        f"<draw:page>{frame % ('title', '<text:p>Prices</text:p>')}"
        f"<draw:frame><table:table>{cells}</table:table></draw:frame></draw:page>"
    )
    content = (
        f"<office:document-content {names}><office:body><office:presentation>{slides}</office:presentation>"
        "</office:body></office:document-content>"
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.presentation")
        package.writestr("content.xml", content)
    return made.getvalue()


def rtf() -> bytes:
    return (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial CYR;}{\f2\fcharset238 Arial CE;}}"
        r"{\info{\title Harbour manual}{\author Ada}}{\header Page head}\f0 Leases\par " + LEASE + r"\par "
        r"Fl\'e4che 10\super 2\nosupersub  "
        r"{\f1 \'cf\'f0\'e8\'f7\'e0\'eb} {\f2 \'b9\'ea} \u8364?5 \u-10179?\u-8704?\par "
        r"\trowd\cellx1\cellx2 Item\cell Price\cell\row \trowd\cellx1\cellx2 Lamp\cell 19.90\cell\row "
        r"\pard See {\field{\*\fldinst HYPERLINK http://example.org}{\fldrslt the list}}{\footnote of 2031}."
        r"{\deleted gone}{\v secret}"
        r"{\pict\pngblip 89504e470d0a}{\*\unknown what}\par}"
    ).encode("latin-1")
