"""Spreadsheet numbers as the reader sees them: a value and its format code to the shown text.

Follows ECMA-376 part 1, 18.8.31: sections for positive, negative, zero and text values, conditions, digit placeholders,
thousands separators and scaling, percentages, exponents, fractions, dates, times and elapsed times. Separators and
names of months are English, because a file does not record its reader's language; colors and widths are left out.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

from rag.ingestion.loaders.date_format import date_text

__all__ = ["general", "is_date_format", "shown"]

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[\$(?P<currency>[^\]-]*)(?:-(?P<locale>[^\]]*))?\]'
    r"|\[(?P<elapsed>[hms]+)\]|\[(?P<condition>[<>=]+-?[\d.]+)\]|\[[^\]]*\]"
    r"|(?P<general>General)|(?P<ampm>AM/PM|A/P)|(?P<date>[ymdhs]+|e+(?![+-]))|(?P<exponent>E[+-])|(?P<digit>[0#?])"
    r"|(?P<mark>[.,%/@])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN = re.compile(r"(#,##)?0(?:\.(0{1,15}))?(%)?")
_CONDITION = re.compile(r"([<>=]+)(-?[\d.]+)")
_COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip
_MINUS = re.compile(r"^- +(?=\d)")
_SYSTEM_DATE = ("F800", "F400")  # the reader's own long date and time
_MOST_DIGITS = 30

Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[Token, ...]
    condition: tuple[str, float] | None

    @property
    def is_date(self) -> bool:
        return any(kind in ("date", "elapsed") for kind, _ in self.tokens)


def is_date_format(code: str) -> bool:
    """Return whether a format shows numbers as dates or times."""
    return _sections(code)[0].is_date


def general(value: float) -> str:
    """Return a number as a cell without a format shows it, with up to 15 digits."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"


def shown(value: float | str, code: str, *, since_1904: bool = False) -> str:
    """Return a value as its format shows it; a format that cannot be applied shows the plain value."""
    plain = None if isinstance(value, str) else _plain(code)
    if plain is not None and not isinstance(value, str):
        return _plain_number(value, *plain)
    sections = _sections(code)
    if isinstance(value, str):
        form = next((section for section in sections if ("mark", "@") in section.tokens), None)
        return "".join(value if token == ("mark", "@") else _literal(token) for token in form.tokens) if form else value
    try:
        section, negative = _chosen(sections, value)
        if section.is_date:
            return date_text(value, section.tokens, since_1904=since_1904)
        text = _MINUS.sub("-", _number(abs(value) if negative is not None else value, section.tokens).strip())
        return f"-{text}" if negative and any(character in "123456789" for character in text) else text
    except (ArithmeticError, ValueError):
        return general(value)


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Section, ...]:
    parts: list[list[Token]] = [[]]
    conditions: list[tuple[str, float] | None] = [None]
    system = 0  # the number of the section that is the reader's own format, whatever else it has
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or ""
        text = match[kind] if kind else ""
        if kind == "locale":
            kind, text = ("system", text) if text.upper() in _SYSTEM_DATE else ("currency", match["currency"])
        if kind == "other" and text == ";":
            parts.append([])
            conditions.append(None)
        elif kind == "condition" and (parsed := _CONDITION.fullmatch(text)) and parsed[1] in _COMPARE:
            conditions[-1] = (parsed[1], float(parsed[2]))
        elif kind == "system":
            parts[-1][:] = [("date", "yyyy-mm-dd" if text.upper() == _SYSTEM_DATE[0] else "hh:mm:ss")]
            system = len(parts)
        elif kind and system != len(parts):
            parts[-1].append((kind, text))
    return tuple(_Section(tuple(part), condition) for part, condition in zip(parts, conditions, strict=True))


@lru_cache(maxsize=1024)
def _plain(code: str) -> tuple[str, int, bool] | None:
    """Return the grouping, the decimals, and whether it is a percentage, of a format such as ``#,##0.00``."""
    match = _PLAIN.fullmatch(code)
    return ("," if match[1] else "", len(match[2] or ""), bool(match[3])) if match else None


def _plain_number(value: float, grouping: str, decimals: int, is_percentage: bool) -> str:
    """Return what the general way returns, faster: most numbers of large sheets have such formats."""
    try:
        number = Decimal(repr(value)) * (100 if is_percentage else 1)
        number = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    except ArithmeticError:
        return general(value)
    return f"{number or abs(number):{grouping}f}{'%' if is_percentage else ''}"


def _chosen(sections: Sequence[_Section], value: float) -> tuple[_Section, bool | None]:
    """Return the section of a value, and whether a minus is to be written; None to keep the value's own sign."""
    numeric = [s for s in sections if ("mark", "@") not in s.tokens] or list(sections)
    if any(section.condition for section in numeric):
        for place, section in enumerate(numeric):
            if section.condition is None or _COMPARE[section.condition[0]](value, section.condition[1]):
                return section, value < 0 and place == 0
        return numeric[-1], value < 0
    if value < 0:
        return (numeric[1], False) if len(numeric) > 1 else (numeric[0], True)
    if value == 0 and len(numeric) > 2:
        return numeric[2], False
    return numeric[0], False


def _literal(token: Token) -> str:
    kind, text = token
    if kind in ("quoted", "escaped", "currency", "other"):
        return text
    return " " if kind == "fill" and text == " " else ""


