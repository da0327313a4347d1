"""Question words of languages in other scripts than Latin, and what can answer them: a number, a date, or a person.

They say what kind of answer fits where the bundled classifier of questions never learned the language, and they are no
words to look for in a passage. Short lists in our own selection; a language without a list loses these two signs only.
"""

from __future__ import annotations

import re
from typing import Literal

from rag.evidence.token_match import content_stems

__all__ = ["AskedKind", "asked_kind", "fits_kind", "is_question_word"]

AskedKind = Literal["", "number", "date", "person"]

_BY_KIND: dict[AskedKind, frozenset[str]] = {
    "number": frozenset(
        """
        сколько скольких скольким скольки насколько скільки скількох наскільки колко колкото колку колико
        πόσο πόσα πόσες πόσοι πόσος πόση πόσων πόσους كم بكم כמה
        """.split()  # noqa: SIM905
    ),
    "date": frozenset("когда коли кога када πότε متى מתי котрій котрой".split()),  # noqa: SIM905
    "person": frozenset(
        """
        кто кого кому кем ком чей чья чье чьё чьи хто ким кой коя кои кого кому ко
        ποιος ποιον ποιου ποιοι من מי
        """.split()  # noqa: SIM905
    ),
    "": frozenset(
        """
        что чего чему чем где куда откуда как какой какая какое какие какого каким какому каком каких какую зачем почему
        отчего можно нужно надо ли
        що чого чому чим де куди звідки як який яка яке які якого яким якому якій яку яких навіщо чи можна треба
        потрібно у в на до за та й і із зі від для це при по об о
        какво къде как каква какви какъв защо може трябва да се е са за от на във със и
        што где како који која које шта зашто
        τι πού πώς γιατί ποια ποιο ποιες ποιά ποιό ο η το οι τα του της των τον την τους τις στο στη στην στον στις στα
        στους ένα μια μία ένας και με για από σε είναι έχει έχουν μου σας που να θα δεν
        ما ماذا أين كيف لماذا هل أي في من إلى على عن هو هي
        מה איפה איך למה האם איזה איזו של את על עם אל הוא היא
        """.split()  # noqa: SIM905
    ),
}
_ALL = frozenset().union(*_BY_KIND.values())
_PHRASES: tuple[tuple[AskedKind, re.Pattern[str]], ...] = (
    (
        "date",
        re.compile("во сколько|до скольки|о котр|до которого часа|τι ώρα|几点|什么时候|何时|哪天|哪几天"),
    ),
    ("number", re.compile(r"多少|几|多大|多长|幾|いくら|いくつ|何[人円分日個枚回]|몇|얼마")),
    ("person", re.compile(r"谁|誰|누가|누구")),
)
_WORD = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"[\w%:'’.,-]+")
_DIGIT = re.compile(r"(?<![^\W\d_]-)(?<!\d)\d")  # not that of a name such as X-2
_NUMERALS = content_stems(
    """
    one two three four five six seven eight nine ten twelve twenty thirty fifty hundred thousand twice half free
    два двух двое три трёх трех трое четыре четырёх четырех пять пяти шесть шести семь семи восемь восьми девять девяти
    десять десяти двадцать двадцати тридцать тридцати сто ста тысяча миллион дважды трижды половина вдвое втрое вдвойне
    бесплатно двух дві двоє трьох троє чотири чотирьох п'ять п'яти шість шести сім семи вісім восьми дев'ять дев'яти
    десяти двічі тричі половину безкоштовно две пет шест седем осем девет безплатно δύο τρεις τρία τέσσερις τέσσερα
    πέντε έξι επτά οκτώ εννέα δέκα είκοσι δωρεάν 八折 半价 免费 一次 两次 三次 一个 两个 三个 十天 五天 三天
    """
)
_DATES = content_stems(
    """
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday noon midnight daily weekly monthly yearly
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря понедельник понедельникам вторник
    вторникам среда среду средам четверг четвергам пятница пятницу пятницам суббота субботу субботам воскресенье
    воскресеньям ежедневно ежегодно еженедельно ежемесячно полночь полдень осенью весной летом зимой
    січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня понеділок вівторок середа
    середу середах четвер п'ятниця п'ятницю субота суботу неділя неділю щодня щороку
    понеделник сряда четвъртък петък събота неделя Δευτέρα Τρίτη Τετάρτη Πέμπτη Παρασκευή Σάββατο Κυριακή
    周一 周二 周三 周四 周五 周六 周日 星期 每天 每周 每月 季度
    """
)


def asked_kind(question: str) -> AskedKind:
    """Return what the first question word asks for, empty if no word says it."""
    folded = question.casefold()
    for kind, phrase in _PHRASES:
        if phrase.search(folded):
            return kind
    for word in _WORD.findall(folded):
        for kind, words in _BY_KIND.items():
            if kind and word in words:
                return kind
    return ""


def is_question_word(word: str) -> bool:
    """Return whether a lower-case word only asks, or is a function word of one of these languages."""
    return word in _ALL


def fits_kind(text: str, kind: str, question: str) -> bool:
    """Return whether a text can answer a question of a kind by what the question does not say itself.

    A number needs a numeral, a date also a month or a weekday, a person a capital letter where the script has any.
    """
    asked = set(map(str.casefold, _TOKEN.findall(question)))
    fresh = " ".join(token for token in _TOKEN.findall(text) if token.casefold() not in asked)
    if kind in ("number", "date"):
        known = _NUMERALS if kind == "number" else _DATES | _NUMERALS
        return bool(_DIGIT.search(fresh)) or not known.isdisjoint(content_stems(fresh))
    if kind == "person":
        return text.lower() == text.upper() or any(map(str.isupper, fresh))
    return True
