"""How values are written: units, months, numbers in words, and the pattern that finds all of them in a text.

Tables for :mod:`rag.evidence.values`. English and Russian.
"""

from __future__ import annotations

import re

__all__ = [
    "CURRENCY_BEFORE",
    "FRACTIONS",
    "HEDGE",
    "MONEY",
    "MONTHS",
    "NAME_BEFORE",
    "OPENERS",
    "ORDINALS",
    "SCALES",
    "SCAN",
    "SMALL",
    "TABLE",
    "TENS",
    "UNIT",
    "UNIT_IN_NAME",
    "WORDED",
]

_UNITS = """
length 0.001 mm millimetre millimetres millimeter millimeters мм
length 0.01 cm centimetre centimetres centimeter centimeters см
length 1 m metre metres meter meters м метр метра метров
length 1000 km kilometre kilometres kilometer kilometers км
length 1609.344 mile miles
length 0.3048 ft foot feet
area 1 m² m2 м²
area 10000 ha hectare hectares га
mass 0.000001 mg milligram milligrams мг
mass 0.001 g gram grams г грамм грамма граммов
mass 1 kg kilogram kilograms kilo kilos кг килограмм килограмма килограммов
mass 1000 t tonne tonnes т тонна тонны тонн
volume 0.001 ml millilitre millilitres milliliter milliliters мл
volume 0.01 cl
volume 1 l litre litres liter liters л литр литра литров
volume 100 hl hectolitre hectolitres
volume 1000 m³ m3 м³
time 0.001 ms millisecond milliseconds
time 1 s sec secs second seconds с сек секунда секунды секунд
time 60 min mins minute minutes мин минута минуты минут минуту
time 3600 h hr hrs hour hours ч час часа часов
time 86400 day days день дня дней
time 604800 week weeks неделя недели недель неделю
months 1 month months месяц месяца месяцев
months 12 year years год года лет
percent 1 % percent процент процента процентов
temperature 1 °C
fahrenheit 1 °F
power 1 W watt watts Вт
power 1000 kW кВт
energy 1 kWh кВт·ч
joule 1000 kJ
joule 1 J
voltage 1 V volt volts В
pressure 1 bar
sound 1 dB
frequency 1 Hz
frequency 1000000 MHz
byte 1 byte bytes
byte 1000 KB kB
byte 1000000 MB
byte 1000000000 GB
byte 1000000000000 TB
speed 1 knot knots
money 0.01 cent cents
GBP 1 £ GBP pound pounds
GBP 0.01 p pence penny
EUR 1 € EUR euro euros евро
USD 1 $ USD dollar dollars
RUB 1 ₽ RUB руб рубль рубля рублей
RUB 0.01 коп копейка копейки копеек
"""
TABLE = {
    name: (line.split()[0], float(line.split()[1])) for line in _UNITS.strip().splitlines() for name in line.split()[2:]
}
MONEY = frozenset({"money", "GBP", "EUR", "USD", "RUB"})
_LONGEST = sorted(TABLE, key=len, reverse=True)
UNIT = re.compile(
    rf"(?:[ \u00a0\u202f]|-|[ ]of[ ]an?[ ])?(?:(?P<per>per[ ]cent)|(?P<square>square[ ]met(?:re|er)s?)"
    rf"|(?P<unit>{'|'.join(map(re.escape, _LONGEST))}))(?![^\W\d_])(?!-\d)"
)
CURRENCY_BEFORE = re.compile(r"(£|\$|€|₽|EUR|GBP|USD|RUB)[ \u00a0\u202f]?[-−–]?\Z")
UNIT_IN_NAME = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, _LONGEST))})(?![^\W_])", re.IGNORECASE)
WORDED = {name: unit for name, unit in TABLE.items() if len(name) > 3}

MONTHS = {
    name: n
    for n, names in enumerate(
        (
            "january jan января январь", "february feb февраля февраль", "march mar марта март",
            "april apr апреля апрель", "may мая май", "june jun июня июнь", "july jul июля июль",
            "august aug августа август", "september sept sep сентября сентябрь",
            "october oct октября октябрь", "november nov ноября ноябрь", "december dec декабря декабрь",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?P<month{{0}}>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?(?![^\W_])"

SMALL = {
    word: n
    for n, words in enumerate(
        (
            "zero none nothing", "one один одна одно одного одной", "two два две двух", "three три трёх трех",
            "four четыре четырёх четырех", "five пять пяти", "six шесть шести", "seven семь семи",
            "eight восемь восьми", "nine девять девяти", "ten десять десяти", "eleven одиннадцать",
            "twelve двенадцать", "thirteen тринадцать", "fourteen четырнадцать", "fifteen пятнадцать",
            "sixteen шестнадцать", "seventeen семнадцать", "eighteen восемнадцать", "nineteen девятнадцать",
        )
    )
    for word in words.split()
}  # fmt: skip
TENS = {
    word: 10 * n
    for n, words in enumerate(
        (
            "twenty двадцать", "thirty тридцать", "forty сорок", "fifty пятьдесят", "sixty шестьдесят",
            "seventy семьдесят", "eighty восемьдесят", "ninety девяносто",
        ),
        start=2,
    )
    for word in words.split()
}  # fmt: skip
SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "сто": 100, "тысяча": 1000, "тысячи": 1000,
    "тысяч": 1000, "миллион": 10**6, "миллиона": 10**6, "миллионов": 10**6,
}  # fmt: skip
ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(),  # noqa: SIM905
        start=1,
    )
}
FRACTIONS = {"half": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fifth": 0.2,
              "fifths": 0.2, "tenth": 0.1, "tenths": 0.1}  # fmt: skip