def _number(value: float, tokens: Sequence[Token]) -> str:
    if any(kind == "general" for kind, _ in tokens):
        return "".join(general(value) if token[0] == "general" else _literal(token) for token in tokens)
    places = [n for n, token in enumerate(tokens) if token[0] == "digit"]
    percent = sum(token == ("mark", "%") for token in tokens)
    if not places:
        if ("mark", "@") in tokens:
            return "".join(general(value) if token == ("mark", "@") else _literal(token) for token in tokens)
        return "".join("%" if token == ("mark", "%") else _literal(token) for token in tokens)
    number = Decimal(repr(value)) * 100**percent
    if ("mark", "/") in tokens:
        return _fraction(number, tokens, places)
    exponent = next((n for n, token in enumerate(tokens) if token[0] == "exponent"), None)
    mantissa = [n for n in places if exponent is None or n < exponent]
    point = next(
        (n for n, token in enumerate(tokens) if token == ("mark", ".") and n < (exponent or len(tokens))), None
    )
    whole = [n for n in mantissa if point is None or n < point]
    decimals = [n for n in mantissa if point is not None and n > point]
    last = max(mantissa, default=0)
    commas = [n for n, token in enumerate(tokens) if token == ("mark", ",")]
    grouped = any(whole and whole[0] < n < whole[-1] for n in commas)
    if scale := sum(1 for n in commas if n > last and _only_commas(tokens, last, n)):
        number /= 1000**scale
    power = 0
    if exponent is not None and number:
        step = max(len(whole), 1)  # with several places the power is a multiple of their number
        power = number.adjusted() // step * step
        number = number.scaleb(-power)
    number = number.quantize(Decimal(1).scaleb(-min(len(decimals), _MOST_DIGITS)), rounding=ROUND_HALF_UP)
    digits, _, fraction = f"{abs(number):f}".partition(".")
    pieces = _whole_digits(digits.lstrip("0"), [tokens[n][1] for n in whole], grouped=grouped)
    out: dict[int, str] = dict(zip(whole, pieces, strict=True)) if whole else {point or 0: digits.lstrip("0")}
    shown_decimals = _decimals(fraction, [tokens[n][1] for n in decimals])
    out |= dict(zip(decimals, shown_decimals, strict=True))
    text = "-" if number < 0 else ""
    for n, token in enumerate(tokens):
        if n in out and token[0] == "digit":
            text += out[n]
        elif n == point:
            text += out.get(n, "") + ("." if any(shown_decimals) or not decimals else "")
        elif token == ("mark", "%"):
            text += "%"
        elif n == exponent:
            sign = "-" if power < 0 else "+" if token[1].endswith("+") else ""
            text += f"{token[1][0]}{sign}{abs(power):0{sum(p > n for p in places)}d}"
        else:
            text += _literal(token)
    return text


def _only_commas(tokens: Sequence[Token], start: int, end: int) -> bool:
    return all(token == ("mark", ",") for token in tokens[start + 1 : end])


def _whole_digits(digits: str, places: Sequence[str], *, grouped: bool) -> list[str]:
    """Return the text at each placeholder; the first holds all digits that have none. Zeros fill ``0`` only."""
    digits = digits.rjust(len(places), "\0") if len(digits) < len(places) else digits
    surplus = len(digits) - len(places)
    pieces = [digits[: surplus + 1], *digits[surplus + 1 :]] if places else []
    filled: list[str] = []
    seen_zero = False
    for piece, place in zip(pieces, places, strict=True):
        seen_zero = seen_zero or place == "0"
        filled.append(piece.replace("\0", "0" if seen_zero else " " if place == "?" else ""))
    if grouped:
        total = sum(map(len, filled))
        grouped_pieces = []
        for piece in filled:
            made = ""
            for digit in piece:
                made += digit
                total -= 1
                made += "," if total and total % 3 == 0 and digit.strip() else ""
            grouped_pieces.append(made)
        return grouped_pieces
    return filled


def _decimals(fraction: str, places: Sequence[str]) -> list[str]:
    """Return the decimals at each placeholder, without the zeros at the end that ``#`` and ``?`` leave out."""
    fraction = fraction.ljust(len(places), "0")[: len(places)]
    needed = max([n + 1 for n, place in enumerate(places) if place == "0" or fraction[n] != "0"], default=0)
    return [digit if n < needed else "" for n, digit in enumerate(fraction)]


def _fraction(number: Decimal, tokens: Sequence[Token], places: Sequence[int]) -> str:
    """Return ``2 1/4`` for formats such as ``# ?/?``, with as many digits below the line as the format has."""
    line = tokens.index(("mark", "/"))
    fixed = "".join(text for kind, text in tokens[line + 1 :] if kind in ("other", "digit") and text.isdigit())
    below = max(sum(n > line for n in places), 1)
    above = [n for n in places if n < line]
    has_whole = any(tokens[n][0] != "digit" for n in range(above[0], above[-1])) if above else False
    whole, rest = divmod(abs(number), 1) if has_whole else (Decimal(0), abs(number))
    if fixed.strip("0"):
        bottom = int(fixed)
        top = int((rest * bottom).to_integral_value(ROUND_HALF_UP))
    else:
        fraction = Fraction(rest).limit_denominator(10 ** min(below, 6) - 1)
        top, bottom = fraction.numerator, fraction.denominator
    if has_whole and top == bottom:
        whole, top = whole + 1, 0
    sign = "-" if number < 0 else ""
    parts = [f"{whole:f}"] if whole or not top else []
    return sign + " ".join([*parts, *([f"{top}/{bottom}"] if top else [])])
