"""Guesses the code page of a text that declares none.

`chardet` decides between scripts and the encodings of each. Between the many pages of the Latin script it is too often
wrong (a Spanish text read as Polish), so there the page wins whose letters are those of one language. Figures are in
``benchmarks/encodings.md``. This module sees no Unicode and no declaration: both are decided before.
"""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["guess_encoding"]

_GUESS_BYTES = 200_000
_DOS = frozenset({"cp437", "cp850", "cp852"})
_LATIN = (
    "cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "iso8859-1", "iso8859-2", "iso8859-9", "iso8859-13",
    "iso8859-15", "mac-roman", *_DOS,
)  # fmt: skip
_OTHER = (
    "cp1251", "cp1253", "cp1255", "cp1256", "cp874", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "koi8-r",
    "koi8-u", "cp866", "mac-cyrillic", "cp932", "euc_jis_2004", "gb18030", "big5hkscs", "cp949", "euc_kr",
)  # fmt: skip
# Where Windows extended a standard, the text is read by the extension, which contains the standard.
_EXTENDED = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-8": "cp1255", "euc_kr": "cp949"}
_SPARSE = 0.01
_PRIOR, _PRIOR_IF_SPARSE = 1.05, 1.5
"""How much likelier cp1252 is than other Latin pages; far likelier if less than 1 % of the text is not ASCII."""

_FOREIGN_WORD = re.compile(r"[^\W\d_a-zA-Z\u00c0-\u024f\u1e00-\u1eff]{3}")

_ALPHABETS = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "äöüß", "àâæçèéêëîïôœùûüÿ", "áéíñóúü", "ãáàâçéêíóôõú", "àèéìíîòóùú", "àçèéíïòóúü", "áèéëíïóöü", "åäöéšž",
        "æøåéò", "áðéíóúýþæö", "ăâîşţșț", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž",
        "çë", "çğıöşüâîûİ", "ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž", "àáâãèéêìíòóôõùúýăđơư\u0300\u0301\u0303\u0309\u0323",
    )
)  # fmt: skip
"""The letters beyond ASCII of the languages that are written in the Latin script, with one set for close relatives."""

_SIGNS = frozenset("€£§©®™°±²³¹½¼¾·×µ¿¡ªº«»‹›–—„“”‚‘’…•†\xa0\xad")
_BOXES = range(0x2500, 0x2590)
# A capital or a sign inside a word: the page is wrong.
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])(?:[^\W\d_]|[^\w\s\-'’.·\xad/,:@&+])(?=[^\W\d_])")


def guess_encoding(data: bytes) -> str:
    """Return the codec that most likely wrote bytes, of which some are above 127."""
    sample = _telling_part(data)
    best = _ranked(sample, _LATIN + _OTHER)
    if best and best[0][0] not in _LATIN and _FOREIGN_WORD.search(sample.decode(best[0][0], "replace")):
        return best[0][0]
    pages = _ranked(sample, _LATIN)  # single letters of another script are accents
    if not pages:
        return "cp1252"
    fits = {page: _fit(sample.decode(page, "replace"), dos=page in _DOS) for page, _ in pages}
    sparse = sum(byte > 0x7F for byte in sample) < _SPARSE * len(sample)
    prior = {"cp1252": _PRIOR_IF_SPARSE if sparse else _PRIOR}
    return max(pages, key=lambda one: (round(fits[one[0]], 2), one[1] * prior.get(one[0], 1.0)))[0]


def _ranked(sample: bytes, encodings: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return the encodings that are possible with chardet's confidence, the best first."""
    import chardet

    confidences: dict[str, float] = {}
    for result in chardet.detect_all(sample, ignore_threshold=True, compat_names=False, include_encodings=encodings):
        if (name := result["encoding"]) in encodings:
            confidences.setdefault(_EXTENDED.get(name, name), result["confidence"])
    return list(confidences.items())


def _fit(text: str, *, dos: bool) -> float:
    """Return the share of the characters above ASCII that are signs or letters of one language, in sound words."""
    counts = Counter(char for char in text if char > "\x7f" and not (dos and ord(char) in _BOXES))
    total = sum(counts.values())
    if not total:
        return 0.0
    signs = sum(counts[char] for char in counts.keys() & _SIGNS)
    letters = max(sum(counts[char] for char in counts.keys() & alphabet) for alphabet in _ALPHABETS)
    broken = sum(
        not (char := match.group()).isalpha()
        or (char > "\x7f" and char.isupper() and text[match.start() - 1].islower())
        for match in _BROKEN_WORD.finditer(text)
    )
    return (signs + letters - broken) / total


def _telling_part(data: bytes) -> bytes:
    """Return the lines that are not ASCII, as many as a guess needs."""
    if len(data) <= _GUESS_BYTES:
        return data
    lines, size = [], 0
    for line in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", data):
        lines.append(line.group()[:_GUESS_BYTES])
        size += len(lines[-1])
        if size >= _GUESS_BYTES:
            break
    return b"".join(lines)
