"""Serial numbers of spreadsheets as dates and times, by the tokens of a format code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

__all__ = ["date_text"]

_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30, tzinfo=UTC), datetime(1904, 1, 1, tzinfo=UTC)
_FALSE_LEAP_DAY = 60  # 1900 is a leap year for spreadsheets, so earlier serials are one day further
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Token = tuple[str, str]


def date_text(serial: float, tokens: Sequence[Token], *, since_1904: bool) -> str:
    """Return a serial number of days as the tokens show it. Raises ``ValueError`` for one that is no date."""
    if "elapsed" in {kind for kind, _ in tokens}:
        return _elapsed(serial, tokens)
    if serial < 0:
        raise ValueError("a date cannot be negative")
    if not since_1904 and serial < _FALSE_LEAP_DAY:
        serial += 1
    decimals = _second_decimals(tokens)
    seconds = Decimal(repr(serial)) * 86400
    seconds = seconds.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    try:
        moment = (_EPOCH_1904 if since_1904 else _EPOCH) + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError:
        raise ValueError("no calendar has this date") from None
    half_day = any(kind == "ampm" for kind, _ in tokens)
    text, fraction = "", False
    for place, (kind, value) in enumerate(tokens):
        if kind == "date" and len(set(value.lower())) == 1:
            text += _part(moment, value.lower(), half_day=half_day, minutes=_is_minutes(tokens, place))
        elif kind == "date":
            text += moment.date().isoformat() if "y" in value else moment.strftime("%H:%M:%S")
        elif kind == "ampm":
            text += ("AM" if moment.hour < 12 else "PM")[: 1 if value.upper() == "A/P" else 2]
        elif kind == "digit":
            if not fraction:
                text += f"{moment.microsecond:06d}"[:decimals]
            fraction = True
        else:
            text += _literal(kind, value)
    return " ".join(text.split())


def _literal(kind: str, value: str) -> str:
    if kind in ("quoted", "escaped", "currency", "other"):
        return value
    return value if kind == "mark" and value != "@" else ""


def _part(moment: datetime, code: str, *, half_day: bool, minutes: bool) -> str:
    width = len(code)
    if code[0] in "ye":
        return f"{moment.year:04d}" if width > 2 or code[0] == "e" else f"{moment.year % 100:02d}"
    if code[0] == "m" and not minutes:
        name = _MONTHS[moment.month - 1]
        return {1: str(moment.month), 2: f"{moment.month:02d}", 3: name[:3], 5: name[0]}.get(width, name)
    if code[0] == "d":
        name = _DAYS[moment.weekday()]
        return {1: str(moment.day), 2: f"{moment.day:02d}", 3: name[:3]}.get(width, name)
    hour = (moment.hour - 1) % 12 + 1 if half_day else moment.hour
    value = {"h": hour, "m": moment.minute, "s": moment.second}[code[0]]
    return f"{value:0{min(width, 2)}d}"


def _is_minutes(tokens: Sequence[Token], place: int) -> bool:
    """Return whether an ``m`` is of minutes: after hours, or before seconds. ``mmm`` is always a month."""
    if len(tokens[place][1]) > 2:
        return False
    before = next((v[-1].lower() for k, v in reversed(tokens[:place]) if k in ("date", "elapsed")), "")
    after = next((v[0].lower() for k, v in tokens[place + 1 :] if k == "date"), "")
    return before in ("h", "s") or after == "s"


def _second_decimals(tokens: Sequence[Token]) -> int:
    """Return how many digits of a second are shown, at most 3."""
    return min(sum(kind == "digit" for kind, _ in tokens), 3)


def _elapsed(serial: float, tokens: Sequence[Token]) -> str:
    """Return a length of time, such as ``26:30`` hours."""
    decimals = _second_decimals(tokens)
    shows_seconds = any(kind in ("date", "elapsed") and value[0] in "sS" for kind, value in tokens)
    step = Decimal(1).scaleb(-decimals) if shows_seconds else Decimal(60)
    seconds = (abs(Decimal(repr(serial))) * 86400 / step).quantize(Decimal(1), rounding=ROUND_HALF_UP) * step
    left, text, fraction = seconds, "-" if serial < 0 and seconds else "", False
    units = {"h": 3600, "m": 60, "s": 1}
    for kind, value in tokens:
        if kind in ("date", "elapsed") and value[0].lower() in units:
            count, left = divmod(left, units[value[0].lower()])
            text += f"{int(count):0{len(value)}d}"
        elif kind == "digit":
            text += f"{left:.{decimals}f}"[2:] if not fraction else ""
            fraction = True
        else:
            text += _literal(kind, value)
    return text
