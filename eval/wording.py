"""Whether an answer states a gold answer, whatever form its numbers, dates and units have.

SQuAD's normalisation compares spans of prose. Answers over office documents are sentences and table rows, in which
``5,640``, ``5640`` and ``5 640`` are the same number, and so are ``21 April 2025`` and ``2025-04-21``, ``three`` and
``3``, ``£5`` and ``5 pounds``. :func:`fold` brings a text into one form; an answer *states* a gold answer if the gold's
folded words stand in it, adjacent and in order. It is a comparison of words: a false sentence with the right words
states the gold answer too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

__all__ = ["fold", "polarity", "states"]

_MONTHS = (
    "january|jan|января|январь", "february|feb|февраля|февраль", "march|mar|марта|март", "april|apr|апреля|апрель",
    "may|мая|май", "june|jun|июня|июнь", "july|jul|июля|июль", "august|aug|августа|август",
    "september|sept|sep|сентября|сентябрь", "october|oct|октября|октябрь", "november|nov|ноября|ноябрь",
    "december|dec|декабря|декабрь",
)  # fmt: skip
_MONTH_NUMBER = {name: f"m{number}" for number, names in enumerate(_MONTHS, start=1) for name in names.split("|")}
_MONTH = "|".join(sorted(_MONTH_NUMBER, key=len, reverse=True))
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_RUSSIAN = "ноль один два три четыре пять шесть семь восемь девять десять"
_NUMBER_WORDS = {
    **{word: n for n, word in enumerate(_ONES.split())},
    **{word: 10 * n for n, word in enumerate(_TENS.split(), start=2)},
    **{word: n for n, word in enumerate(_RUSSIAN.split())},
}
_UNITS = {
    "%": r"%|per\s?cent|percent|процент\w*",
    "eur": r"€|euros?|eur|евро",
    "gbp": r"£|pounds?|gbp",
    "usd": r"\$|(?:us )?dollars?|usd|доллар\w*",
    "rub": r"₽|рубл\w*|руб|rub|rubles?|roubles?",
}
_UNIT = re.compile("|".join(f"(?P<{'percent' if n == '%' else n}>{p})" for n, p in _UNITS.items()))
_SIGNS = re.compile(r"[*_`|>«»“”„\"]|(?<!\w)#")
_ISO_DATE = re.compile(r"\b(\d{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])\b")
_DOTTED_DATE = re.compile(r"\b(0?[1-9]|[12]\d|3[01])[./](0?[1-9]|1[0-2])[./](\d{4})\b")
_DAY_MONTH = re.compile(rf"\b(\d\d?)(?:st|nd|rd|th)?\.?(?:\s+of)?\s+({_MONTH})\b\.?,?")
_MONTH_DAY = re.compile(rf"\b({_MONTH})\.?\s+(\d\d?)(?:st|nd|rd|th)?\b(?!:)(?:\s?,)?")
_MONTH_YEAR = re.compile(rf"\b({_MONTH})\.?,?\s+(\d{{4}})\b")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_TOKEN = re.compile(
    r"(?<![\w.,)])-(?=\d)|\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.,:]\d+)*"
    r"|%|[^\W\d_]+(?:'[^\W\d_]+)?\d*(?:\+\+|#)?"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?")
_DOTTED_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+,\d+")
_AMOUNT = r"\d(?:[\d.,]{0,20}\d)?"
_SCALED = re.compile(
    rf"(?:(?<=[€£$])|(?<=[€£$] ))({_AMOUNT})\s?(k|mn?|bn)\b|"
    rf"(?<![\d.,])({_AMOUNT})\s?(thousand|million|billion|тыс\w*|млн|миллион\w*|млрд|миллиард\w*)\b"
)
_SCALES = {
    ("bn", "billion", "млрд", "миллиард"): 10**9,
    ("m", "mn", "million", "млн", "миллион"): 10**6,
    ("k", "thousand", "тыс"): 1000,
}
_MEASURES = (
    "g|kg|t|tonnes?|tons?|mm|cm|m|km|metres?|meters?|miles?|l|ml|litres?|liters?|w|kw|kwh|v|a|hz|gb|mb|kb|s|sec|seconds?|"
    "min|minutes?|h|hours?|days?|weeks?|months?|years?|°c|degrees?|points?|кг|г|м|км|л|см|мм|т|тонн\\w*"
)
_MEASURE = re.compile(rf"(?:{_MEASURES})\Z")
_ARTICLES = {"a", "an", "the"}
_YES = {"yes", "да", "ja"}
_NO = {"no", "нет", "nein"}
_NEAR_START = 12  # words of an answer among which "yes" or "no" is its verdict


@lru_cache(maxsize=4096)
def fold(text: str) -> tuple[str, ...]:
    """Return a text's words in one form: lower case, numbers by value, dates as day, month, year, units as one word.

    Articles, quotes and Markdown signs are dropped. A currency stands behind its number. A minus sign belongs to its
    number unless a word or a number stands directly before it. Closing zeros count, as in versions, unless a currency
    or a measure follows.
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    text = text.replace("\u2212", "-").replace("’", "'")
    text = _SIGNS.sub(" ", text)
    text = _ISO_DATE.sub(lambda m: f"{int(m[3])} m{int(m[2])} {m[1]}", text)
    text = _DOTTED_DATE.sub(lambda m: f"{int(m[1])} m{int(m[2])} {m[3]}", text)
    text = _DAY_MONTH.sub(lambda m: f"{int(m[1])} {_MONTH_NUMBER[m[2]]} ", text)
    text = _MONTH_DAY.sub(lambda m: f"{m[2]} {_MONTH_NUMBER[m[1]]} ", text)
    text = _MONTH_YEAR.sub(lambda m: f"{_MONTH_NUMBER[m[1]]} {m[2]}", text)
    text = _ORDINAL.sub(r"\1", text)
    text = _SCALED.sub(_scaled, text)
    text = _UNIT.sub(_unit, text)
    return tuple(_values(_units_behind(_tens([_number(match[0]) for match in _TOKEN.finditer(text)]))))


