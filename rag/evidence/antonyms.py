"""English words and their opposites, to turn a question round in training and to notice a sentence turned round.

A list by hand of what is common in questions about facts; it does not know which sense of a word is meant.
"""

from __future__ import annotations

__all__ = ["OPPOSITES"]

_OPPOSED = """
after/before above/below first/last largest/smallest biggest/smallest highest/lowest most/least more/less more/fewer
oldest/youngest oldest/newest older/newer older/younger early/late earlier/later earliest/latest best/worst better/worse
longest/shortest longer/shorter long/short high/low higher/lower large/small larger/smaller big/small strong/weak
stronger/weaker strongest/weakest fast/slow faster/slower rich/poor good/bad major/minor common/rare public/private
north/south northern/southern east/west eastern/western inside/outside internal/external male/female men/women man/woman
mother/father brother/sister son/daughter king/queen husband/wife boys/girls win/lose won/lost begin/end began/ended
begins/ends beginning/end start/stop started/stopped open/close opened/closed increase/decrease increased/decreased
increases/decreases rise/fall rose/fell buy/sell bought/sold arrive/leave arrived/left enter/leave support/oppose
supported/opposed allow/forbid allowed/forbidden accept/reject accepted/rejected include/exclude included/excluded
create/destroy created/destroyed build/demolish built/demolished attack/defend attacked/defended love/hate loved/hated
gain/lose gained/lost found/lost import/export imported/exported hire/fire hired/fired join/leave
joined/left add/remove added/removed approve/reject approved/rejected succeed/fail succeeded/failed pass/fail
passed/failed born/died alive/dead young/old ancient/modern former/current previous/next upper/lower
with/without always/never usually/rarely often/rarely maximum/minimum positive/negative direct/indirect
legal/illegal formal/informal natural/artificial urban/rural domestic/foreign permanent/temporary primary/secondary
victory/defeat success/failure ally/enemy allies/enemies ancestor/descendant advantage/disadvantage cause/prevent
caused/prevented encourage/discourage encouraged/discouraged protect/harm protected/harmed known/unknown
popular/unpopular important/unimportant hot/cold warm/cool wet/dry summer/winter day/night morning/evening black/white
"""


def _opposites() -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for pair in _OPPOSED.split():
        one, other = pair.split("/")
        table.setdefault(one, []).append(other)
        table.setdefault(other, []).append(one)
    return table


OPPOSITES = _opposites()
