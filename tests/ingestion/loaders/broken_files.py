"""Files that are broken in every way there is, each made from a sound one; deterministic, so that a failure repeats."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterator

from format_samples import SAMPLES
from fpdf import FPDF

__all__ = ["broken_files", "encrypted_files", "rewritten"]

_CUTS = 10
_FLIPS = 12
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def broken_files(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is wrong with a file, and the file."""
    sound = SAMPLES[name]()
    dice = random.Random(name)
    yield "empty", b""
    yield "one byte", sound[:1]
    for n in range(1, _CUTS + 1):
        yield f"cut at {n}/{_CUTS + 1}", sound[: len(sound) * n // (_CUTS + 1)]
    yield "wrong magic", b"\x89PNG" + sound[4:]
    yield "another's magic", b"PK\x03\x04" + sound[4:]
    yield "random bytes", dice.randbytes(len(sound))
    yield "random letters", bytes(dice.choices(b"abc <>{}[]\"',:;#=|&%\\\n", k=len(sound)))
    yield "zeros", bytes(len(sound))
    for n in range(_FLIPS):
        flipped = bytearray(sound)
        for _ in range(1 << (n % 4)):
            flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        yield f"flipped {n}", bytes(flipped)
    if zipfile.is_zipfile(io.BytesIO(sound)):
        for member in zipfile.ZipFile(io.BytesIO(sound)).namelist():
            yield f"without {member}", _rewritten(sound, member, None)
            yield f"garbled {member}", _rewritten(sound, member, _garbled(sound, member, dice))


def encrypted_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that need a password."""
    made = FPDF()
    made.set_encryption(owner_password="owner", user_password="sesame")
    made.set_font("helvetica", size=12)
    made.add_page()
    made.cell(text="secret")
    yield "a.pdf", bytes(made.output())
    for suffix in ("docx", "pptx", "xlsx"):
        yield f"a.{suffix}", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + _ENCRYPTED_PACKAGE + bytes(600)
    manifest = "META-INF/manifest.xml"
    yield "a.odt", _rewritten(SAMPLES["manual.odt"](), manifest, b"<m><encryption-data/></m>")
    note = b"<e><EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/></e>"
    yield "a.epub", _rewritten(SAMPLES["book.epub"](), "META-INF/encryption.xml", note)
    locked = bytearray(SAMPLES["manual.docx"]())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.find(magic)
        while at >= 0:
            locked[at + offset] |= 1
            at = locked.find(magic, at + 4)
    yield "b.docx", bytes(locked)


def rewritten(package: bytes, change: dict[bytes, bytes], pattern: str = "") -> bytes:
    """Return a package with texts replaced in the members that match a pattern."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            for before, after in change.items() if re.search(pattern, name) else ():
                content = content.replace(before, after)
            new.writestr(name, content)
    return made.getvalue()


def _rewritten(package: bytes, member: str, content: bytes | None) -> bytes:
    """Return a zip package with one member replaced, added, or left out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != member:
                new.writestr(name, old.read(name))
        if content is not None:
            new.writestr(member, content)
    return made.getvalue()


def _garbled(package: bytes, member: str, dice: random.Random) -> bytes:
    content = bytearray(zipfile.ZipFile(io.BytesIO(package)).read(member))
    for _ in range(20 if content else 0):
        content[dice.randrange(len(content))] = dice.choice(b"<>/&\"'x0\x00\xff")
    return bytes(content)