_WORDS = "|".join(sorted({*SMALL, *TENS, *SCALES, *ORDINALS, "half", "quarter"}, key=len, reverse=True))

SCAN = re.compile(
    rf"""
    (?<![^\W_])(?:
    (?P<iso>(?P<y1>\d{{4}})-(?P<m1>\d\d)-(?P<d1>\d\d))(?!\d)
    | (?P<dmy>(?P<d2>\d{{1,2}})[./](?P<m2>\d{{1,2}})[./](?P<y2>\d{{4}}))(?!\d)
    | (?P<fromday>(?P<d3>\d{{1,2}})[ ]?(?:to|–|-|and|по)[ ]?(?=\d{{1,2}}[ ]{_MONTH.format(3)}))
    | (?P<daymonth>(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?[ \u00a0\n](?:of[ ])?{_MONTH.format(4)}
        (?:,?[ \u00a0\n](?P<y4>\d{{4}})(?!\d))?)
    | (?P<monthday>{_MONTH.format(5)}[ \u00a0](?P<d5>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:.])
        (?:,?[ ](?P<y5>\d{{4}})(?!\d))?)
    | (?P<monthyear>{_MONTH.format(6)}[ \u00a0](?P<y6>\d{{4}}))(?!\d)
    | (?P<duration>\d{{1,2}}:\d\d:\d\d(?:\.\d+)?|\d{{1,3}}:\d\d\.\d+)(?![\d:])
    | (?P<clock>\d{{1,2}}:\d\d)(?:[ ]?(?P<half1>[ap])\.?m\b\.?)?(?![\d:])
    | (?P<hour>\d{{1,2}})(?:\.(?P<minute>\d\d))?[ ]?(?P<half2>[ap])\.?m\b\.?
    | (?P<article>an?[ ](?=(?:hour|week|month|year|day|minute|metre|litre)\b))
    | (?P<words>(?:{_WORDS})(?:(?:[ -]|[ ]and[ ](?:a[ ])?)(?:{_WORDS}|tenths?|quarters|thirds|fifths))*)(?![^\W_])
    | (?P<version>\d+(?:\.\d+){{2,}})(?!\d)
    | (?P<code>(?=[\w./-]*\d)(?:[^\W\d_]+[-./]?\d|\d+[^\W\d_]*-?[^\W\d_]+\d|\d+/)[\w-]*(?:[./-][\w]+)*)
    )
    | (?P<number>
        (?<![\w.])(?:(?<!\d[ ])(?<!\d)[-−–](?=\.?\d))?
        (?:[1-9]\d{{0,2}}(?:(?P<sep>[, \u00a0\u2007\u2009\u202f'’])\d{{3}}(?!\d))(?:(?P=sep)\d{{3}}(?!\d))*
            (?:\.\d+|,\d{{1,2}}(?!\d))?
          |[1-9]\d{{0,2}}(?:\.\d{{3}}){{1,}},\d+
          |\d+(?:[.,]\d+)?|\.\d+)
      )(?P<suffix>st|nd|rd|th)?(?!\d)
    """,
    re.VERBOSE | re.IGNORECASE,
)
HEDGE = re.compile(
    r"(?:about|around|roughly|approximately|nearly|almost|some|circa|ca\.?|≈|~|около|примерно)\W{0,3}(?:£|\$|€|EUR)?\s?\Z",
    re.IGNORECASE,
)


NAME_BEFORE = re.compile(r"(?<![\w.])([A-ZА-ЯЁ][^\W\d_]+)[ \u00a0]\Z")
# Words that begin a sentence in capitals without being part of a name.
OPENERS = frozenset(
    """
    the a an in on at by for from to of and but or if when while after before since until as no yes not this that these
    those it its he she they we you i his her their our your there here what which who whose where why how with without
    all both each every some any only also however elected signed according please about around over under above below
    up down nearly almost roughly approximately between within during total altogether is are was were has have had
    had one two three four five six seven eight nine ten eleven twelve monday tuesday wednesday thursday friday saturday
    sunday more less than most least another other just exactly per
    """.split()  # noqa: SIM905
)