def states(answer: str, gold: str) -> bool:
    """Return whether the gold's words stand in the answer, adjacent and in order. No answer states an empty gold."""
    words, wanted = fold(answer), fold(gold)
    if not wanted:  # an article or a sign, such as the choice "A"
        words, wanted = tuple(answer.casefold().split()), tuple(gold.casefold().split())
        words = tuple(word.strip(".,;:!?()") or word for word in words)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words)} "


def polarity(answer: str) -> str | None:
    """Return "yes" or "no" as the answer's first words say it, None if they say neither."""
    for word in fold(answer)[:_NEAR_START]:
        if word in _YES:
            return "yes"
        if word in _NO:
            return "no"
    return None


def _unit(match: re.Match[str]) -> str:
    """Return a unit as a word, unless it is a part of a longer word."""
    text, (start, end) = match.string, match.span()
    inside = match[0][0].isalpha() and (text[start - 1 : start].isalpha() or text[end : end + 1].isalpha())
    name = "%" if match.lastgroup == "percent" else str(match.lastgroup)
    return match[0] if inside else f" {name} "


def _number(token: str) -> str:
    """Return a number without separators and with a decimal point, a time without a leading zero."""
    if not token[0].isdigit():
        return token
    if _THOUSANDS.fullmatch(token):
        whole = re.sub(r"[,' \u00a0\u202f]", "", token)
        return whole.rstrip("0").rstrip(".") if "." in whole else whole
    if _DOTTED_THOUSANDS.fullmatch(token):
        return token.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d+,\d{1,2}", token):
        return token.replace(",", ".")
    return token[1:] if re.fullmatch(r"0\d:\d\d", token) else token


def _values(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the tokens, amounts and measures without closing zeros: 3.50 kg is 3.5 kg, version 3.10 is not 3.1."""
    for token, following in pairwise([*tokens, ""]):
        measured = following in _UNITS or _MEASURE.match(following)
        yield token.rstrip("0").rstrip(".") if measured and re.fullmatch(r"-?\d+\.\d+", token) else token


def _scaled(match: re.Match[str]) -> str:
    """Return ``5m`` of a currency and ``5 million`` as digits."""
    number, scale = match[1] or match[3], match[2] or match[4]
    factor = next(value for names, value in _SCALES.items() if scale in names or scale.startswith(names[-1]))
    try:
        value = float(_number(number))
    except ValueError:
        return match[0]
    return f"{value * factor:.2f}".rstrip("0").rstrip(".")


def _tens(tokens: Sequence[str]) -> list[str]:
    """Return the tokens with number words as digits (``twenty-three`` is 23), signs joined, articles dropped."""
    out: list[str] = []
    after_ten = False
    for token in tokens:
        value = _NUMBER_WORDS.get(token)
        if out and out[-1] == "-" and token[0].isdigit():
            out[-1] = "-" + token
        elif value is not None and after_ten and 0 < value < 10:
            out[-1] = str(int(out[-1]) + value)
        elif token not in _ARTICLES:
            out.append(token if value is None else str(value))
        after_ten = value is not None and value >= 20
    return out


def _units_behind(tokens: Sequence[str]) -> list[str]:
    """Return the tokens with a currency that stands before its number behind it."""
    out = list(tokens)
    for n in range(len(out) - 1):
        follows_number = n > 0 and _is_number(out[n - 1])
        if out[n] in _UNITS and out[n] != "%" and _is_number(out[n + 1]) and not follows_number:
            out[n], out[n + 1] = out[n + 1], out[n]
    return out


def _is_number(token: str) -> bool:
    return token.lstrip("-")[:1].isdigit()
