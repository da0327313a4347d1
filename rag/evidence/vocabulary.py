"""The content words of a text as stems, for checking claims: values, light words and forms of verbs are evened out.

Stricter than :mod:`rag.evidence.token_match`: numbers, dates and codes are left out, because they are compared as
values (:mod:`rag.evidence.values`), and so are words that say little, such as ``each`` or ``currently``. Irregular
forms of English verbs count as their infinitive, and who does something (``visitor``) as what is done (``visit``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from rag.evidence.token_match import content_stems, is_number
from rag.evidence.values import find_values

__all__ = ["words_of"]

_LIGHT = frozenset(
    """
    each every any some such only just also too very quite per get take make go come give say mean let need let's
    currently present presently moment now today one ones thing things way both either it's that's there's
    answer question passage document source according kind
    каждый любой лишь очень сейчас сегодня
    """.split()  # noqa: SIM905
)
_IRREGULAR = {
    form: base
    for line in """
    begin began begun;run ran;pay paid;sell sold;buy bought;make made;take took taken;give gave given;come came;
    go went gone;hold held;keep kept;leave left;lose lost;win won;rise rose risen;fall fell fallen;grow grew grown;
    meet met;send sent;spend spent;build built;bring brought;find found;choose chose chosen;write wrote written;
    drive drove driven;speak spoke spoken;stand stood;lie lay lain;lead led;get got gotten;say said;tell told;
    think thought;teach taught;catch caught;feel felt;know knew known;see saw seen;show shown;draw drew drawn;
    break broke broken;wear wore worn;sit sat;lend lent;rebuild rebuilt;become became;begin begins;throw threw thrown;
    sink sank sunk;swim swam swum;drink drank drunk;eat ate eaten;fly flew flown;forget forgot forgotten;sleep slept;
    shut shutting;freeze froze frozen;ride rode ridden;sweep swept;hang hung;strike struck;steal stole stolen;
    wake woke woken;withdraw withdrew withdrawn;undertake undertook undertaken;overtake overtook overtaken
    """.replace("\n", " ").split(";")
    for base, *forms in [line.split()]
    for form in forms
}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    """Return the stems of a text's content words, without values and light words."""
    plain = list(text)
    for value in find_values(text):
        if value.kind != "date":  # the names of months stay
            plain[value.start : value.end] = " " * (value.end - value.start)
    base = _WORD.sub(lambda match: _IRREGULAR.get(match.group().lower(), match.group()), "".join(plain))
    stems = [s for s in content_stems(base) if not is_number(s) and len(s) > 1]
    stems = [s for s in stems if s not in _LIGHT_STEMS] or stems
    return frozenset(s[:-2] if len(s) > 6 and s.endswith(("or", "er")) else s for s in stems)


_LIGHT_STEMS = content_stems(" ".join(_LIGHT)) | _LIGHT
