"""What a text declares about its own encoding, and which codec reads it.

Declarations are those of HTML, XML, CSS, LaTeX, and of editors (the coding line of Python, Ruby, Emacs). A label means
what the WHATWG encoding standard says, as in browsers: ``iso-8859-1`` is windows-1252, ``gb2312`` is GB18030.
This module does not know whether a declaration is true.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["codec_of", "declared_label"]

_HEAD_BYTES = 4096
_LABEL = rb"[\"']?\s*([\w.:+-]{2,40})"
_XML = re.compile(rb"<\?xml\b[^>]{0,200}?\bencoding\s*=\s*" + _LABEL)
_CSS = re.compile(rb'@charset "([\w.:+-]{2,40})";')
_META = re.compile(rb"<meta\b([^>]{0,500})", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|$)", re.DOTALL)
_CHARSET = re.compile(rb"\bcharset\s*=\s*" + _LABEL, re.IGNORECASE)
_LATEX = re.compile(rb"^[^%\n]{0,200}\\usepackage\s*\[([\w-]{2,40})\]\s*\{inputenc\}", re.MULTILINE)
_CODING_LINE = re.compile(rb"^[ \t\f]*(?:#|//|/\*|--|;|%|\.\.|<!--).{0,100}?coding[:=][ \t]*([\w.-]{2,40})")
_INPUTENC = {"latin9": "iso-8859-15", "applemac": "macintosh", "ansinew": "windows-1252", "utf8x": "utf-8"}
_EDITORS_SUFFIX = re.compile("-(?:unix|dos|mac)$")
# The widest codec of each family: a page that declares the narrow one often uses the rest.
_WIDER = {"gbk": "gb18030", "gb2312": "gb18030", "big5": "big5hkscs", "euc_kr": "cp949", "shift_jis": "cp932"}
_NO_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})


def declared_label(data: bytes) -> str:
    """Return the label that a text declares in its first bytes, an empty string if it declares none."""
    head = data[:_HEAD_BYTES].removeprefix(codecs.BOM_UTF8)
    start = head.lstrip()
    if start.startswith(b"<"):
        return _in_markup(start)
    if css := _CSS.match(start):
        return _text(css)
    for line in head.split(b"\n", 2)[:2]:
        if coding := _CODING_LINE.match(line):
            return _EDITORS_SUFFIX.sub("", _text(coding).lower())
    latex = _LATEX.search(head) if b"\\document" in head else None
    return _INPUTENC.get(_text(latex), _text(latex)) if latex else ""


def codec_of(label: str) -> str | None:
    """Return the name of the Python codec for a label, None if no codec is known."""
    import webencodings

    known = webencodings.lookup(label)
    name = label
    if known is not None and known.name not in ("replacement", "x-user-defined"):
        name = known.codec_info.name
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)  # codecs from bytes to bytes, such as hex, are no encodings
    except (LookupError, TypeError, ValueError):
        return None
    name = codec.name.replace("-", "_")
    return None if name in _NO_TEXT else _WIDER.get(name, codec.name)


def _in_markup(start: bytes) -> str:
    if xml := _XML.match(start):
        return _text(xml)
    for meta in _META.finditer(_COMMENT.sub(b"", start)):
        if charset := _CHARSET.search(meta.group(1)):
            return _text(charset)
    coding = _CODING_LINE.match(start)
    return _text(coding) if coding else ""


def _text(match: re.Match[bytes]) -> str:
    return match.group(1).decode("ascii", "replace")
