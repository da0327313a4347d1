"""Bytes of a text to characters, in any encoding, with notes of what was guessed or replaced.

In this order: byte order marks, UTF-16 and UTF-32 by their zero bytes, ISO-2022 by its escapes, UTF-8, UTF-8 with
replacement characters where nearly all of it is valid, what the text declares, and a guess
(:mod:`~rag.ingestion.loaders.encoding_guess`). A declared encoding of several bytes for a character comes before UTF-8
in short texts, which may be valid in both. Text that was encoded twice is decoded twice; no other character is
changed here.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import category

from rag.ingestion.loaders.declared_encoding import codec_of, declared_label
from rag.ingestion.loaders.encoding_guess import guess_encoding
from rag.ingestion.loaders.note_kinds import note_of
from rag.types import ReadingNote

__all__ = ["BOMS", "Decoded", "decode_bytes", "decode_head", "wide_encoding"]

_REPLACEMENT = "\ufffd"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
BOMS = tuple(bom for bom, _ in _BOMS)
"""The byte order marks of Unicode."""

_SAMPLE_BYTES = 65_536
_STRAY = 2
"""So many wrong bytes never decide against an encoding that is declared."""

_NO_CHARACTERS = frozenset({"Cc", "Cn", "Co", "Cs"})  # controls, unassigned, private, surrogates
_ISO_2022 = (
    (re.compile(rb"\x1b(?:\$[@B]|\([JI])"), ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_2004")),
    (re.compile(rb"\x1b\$\)C"), ("iso2022_kr",)),
)
_MANY_BYTES = frozenset({"gb18030", "big5hkscs", "cp949", "cp932", "euc_jp", "euc_jis_2004"})
_WIDER = {"euc_jp": "euc_jis_2004", "iso2022_jp": "iso2022_jp_ext"}
_FEW_CHARACTERS = 4

_TWICE = ("cp1252", "cp1251")
_TWICE_CHARACTERS = 4
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the codec that read it, and notes of what was guessed or replaced."""

    text: str
    encoding: str
    notes: tuple[ReadingNote, ...] = ()


