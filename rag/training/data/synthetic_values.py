"""Values for invented documents: amounts, dates, people, places and names, drawn from one seeded generator.

The format of money and dates is constant within a document and changes with :meth:`Values.new_document`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TypeVar

__all__ = ["DATES", "PERSONS", "Values"]

_T = TypeVar("_T")

PERSONS = frozenset({"person", "titled"})
DATES = frozenset({"date", "daymonth", "datetime", "month", "isodate", "time", "weekday", "timerange"})

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MONEY = (
    "EUR {n}", "{n} EUR", "€{n}", "{n} €", "{n} euros", "£{n}", "GBP {n}", "${n}", "USD {n}", "CHF {n}", "{n} francs",
    "DKK {n}", "{n} kroner", "PLN {n}", "{n} dollars",
)  # fmt: skip
_SLOT = re.compile(r"\{([^{}]*)\}")


class Values:
    """Draws values of a named kind. ``words`` maps a kind to the fixed list that it is drawn from.

    A kind is a method in the table below, a key of ``words``, or ``pick:{a|b|c}``. An unknown kind raises KeyError.
    """

    def __init__(self, draw: random.Random, words: Mapping[str, Sequence[str]]) -> None:
        self._draw = draw
        self._words = words
        self._kinds: dict[str, Callable[[], str]] = {
            "accuracy": lambda: f"±{self._decimal(1, 30)} {self._one('%', 'K', 'mm', 'bar')}",
            "address": self._address,
            "area": lambda: f"{self._decimal(180, 2400)} m²",
            "bar": lambda: f"{self._decimal(15, 90)} bar",
            "bigcount": lambda: self._grouped(draw.randint(120, 48_000)),
            "bigmoney": lambda: self._money(draw.randint(80, 9_000) * self.pick((10, 50, 100))),
            "cents": lambda: self._money(draw.randint(2, 19) * 0.05),
            "code": self._code,
            "cold": lambda: f"{self._one('-', '−', 'minus ', '')}{draw.randint(2, 30)}{self._degrees}",
            "count": lambda: self._small(3, 60),
            "date": self._date,
            "datetime": lambda: f"{self._date()}{self._one(', ', ' at ')}{self._clock(8, 17)}",
            "daymonth": lambda: f"{draw.randint(1, 28)} {self.pick(_MONTHS)}",
            "days": lambda: self._unit(3, 90, "days", (7, 10, 14, 21, 28, 30, 45, 60, 90)),
            "db": lambda: f"{draw.randint(48, 96)} dB(A)",
            "density": lambda: f"{self._decimal(70, 190, 100)} {self._one('g/cm³', 'kg/l', 'g/ml')}",
            "dim": self._dimensions,
            "email": lambda: self.mail(self.person()),
            "ext": lambda: str(draw.randint(1000, 9899)),
            "fault": lambda: f"{self._fault}{draw.randint(1, 60):02d}",
            "gigabytes": lambda: f"{self._one('5', '10', '20', '50', '100', '250', '500', '750')} GB",
            "grams": lambda: f"{draw.randint(3, 96) * 5} g",
            "hot": lambda: f"{draw.randint(12, 52) * 5}{self._degrees}",
            "hours": lambda: self._unit(2, 48, "hours", (12, 24, 36, 48, 72)),
            "hugemoney": self._huge,
            "isodate": lambda: self._day().isoformat(),
            "kilometres": lambda: f"{self._grouped(draw.randint(12, 240) * 1000)} {self._one('km', 'kilometres')}",
            "length": lambda: self.fill(self._one("{num:2-90} m", "{num:10-400} metres", f"{self._decimal(5, 90)} m")),
            "line": lambda: self.fill(self._one("line {num:1-19}", "bus {num:20-99}", "tram {num:1-9}")),
            "megabytes": lambda: f"{self._one('5', '8', '12', '20', '25', '40', '64', '100', '128', '250')} MB",
            "minutes": lambda: self._unit(5, 150, "minutes", (10, 15, 20, 30, 45, 60, 75, 90, 120)),
            "mm": lambda: f"{self._decimal(5, 90)} mm",
            "money": self._amount,
            "month": lambda: f"{self.pick(_MONTHS)} {self.year()}",
            "morning": lambda: self._clock(6, 11),
            "months": lambda: self._unit(2, 24, "months"),
            "mpa": lambda: f"{draw.randint(18, 560)} MPa",
            "nights": lambda: f"from {self._clock(19, 23)} to {self._clock(5, 8)}",
            "org": self.org,
            "path": lambda: self.fill("/{var|srv|opt|data}/{stem}{|-prod|2}/{log|logs|out|trace}"),
            "percent": lambda: f"{self._one(str(draw.randint(1, 60)), self._decimal(5, 250))}{self._percent}",
            "period": lambda: self._one(self.draw("weeks"), self.draw("months"), self.draw("days")),
            "person": self.person,
            "phone": self._phone,
            "place": self.place,
            "plate": lambda: f"{self._letters(2, 2)} {draw.randint(100, 9999)} {self._letters(2, 2)}",
            "port": lambda: str(draw.randint(1025, 49_000)),
            "rain": lambda: f"{draw.randint(0, 190)} mm",
            "room": self._room,
            "seconds": lambda: self._unit(5, 900, "seconds", (30, 60, 90, 120, 300, 600)),
            "ship": lambda: self.fill("{syllable}{a|o|is|} {Star|Dawn|Trader|Maris|Spirit|Wind}"),
            "signedmoney": lambda: f"{self._one('-', '+')}{self._grouped(draw.randint(12, 9_000))}",
            "signedpercent": lambda: f"{self._one('-', '+', '−')}{self._decimal(3, 240)}{self._percent}",
            "smallpercent": lambda: f"{self._one(str(draw.randint(2, 15)), self._decimal(3, 120))}{self._percent}",
            "smallmoney": lambda: self._money(self.pick((draw.randint(3, 60), draw.randint(20, 990) * 0.05))),
            "stem": lambda: self.draw("syllable").lower(),
            "temp": lambda: f"{self._one('', '', '-', '−')}{self._decimal(15, 900)}{self._degrees}",
            "time": lambda: self._clock(5, 21),
            "timerange": self._range,
            "titled": lambda: f"{self.pick(self._words['honor'])} {self.person()}",
            "unit": lambda: self.entity("unit"),
            "url": lambda: self.fill("{https://|https://www.|www.}{stem}{ending}.example{|/status|/help|/info}"),
            "version": lambda: f"{draw.randint(1, 14)}.{draw.randint(0, 19)}{self._one('', f'.{draw.randint(0, 9)}')}",
            "volume": lambda: f"{self._one(str(draw.randint(2, 40)), self._decimal(3, 95))} {self._one('l', 'litres')}",
            "votes": lambda: self.fill("{num:13-40} votes to {no|one|two|3|4|5}{|, with one abstention}"),
            "warm": lambda: f"{self._one(str(draw.randint(14, 75)), self._decimal(140, 750))}{self._degrees}",
            "weekday": lambda: f"{self.pick(_WEEKDAYS)}{self._one('', '', 's')}",
            "weeks": lambda: self._unit(2, 12, "weeks"),
            "weight": lambda: (
                self._one(str(draw.randint(2, 950)), self._decimal(4, 900)) + self._one(" kg", " kilograms")
            ),
            "workdays": lambda: self._unit(2, 35, self._one("days", "working days")),
            "year": self.year,
            "years": lambda: self._unit(2, 21, "years"),
        }
        self.new_document()

    def new_document(self) -> None:
        """Choose another currency, date format and way of writing per cent."""
        self._currency = self.pick(_MONEY)
        self._separator = self._one(",", ",", ",", " ", "'")
        self._dates = self._draw.randrange(5)
        self._percent = self._one("%", " %", " per cent", " percent")
        self._degrees = self._one(" °C", " °C", "°C", " degrees Celsius", " degrees")
        self._fault = self._one("E", "F", "A-", "Err ", "E-")

    def draw(self, kind: str) -> str:
        """Return a value of this kind; ``num:LOW-HIGH UNIT`` is a number in that range with its unit."""
        if kind.startswith("pick:"):
            return self.pick(kind[6:-1].split("|"))
        if kind.startswith("list:"):
            *first, last = self._draw.sample(self._words[kind[5:]], self._draw.choice((2, 3, 3, 4)))
            return f"{', '.join(first)} and {last}"
        if kind.startswith("num:"):
            bounds, _, unit = kind[4:].partition(" ")
            low, high = map(int, bounds.split("-"))
            number = self._draw.randint(low, high)
            number -= number % 50 if number > 400 else number % 5 if number > 50 else 0
            written = _NUMBERS[number - 2] if number <= 12 and self._draw.random() < 0.4 else self._grouped(number)
            return f"{written} {unit}".strip()
        if kind in self._kinds:
            return self._kinds[kind]()
        return self.pick(self._words[kind])

    def other(self, kind: str, *taken: str) -> str | None:
        """Return a value of this kind that is not in ``taken`` in any case of letters, or None if none was found."""
        lower = {text.lower() for text in taken}
        for _ in range(20):
            value = self.draw(kind)
            if value.lower() not in lower:
                return value
        return None

    def fill(self, pattern: str) -> str:
        """Replace each ``{kind}`` by a value and each ``{a|b}`` by one of its choices, the innermost first."""

        def value(match: re.Match[str]) -> str:
            inner = match[1]
            return self.pick(inner.split("|")) if "|" in inner else self.draw(inner)

        while _SLOT.search(pattern):
            pattern = _SLOT.sub(value, pattern)
        return pattern

    def person(self) -> str:
        """Return a first name and a surname, now and then with an initial between them."""
        initial = f"{self._draw.choice('ABCDEHJKLMPRST')}. " if self._draw.random() < 0.06 else ""
        return f"{self.pick(self._words['first'])} {initial}{self.pick(self._words['last'])}"

    def mail(self, person: str) -> str:
        """Return an e-mail address for a person or, now and then, for an office."""
        first, last = (re.sub(r"[^a-z]", "", part.lower()) for part in (person.split()[0], person.split()[-1]))
        domain = f"{self._syllable().lower()}{self.pick(self._words['ending'])}.example"
        return f"{self._one(f'{first}.{last}', f'{first[0]}.{last}', last, 'office', 'info', 'service')}@{domain}"

    def place(self) -> str:
        """Return the name of a town."""
        return self.fill("{||||Upper |Port |New }{syllable}{ending}")

    def org(self) -> str:
        """Return the name of an organisation."""
        return self.fill(self._one("{place} {orgform}", "{syllable}{ending} {orgform}", "{last} {orgform}"))

    def year(self) -> str:
        """Return a year from 2016 to 2026."""
        return str(self._draw.randint(2016, 2026))

    def entity(self, kind: str) -> str:
        """Return a name for what a document is about."""
        word = self.pick(self._words[kind]) if kind in self._words else ""
        number = self._draw.randint(1, 98)
        match kind:
            case "unit":
                return self._one(
                    f"Unit {number}, {self._syllable()} {self._one('Mill', 'Yard', 'House', 'Court')}",
                    f"Flat {number}",
                    f"Shop {number}",
                    self._address(),
                    f"{self._syllable()}{self.pick(self._words['ending'])} House",
                )
            case "machine":
                return f"{self._letters(2, 2)}{self._one('-', '', ' ')}{number * 10}{self._one('', '', ' S', ' Pro')}"
            case "product":
                name = f"{{syllable}}{{a|o|ix|on}} {self._one('{device}', f'{{X|R|S|T}}{number}', str(number))}"
                return self.fill(name)
            case "software":
                return f"{self._syllable()}{self._one('', ' ')}{word}"
            case "chemical":
                return f"{self._syllable()}{self._one('ol', 'ex', 'in')} {self._one(word, str(number))}"
            case "drug":
                return self.fill("{syllable}{ovan|idol|axin|omil}{| 5| 10| 20| 40| 250| 500}")
            case "project":
                return self._one(
                    f"project {word}",
                    f"{word} {number}",
                    f"{self.pick(self._words['street'])}, lot {number}",
                    f"{self.place()} {self._one('Bridge', 'School', 'Tunnel', 'Arena')}",
                )
            case "committee":
                return word + self.fill(self._one("", " of {place}", " on {daymonth}"))
            case "team":
                return f"{word}{self._one('', f' in {self.place()}', f', week {self._draw.randint(1, 52)}')}"
            case "club" | "attraction" | "school" | "clinic" | "fund":
                return f"{self.place()} {word}"
            case "library":
                return f"{self.place()} {self._one('Library', 'Town Library', 'Media Centre')}"
            case "event":
                return f"{self._one(self.place(), self.year())} {word}"
            case "course":
                return f"{word} {self._one('I', 'II', str(number + 100), 'for beginners')}"
            case "dish":
                return f"{self._one(self._syllable(), self.place(), 'country', 'classic')} {word}"
            case "vehicle":
                return f"{word} {self._one(str(number), f'{self._syllable()} {number}', 'no. ' + str(number))}"
        return self.draw(kind)

    def sibling(self, entity: str, kind: str) -> str:
        """Return another name of this kind, similar to ``entity`` where it contains a number."""
        if self._draw.random() < 0.6 and (found := list(re.finditer(r"\d+", entity))):
            digits = found[-1]
            number = int(digits[0])
            step = 10 if number % 10 == 0 else 1
            other = number + step * self._draw.choice((-2, -1, 1, 2, 3))
            if other > 0:
                return f"{entity[: digits.start()]}{other}{entity[digits.end() :]}"
        for _ in range(20):
            other_name = self.entity(kind)
            if other_name.lower() not in entity.lower() and entity.lower() not in other_name.lower():
                return other_name
        return f"{entity} II"

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return self._draw.random() < probability

    def distinct(self, kind: str, count: int) -> list[str]:
        """Return up to ``count`` different values of a kind."""
        found: list[str] = []
        for _ in range(count):
            value = self.other(kind, *found)
            if value is not None:
                found.append(value)
        return found

    def file_name(self, title: str, edition: str) -> str:
        """Return a name for a document's file: from its title, from one word of it and its edition, or meaningless."""
        words = re.findall(r"[a-z0-9]+", title.lower())
        longest = max(words, key=len)
        number = self._draw.randint(1, 99)
        return self._one(
            "-".join(words),
            "_".join([*words, *edition.split()]),
            "-".join([longest, *edition.split()]),
            f"{self._one('doc', 'scan', 'file', 'final', 'copy of')} {number:02d}",
            f"{longest}_v{number % 9 + 1}",
        )

    def next_edition(self, edition: str) -> str:
        """Return the edition before or after this one, whose number is its last word."""
        number = int(edition.split()[-1])
        return f"{edition.removesuffix(str(number))}{number + self._draw.choice((-1, 1, 2)) or number + 1}"

    def sample(self, items: Sequence[_T], count: int) -> list[_T]:
        """Return ``count`` of the items in any order."""
        return self._draw.sample(items, count)

    def shuffle(self, items: list[_T]) -> None:
        """Reorder the items in place."""
        self._draw.shuffle(items)

    def weighted(self, shares: Mapping[str, int]) -> str:
        """Return a key of ``shares``, each as often as its share says."""
        return self._draw.choices(list(shares), weights=list(shares.values()))[0]

    def pick(self, items: Sequence[_T]) -> _T:
        """Return one of the items."""
        return items[self._draw.randrange(len(items))]

    def _one(self, *items: str) -> str:
        return self.pick(items)

    def _syllable(self) -> str:
        return self.pick(self._words["syllable"])

    def _decimal(self, low: int, high: int, parts: int = 10) -> str:
        return f"{self._draw.randint(low, high) / parts:.{1 if parts == 10 else 2}f}"

    def _grouped(self, number: float) -> str:
        text = f"{number:,.2f}" if number != int(number) else f"{int(number):,}"
        return text.replace(",", self._separator)

    def _small(self, low: int, high: int) -> str:
        number = self._draw.randint(low, high)
        return _NUMBERS[number - 2] if 2 <= number <= 12 and self._draw.random() < 0.5 else str(number)

    def _unit(self, low: int, high: int, unit: str, usual: Sequence[int] = ()) -> str:
        if usual and self._draw.random() < 0.6:
            return f"{self.pick(usual)} {unit}"
        return f"{self._small(low, high)} {unit}"

    def _money(self, amount: float) -> str:
        return self._currency.format(n=self._grouped(round(amount, 2)))

    def _huge(self) -> str:
        if self._draw.random() < 0.6:
            return self._currency.format(
                n=f"{self._one(str(self._draw.randint(1, 95)), self._decimal(11, 95))} million"
            )
        return self._money(self._draw.randint(10, 900) * 10_000)

    def _day(self) -> date:
        return date(2016, 1, 1) + timedelta(days=self._draw.randrange(4_000))

    def _date(self) -> str:
        day = self._day()
        month = _MONTHS[day.month - 1]
        return (
            f"{day.day} {month} {day.year}",
            f"{month} {day.day}, {day.year}",
            day.isoformat(),
            f"{day.day:02d}.{day.month:02d}.{day.year}",
            f"{_WEEKDAYS[day.weekday()]}, {day.day} {month}",
        )[self._dates]

    def _clock(self, first: int, last: int) -> str:
        hour, minute = self._draw.randint(first, last), self.pick((0, 15, 30, 45))
        if self._dates == 1:
            return f"{(hour - 1) % 12 + 1}{f':{minute:02d}' if minute else ''} {'am' if hour < 12 else 'pm'}"
        return f"{hour:02d}:{minute:02d}"

    def _range(self) -> str:
        first, last = sorted(self._draw.sample(range(6, 23), 2))
        half = self._one("00", "30")
        return self._one(
            f"from {first}:{half} to {last}:00",
            f"{first:02d}:{half}–{last:02d}:00",
            f"between {first} and {last} o'clock",
        )

    def _phone(self) -> str:
        number = f"{self._draw.randint(200, 989)} {self._draw.randint(10, 99)} {self._draw.randint(10, 99)}"
        return f"{self._one('0', '+44 ', '+49 ', '0')}{self._draw.randint(20, 989)} {number}"

    def _amount(self) -> str:
        whole = self._draw.randint(4, 90) * 10
        return self._money(self.pick((whole, self._draw.randint(400, 9_900) / 10, self._draw.randint(40, 3_900))))

    def _letters(self, fewest: int, most: int) -> str:
        return "".join(self._draw.choices("ABCDEFGHKLMNPRSTVXZ", k=self._draw.randint(fewest, most)))

    def _code(self) -> str:
        letters = self._letters(1, 3)
        return self._one(
            f"{letters}-{self._draw.randint(100, 9999)}",
            f"{letters}{self._draw.randint(1000, 99999)}",
            f"{self.year()}/{self._draw.randint(100, 9999)}",
            f"{letters}-{self._draw.randint(10, 99)}-{self._draw.randint(1000, 9999)}",
        )

    def _address(self) -> str:
        street = f"{self.pick(self._words['street'])} {self._draw.randint(1, 180)}"
        return self._one(street, f"{street}, {self.place()}")

    def _room(self) -> str:
        return self._one(
            f"room {self._draw.randint(1, 4)}.{self._draw.randint(1, 40):02d}",
            f"Room {self._draw.choice('ABCDEF')}{self._draw.randint(1, 420)}",
            self.fill("the {large|small|upper|lower} {hall|meeting room|canteen|library}"),
            f"{self.pick(self._words['roomname'])}",
        )

    def _dimensions(self) -> str:
        sizes = [str(self._draw.randint(12, 900)) for _ in range(self._draw.choice((2, 3)))]
        return f"{self._one(' x ', ' × ', ' by ').join(sizes)} {self._one('mm', 'cm', 'mm')}"
