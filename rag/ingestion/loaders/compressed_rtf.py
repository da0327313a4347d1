"""The compression of RTF in Outlook messages (LZFu, MS-OXRTFCP): a window of 4,096 bytes that begins with common words.

The checksum is not verified, so that a damaged text is read up to the damage.
"""

from __future__ import annotations

import struct

__all__ = ["decompress_rtf"]

_HEADER = struct.Struct("<II4sI")  # compressed size, size, kind, checksum
_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_FIRST_WINDOW = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
_SHORTEST = 2  # bytes of a reference


def decompress_rtf(data: bytes) -> bytes:
    """Return the RTF. Raises ``ValueError`` if the data is of another kind."""
    if len(data) < _HEADER.size:
        raise ValueError("no compressed RTF")
    _, size, kind, _ = _HEADER.unpack_from(data)
    if kind == _PLAIN:
        return data[_HEADER.size : _HEADER.size + size]
    if kind != _COMPRESSED:
        raise ValueError("no compressed RTF")
    text = bytearray(_FIRST_WINDOW)  # the window is its end
    place, flags = _HEADER.size, 1
    while place < len(data):
        if flags == 1:  # no flag is left of the last eight
            flags = data[place] | 0x100
            place += 1
        elif flags & 1:
            if place + 1 >= len(data):
                break
            reference = data[place] << 8 | data[place + 1]
            place += 2
            back = (len(text) - (reference >> 4)) % _WINDOW
            if back == 0:
                break
            for _ in range((reference & 0xF) + _SHORTEST):
                text.append(text[-back] if back <= len(text) else 0x20)
            flags >>= 1
        else:
            text.append(data[place])
            place += 1
            flags >>= 1
    return bytes(text[len(_FIRST_WINDOW) :][:size])
