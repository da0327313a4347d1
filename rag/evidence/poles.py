"""Groups of English words that say the same or the opposite about offices, rooms, money and decisions.

Wider than :mod:`rag.evidence.antonyms`, which turns a question round: here a question and a sentence already speak of
one thing, so ``approved`` may stand for ``accepted`` and is denied by ``rejected``. Made by hand; it knows no senses.
"""

from __future__ import annotations

from functools import lru_cache

from rag.evidence.polarity import opposites_of
from rag.evidence.vocabulary import words_of

__all__ = ["relation"]

_MAY_DENY = frozenset(["in", "im", "il", "ir", "dis", "mis", "non", "anti"])

_GROUPS = """
pay payment paid cost charge fee price payable chargeable / free gratis complimentary waived
paid / unpaid
accept approve adopt grant agree carried pass / reject refuse decline deny turned-down
open opened reopened running / closed shut shuttered
available stock left obtainable / unavailable
include included cover covered part contain contains covers / exclude excluded
grow grew rise increase climb gain improve / fall drop shrink decrease sink decline
warm hot / cold cool
insure cover /
profit surplus / loss deficit
public / confidential secret private
valid / expired invalid void
complete / incomplete missing
lock locked / unlock unlocked unattended
begin start commence / end finish stop
permanent / temporary
end terminate cancel resign quit /
refund reimburse money-back returned back / forfeited
phone telephone call ring /
buy purchase order bought /
car vehicle drive /
child children kid / adult
employee staff worker /
sick ill unwell / healthy well
eat food drink meal / fasting
computer laptop pc /
trip travel journey /
transfer pass /
send sent mail post ship deliver /
booking book reserve reservation /
holiday leave vacation /
wage pay salary paid /
late overdue / punctual
full / empty
free vacant / occupied busy
same equal / different more less
more / less fewer
rise up / down
sooner early earlier before /
limit limited maximum cap / unlimited
wash clean hose / dirty
allow allowed permit / forbid
extend renew prolong /
sublet sublease /
"""


def relation(asked: str, said: str) -> int:
    """Return 1 if two stems say the same, -1 if they say opposite things, 0 if they are unrelated."""
    if asked == said:
        return 1
    for number, sign in _places().get(asked, ()):
        for other, opposite in _places().get(said, ()):
            if number == other:
                return sign * opposite
    return -1 if said in opposites_of(asked) else _by_form(asked, said)


def _by_form(one: str, other: str) -> int:
    """Return 1 for forms of one word (``vaccin``, ``vaccinat``; ``phone``, ``telephon``), -1 for ``un`` before one.

    Other syllables that may deny, as in ``inform`` and ``indirect``, tell nothing.
    """
    short, long = sorted((one, other), key=len)
    if len(short) < 5:
        return 0
    if long.startswith(short):
        return 1
    before = long.removesuffix(short)
    if before == long or len(before) > 4:
        return 0
    return -1 if before == "un" else int(before not in _MAY_DENY)


@lru_cache(maxsize=1)
def _places() -> dict[str, list[tuple[int, int]]]:
    """Return the group and the side of each stem."""
    places: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(_GROUPS.strip().splitlines()):
        for sign, side in zip((1, -1), line.split("/"), strict=True):
            for word in side.split():
                for stem in words_of(word):
                    if (number, sign) not in places.setdefault(stem, []):
                        places[stem].append((number, sign))
    return places
