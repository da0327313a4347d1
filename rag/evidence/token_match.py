"""Text to content words: the units by which two texts are compared as evidence.

A content word is a Snowball stem of a word that is not a function word of English or Russian. The script chooses the
stemmer; Cyrillic words are taken for Russian. Letters are folded as the word index folds them
(:mod:`indexes.search.matching_form`): ``café`` is ``cafe``, and full-width digits are digits. Scripts without spaces,
such as Chinese, count by pairs of characters. A token with a digit is a number, compared as a whole: neither 5 nor 500
is found in 3.5, 1,500 or A12.

These rules normalise the ways of writing a number:

* A sign belongs to the number where it follows no word: ``-5``, ``−5`` (U+2212) and ``–5`` are minus five.
* Spaces (also no-break and thin ones), apostrophes and commas before groups of exactly three digits separate
  thousands: ``1 500``, ``1'500`` and ``1,500`` are 1500. So do dots, where there are several or a decimal comma
  follows: ``1.500.000``, ``1.500,75``.
* Any other single comma is a decimal comma: ``3,5`` is 3.5, and ``0,125`` is 0.125. A single dot is always a decimal
  point: ``1.500`` is not 1500. Hence a Russian ``1,500`` for one and a half is read as 1500, in answer and source.
* Digits as written: ``3.50`` is not 3.5, which is right for versions and harmless for prices that are quoted.
* What is joined by ``.``, ``:``, ``/`` or a hyphen is one number, such as ``14:30``, ``12.05.2024``, ``12-2024``,
  ``F-16``. Only a rising pair of as many digits is a range, of which both ends count: ``1939-1945``. A dash of any
  other length always makes a range. A hyphen before a word joins nothing: ``31-metre`` is 31 and metre.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from indexes.search.matching_form import folded, numbers_apart

__all__ = ["content_stems", "is_number"]

# Function words carry no evidence. Short lists of the commonest ones, in our own selection.
_STOP_WORDS = frozenset(
    """
    a an the this that these those it its he she they them his her their there here and or but nor so if then than
    as at by for from in into of off on onto out over to up with without about between through during is are was
    were be been being am do does did has have had having will would can could should may might must shall not no
    yes also which who whom whose what when where why how i you we my your our me us и в во не что он на я с со как
    а то все она так его но да ты к у же вы за бы по только ее её мне было вот от меня еще ещё нет о из ему теперь
    когда даже ну ли если уже или ни быть был него до вас опять вам ведь там потом себя ей они тут где есть надо
    ней для мы тебя их чем была сам чтоб без будто чего раз тоже себе под будет ж тогда кто этот того потому этого
    какой совсем ним здесь этом один почти мой тем чтобы нее неё были куда зачем всех при об это эта эти который
    которая которое которые является
    """.split()  # noqa: SIM905 - a list literal is laid out one word a line
)

_TOKEN = re.compile(
    r"""
    (?P<number>
        (?: (?<![\w.])(?<!\d\s)[-−–](?=\.?\d) )?      # a sign, where it is no hyphen and no dash of a range
        (?: (?<![\w.])\.(?=\d) )?                     # .5
        (?:
            # 1 500, with any space that stays on the line
            (?<!\w)(?<!\d[.,:/'’])[1-9]\d{0,2}(?:[\ \u00a0\u2007\u2009\u202f]\d{3})+(?:[.,]\d+)?(?!\w|[.,:/'’]\d)
            |
            # A12, F-16, 3.4, 1,500, 14:30, 12-2024
            (?: (?<!\w)[^\W\d_]*[A-ZА-ЯЁ][^\W\d_]*- (?=\d) )?
            [^\W_]*\d[^\W_]* (?: [.,:/'’-]\d[^\W_]* )*
        )
    )
    | [^\W_]+(?:['’][^\W_]+)?
    """,
    re.VERBOSE,
)
_COMMA_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_DOT_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}")
_OTHER_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([\ \u00a0\u2007\u2009\u202f'’])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_RANGE = re.compile(r"(\d+)-(\d+)")
# Han, Kana and its neighbours, Thai, Lao, Burmese, Khmer
_WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f"[{_WITHOUT_SPACES}]")
_RAISED = re.compile(r"(?<=[^\W\d_])[⁰¹²³⁴-⁹]+")  # of a unit or a footnote
_JOINED = re.compile(rf"(?<=[{_WITHOUT_SPACES}])(?=[A-Za-z\d])|(?<=[A-Za-z\d])(?=[{_WITHOUT_SPACES}])")
_STEMMED = {
    "russian": re.compile("[\u0400-\u04ff]"),
    "greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "arabic": re.compile("[\u0600-\u06ff]"),
    "armenian": re.compile("[\u0530-\u058f]"),
    "hindi": re.compile("[\u0900-\u097f]"),
    "tamil": re.compile("[\u0b80-\u0bff]"),
}


def content_stems(text: str) -> frozenset[str]:
    """Return the Snowball stems of a text's content words and its normalised numbers."""
    return frozenset(_stems(text))


def is_number(stem: str) -> bool:
    """Return whether a stem is a number, that is, contains a digit."""
    return any(c.isdecimal() for c in stem)


def _stems(text: str) -> Iterator[str]:
    if not text.isascii():
        text = _JOINED.sub(" ", unicodedata.normalize("NFC", numbers_apart(_RAISED.sub("", text))))
    for match in _TOKEN.finditer(text):
        if match["number"]:
            yield from _numbers(folded(match["number"]))
            continue
        word = folded(match.group())
        if _UNSPACED.match(word):
            yield from ("".join(pair) for pair in pairwise(word)) if len(word) > 1 else (word,)
        elif word not in _STOP_WORDS:
            yield _stem(word)


def _numbers(token: str) -> Iterator[str]:
    """Yield the number of a token, or both ends of a range, or all members of a list."""
    sign = "-" if token[0] in "-−–" else ""
    digits = token[1:] if sign else token
    if digits[0] == ".":
        digits = "0" + digits
    ends = _RANGE.fullmatch(digits)
    if ends and len(ends[1]) == len(ends[2]) and ends[1] < ends[2]:
        yield from (sign + ends[1], ends[2])
    elif _COMMA_THOUSANDS.fullmatch(digits):
        yield sign + digits.replace(",", "")
    elif _DOT_THOUSANDS.fullmatch(digits):
        yield sign + digits.replace(".", "").replace(",", ".")
    elif _OTHER_THOUSANDS.fullmatch(digits):
        yield sign + re.sub(r"[\s'’]", "", digits).replace(",", ".")
    elif re.fullmatch(r"\d+,\d+", digits):
        yield sign + digits.replace(",", ".")
    else:
        first, *others = digits.split(",")  # 1,2,3
        yield from (sign + first, *others)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    language = next((name for name, letters in _STEMMED.items() if letters.search(word)), "english")
    return str(_stemmer(language).stemWord(word.removesuffix("'s")))


@lru_cache(maxsize=8)
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)
