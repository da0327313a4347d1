"""Calendar entries (iCalendar, RFC 5545) as lines of text: what, when, where, who."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["calendar_text"]

_ENTRIES = ("VEVENT", "VTODO", "VJOURNAL")
_NAMES = {
    "SUMMARY": "Event", "DTSTART": "Begin", "DTEND": "End", "DUE": "Due", "DURATION": "Duration", "RRULE": "Repeats",
    "LOCATION": "Place", "ORGANIZER": "Organizer", "ATTENDEE": "Attendee", "STATUS": "Status",
    "DESCRIPTION": "Description",
}  # fmt: skip
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_PARAMETER = re.compile(r';([^=;:"]+)=("[^"]*"|[^;:"]*)')
_ESCAPE = re.compile(r"\\(.)")


def calendar_text(text: str) -> str:
    """Return the entries of a calendar, one paragraph each; an empty text if it has none."""
    entries: list[list[str]] = []
    inside: list[str] = []  # components around a line, such as VCALENDAR, VEVENT, VALARM
    for name, parameters, value in _properties(text):
        if name == "BEGIN":
            inside.append(value.upper())
            if inside[-1] in _ENTRIES:
                entries.append([])
        elif name == "END":
            del inside[-1:]
        elif inside and inside[-1] in _ENTRIES and name in _NAMES and value:
            entries[-1].append(f"{_NAMES[name]}: {_shown(name, parameters, value)}")
    return "\n\n".join("\n".join(lines) for lines in entries if lines)


def _properties(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield name, parameters and value of each line, after long lines are joined."""
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        head = re.match(r"[A-Za-z0-9-]+", line)
        if head is None:
            continue
        position, parameters = head.end(), {}
        while match := _PARAMETER.match(line, position):
            parameters[match[1].upper()] = match[2].strip('"')
            position = match.end()
        if line[position : position + 1] == ":":
            yield head[0].upper(), parameters, line[position + 1 :].strip()


def _shown(name: str, parameters: dict[str, str], value: str) -> str:
    if name in ("DTSTART", "DTEND", "DUE"):
        return _moment(value, parameters.get("TZID", ""))
    if name in ("ORGANIZER", "ATTENDEE"):
        address = re.sub(r"^mailto:", "", value, flags=re.IGNORECASE)
        person = parameters.get("CN", "")
        return f"{person} <{address}>" if person and person != address else address
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()


def _moment(value: str, zone: str) -> str:
    match = _TIME.fullmatch(value)
    if match is None:
        return value
    year, month, day, hour, minute, second, utc = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    seconds = "" if second == "00" else f":{second}"
    where = " UTC" if utc else f" ({zone})" if zone else ""
    return f"{year}-{month}-{day} {hour}:{minute}{seconds}{where}"
