"""Words that say little about what a query is after: articles, pronouns, prepositions, auxiliaries, question words.

BM25 weights a word by its rarity. In a collection of reports and contracts a word such as "what" is rare, and would
count for more than the words that the question is about. Names of months (May) and modal verbs with another meaning
(will, must) are left out. Languages without a list have no function words.
"""

from __future__ import annotations

__all__ = ["FUNCTION_WORDS"]

FUNCTION_WORDS = {
    "english": frozenset(
        """
        a about an and any are as at be been being but by can could did do does for from had has have having he her
        here hers him his how i if in into is it its me my no nor not of off on or our ours she should so some such
        than that the their theirs them then there these they this those to too was we were what when where which
        while who whom whose why with would you your yours
        """.split()  # noqa: SIM905 - a list literal is laid out one word a line
    ),
    "russian": frozenset(
        """
        а без более бы был была были было быть в вам вас ваш весь во вот все всего всех вы где да для до его ее её если
        есть еще ещё же за зачем и из или им их к как какая какие каким какими каких какого какое какой каком какому
        когда кого который которая которое которые кому кто куда ли либо между мне мой мы на над надо нам нас наш не
        него нее неё нет ни них но ну о об он она они оно от откуда по под почему при про с сколько со так также такой
        там те тем то того тоже той только том тот ты у уже чего чей чем через что чтобы чья эта эти это этого этой
        этом этот эту я
        """.split()  # noqa: SIM905
    ),
}