def decode_bytes(data: bytes, label: str = "") -> Decoded:
    """Decode a text. ``label`` is what a mail or a server says of its encoding; without it, the text's own counts.

    Never fails: bytes that no encoding explains become replacement characters, and a note counts them.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _replacing(data[len(bom) :], encoding)
    if wide := wide_encoding(data):
        return _replacing(data, wide)
    codec = codec_of(label) if label else None
    codec = codec or codec_of(declared_label(data))
    if data.isascii():
        return _seven_bit(data, codec)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _not_utf8(data, codec)
    if codec in _MANY_BYTES and _is_short(text) and (declared := _strict(data, codec)) is not None:
        return Decoded(declared, codec)
    return _once(text)


def decode_head(data: bytes) -> str:
    """Decode the beginning of a file as far as detecting its format needs: of code pages only ASCII."""
    encoding = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), None) or wide_encoding(data)
    return data.decode(encoding or "utf-8", "replace").removeprefix("\ufeff")


def wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32 with its byte order if the zero bytes of data without a mark show it, else None."""
    sample = data[: _SAMPLE_BYTES // 4 * 4]
    if b"\x00" not in sample or len(sample) < 2:
        return None
    rest = len(sample) % 4
    for encoding, high in (("utf-32-le", slice(3, None, 4)), ("utf-32-be", slice(0, None, 4))):
        if len(sample) >= 4 and not any(sample[high]) and _is_text(sample[: len(sample) - rest], encoding):
            return encoding
    even, odd = sample[0::2], sample[1::2]
    # The high bytes of a text are few: those of its scripts.
    little = (len(set(odd)), -odd.count(0)) <= (len(set(even)), -even.count(0))
    encoding, low = ("utf-16-le", even) if little else ("utf-16-be", odd)
    if 2 * low.count(0) > len(low):  # hardly a character of a text ends in a zero byte
        return None
    return encoding if _is_text(sample[: len(sample) - len(sample) % 2], encoding) else None


def _is_text(sample: bytes, encoding: str) -> bool:
    """Return whether bytes decode to characters that are assigned and no control characters, few of them rare."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    strange = sum(not char.isspace() and category(char) in _NO_CHARACTERS for char in text)
    return strange <= len(text) // 50 and 2 * sum(char > "\uffff" for char in text) <= len(text)


def _seven_bit(data: bytes, codec: str | None) -> Decoded:
    """Decode bytes below 128: ASCII, or an encoding that uses escapes."""
    for escape, codecs_ in _ISO_2022:
        if escape.search(data):
            for name in codecs_:
                if (text := _strict(data, name)) is not None:
                    return Decoded(text, name)
            return _replacing(data, codecs_[0])
    if codec in ("utf-7", "hz") and (text := _strict(data, codec)) is not None:
        return Decoded(text, codec)
    return Decoded(data.decode("ascii"), "utf-8")


def _not_utf8(data: bytes, codec: str | None) -> Decoded:
    text, wrong = _utf8_replacing(data)
    right = sum(char > "\x7f" for char in text) - text.count(_REPLACEMENT)
    declares_utf8 = codec == "utf-8"
    nearly = 2 if codec is None or declares_utf8 else 10  # right characters for each wrong one
    if right >= nearly * wrong or (declares_utf8 and wrong <= _STRAY):
        return Decoded(text, "utf-8", _notes(wrong))
    if codec is not None and not declares_utf8:
        declared = _declared(data, codec)
        high = sum(char > "\x7f" for char in declared.text)
        if declared.text.count(_REPLACEMENT) <= max(_STRAY, high // 50):
            return declared
    return _guessed(data)


def _declared(data: bytes, codec: str) -> Decoded:
    for name in filter(None, (codec, _WIDER.get(codec))):
        if (text := _strict(data, name)) is not None:
            return Decoded(text, name)
    return _replacing(data, codec)


def _guessed(data: bytes) -> Decoded:
    encoding = guess_encoding(data)
    decoded = _replacing(data, encoding)
    guess = note_of("encoding_guessed", f"its encoding is unknown and was guessed: {encoding}")
    return Decoded(decoded.text, encoding, (guess, *decoded.notes))


def _utf8_replacing(data: bytes) -> tuple[str, int]:
    """Decode UTF-8 with one replacement character for each wrong sequence, also for a cut one at the beginning."""
    cut = 0
    while cut < min(3, len(data)) and 0x80 <= data[cut] < 0xC0:
        cut += 1
    text = (_REPLACEMENT if cut else "") + data[cut:].decode("utf-8", "replace")
    return text, text.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())


def _replacing(data: bytes, encoding: str) -> Decoded:
    if encoding == "utf-8":
        text, wrong = _utf8_replacing(data)
        return Decoded(text, encoding, _notes(wrong)) if wrong else _once(text)
    text = data.decode(encoding, "replace")
    wrong = 0 if _REPLACEMENT not in text or _strict(data, encoding) is not None else text.count(_REPLACEMENT)
    return Decoded(text, encoding, _notes(wrong))


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except ValueError:
        return None


def _is_short(text: str) -> bool:
    return sum(char > "\x7f" for char in text[: 20 * _FEW_CHARACTERS]) <= _FEW_CHARACTERS and len(text) < 200


def _notes(wrong: int) -> tuple[ReadingNote, ...]:
    if not wrong:
        return ()
    text = f"{wrong} {'character' if wrong == 1 else 'characters'} could not be decoded and became \ufffd"
    return (note_of("replaced_characters", text),)


# Text that was encoded twice ------------------------------------------------------------------------------------------


def _once(text: str) -> Decoded:
    """Undo a second encoding: all of the text is UTF-8 that was read in a code page and stored as UTF-8 again."""
    first = _NOT_ASCII.search(text)
    for page in _TWICE:
        if first is None:
            break
        original = _undo(first.group(), page) and _undo(text, page)
        if original and sum(char > "\x7f" for char in original) >= _TWICE_CHARACTERS:
            note = f"the text was encoded twice, as UTF-8 and {page}, and was decoded twice"
            return Decoded(original, "utf-8", (note_of("encoded_twice", note),))
    return Decoded(text, "utf-8")


def _undo(text: str, page: str) -> str | None:
    try:
        return text.translate(_bytes_of(page)).encode("latin-1").decode()
    except UnicodeError:
        return None


@lru_cache(maxsize=2)
def _bytes_of(page: str) -> dict[int, int]:
    """Return the byte of each character above ASCII; bytes that a page leaves out stand for themselves."""
    table = {}
    for byte in range(0x80, 0x100):
        table[ord(bytes([byte]).decode(page, "ignore") or chr(byte))] = byte
    return table
