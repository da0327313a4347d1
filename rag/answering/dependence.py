"""Whether a question can be understood alone, in English and Russian, by its words.

A question depends on what was said before if a word in it points back (``it``, ``his``, ``the blue one``, ``там``) and
nothing before that word in the question itself could be meant, or if it is a fragment (``Why?``, ``And in 2019?``,
``А зимой?``). In doubt it stands alone: a question that is changed without need is worse than one that is not. The
rules know no grammar, so a pointing word behind two or more content words counts as resolved there.
"""

from __future__ import annotations

import re

__all__ = ["depends_on_history", "is_fragment", "without_opening"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|(?<!\w)'[^']*'(?!\w)|‘[^’]*’")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASKING = _words(
    "what who whom whose which when where why how что чего чему чем кто кого кому кем чей чья чьё чье чьи какой какая "
    "какое какие какого какую каком каким каких какими когда где куда откуда почему зачем как сколько насколько ли"
)
_NOUN_SLOT = _words("what which whose how какой какая какое какие какого какую каком каким каких сколько чей чья чьи")
_AUXILIARY = _words(
    "is are was were be been being am do does did has have had can could will would shall should may might must "
    "isn't aren't wasn't weren't don't doesn't didn't can't won't"
)
_EMPTY = _words(
    "i you we me us a an the and or but so also then of in on at to for from by with about as if than too not no yes "
    "exactly actually still ever often usually always now long much many far old well please "
    "и или но а же бы не ни да в во на с со к ко о об обо у за по из от до для при про без над под через "
    "я ты вы мы мне вам нам быть был была было были будет есть можно нужно надо ещё еще уже тоже также именно"
)
_PREPOSITIONS = _words("of in on at to for from by with about into over under since until в во на с со к ко о об обо у за по из от до для при про без над под через")  # fmt: skip  # noqa: E501
_DETERMINERS = _words("the a an my your our every each any some no")

_SUBJECTS = _words("he she they it he's she's they're it's он она оно они")
_POSSESSIVES = _words("his its their hers theirs his her")
_OBJECTS = _words("it them him her его её ее их ему ей им него неё нее них нему ней ним ними нём нем нею ею")
_THIS = _words("this that these those это этот эта эти этого этой этих этому этим этом эту этими тот та те того той тех тому том")  # fmt: skip  # noqa: E501
_THERE = _words("there then там туда оттуда тогда")
# "this document", "в этом году": what is meant is there without any history.
_PRESENT = re.compile(
    r"(?:document|manual|handbook|policy|text|file|contract|guide|page|collection|report|article|book|year|month|week|"
    r"morning|evening|summer|winter|spring|autumn|time|day|days|documents|files|документ|руководств|инструкц|договор|"
    r"файл|текст|страниц|отчёт|отчет|год|месяц|недел|раз)"
)
_HAVING = _words("has have had has been")
_MAKING = _words("make makes made let lets find finds keep keeps take takes like says say")

_BRIEF = 6  # words
_BARE = re.compile(
    r"(?:(?:please |can you |could you )?(?:tell me more|more details?|go on|continue|explain|elaborate|why not|how so|"
    r"how come|what else|who else|where else|anything else|which ones?|are you sure|really|more|and|"
    r"what does (?:this|that|it) mean)(?: please| about (?:it|this|that))?|"
    r"(?:а |и )?(?:подробнее|расскажи(?:те)? (?:подробнее|ещё|еще)|поясни(?:те)?|объясни(?:те)?|что (?:ещё|еще)|"
    r"кто (?:ещё|еще)|точно|правда|ещё|еще|почему нет|как так|а если нет))"
)
_OPENING = re.compile(
    r"(?:and|but|or|so|ok|okay|well|а|и|но|ну|или)[,\s]+(?:(?:и|а|so|what|then)[,\s]+(?=if|если))?", re.I
)
_ABOUT = re.compile(
    r"(?:(?:and|so|ok|but)[,\s]+)?(?:what|how) about\b|(?:а\s+|и\s+|ну\s+)?(?:что|как)\s+насч[её]т\b|"
    r"(?:а|и)\s+что\s+(?:с|со|по)\b",
    re.IGNORECASE,
)
_ONE = re.compile(
    r"\b(?:which|the (?:(?!of\b|name\b)[\w-]+ ){1,2}|this|another|that(?! one (?:should|can|could|must|may|would)))"
    r" ?ones?\b"
    r"(?! (?:of|who|that|which|where|with)\b)(?! [A-Z])|\bthe ones?$"
)
_NO_ONE = re.compile(r"\b(?:no|any|every|some)[ -]?one\b")
_FORMER = re.compile(
    r"\bthe (?:former|latter|same)\b(?! [\w-]+ .*\bas\b)"
    r"(?= (?:is|are|was|were|do|does|did|has|have|one|true|in|for|on)\b|$)|"
    r"\b(?:те|то|тот) же\b"
)
_WHICH_ER = re.compile(r"which (?:is|was|are|were) (?:the )?(?:more |most )?[\w-]+")
_IMPERSONAL = re.compile(
    r"\bit\b.*\b(?:to|that|when|if|from|whether|like|how|why|who|rain|snow)\b|\bwhat (?:time|day|date) is it\b"
)
_TALK = re.compile(r"\b(?:you|your|i|me|my|вы|вас|вам|ваш\w*|ты|тебя|твой|я|мне|мой)\b")


def depends_on_history(question: str) -> bool:
    """Tell whether a question can be understood only with what was said before."""
    text = " ".join(_QUOTED.sub(" X ", question).split())
    bare = re.sub(r"[\s?!.…]+$", "", text)
    lowered = bare.lower().replace("’", "'")
    if not _WORD.search(lowered):
        return False
    about = _ABOUT.match(lowered)
    if is_fragment(question) or (about and len(lowered[about.end() :].split()) <= _BRIEF):
        return True
    opening = _OPENING.match(bare)
    words = _WORD.findall(bare[opening.end() :] if opening else bare)
    if opening and not _is_whole(words):
        return True
    return _points_back(bare, words)


def is_fragment(question: str) -> bool:
    """Tell whether a question is less than a sentence: ``Why?``, ``In 2019?``, ``And for trainees?``."""
    bare = re.sub(r"[\s?!.…]+$", "", question.strip())
    if _BARE.fullmatch(bare.lower().replace("’", "'")):
        return True
    rest = without_opening(bare)
    words = [word.lower() for word in _WORD.findall(rest)]
    if not words:
        return rest != bare
    if rest != bare and words[0] not in _ASKING | _AUXILIARY and not (set(words) & _AUXILIARY):
        return True
    if words[0] in _ASKING and not _content(words) and not _TALK.search(rest.lower()):
        return len(words) <= 3 and not (set(words) & (_SUBJECTS | _THIS | _THERE))
    short = len(words) <= 3 and question.rstrip().endswith("?") and not _TALK.search(rest.lower())
    if short and (all(w.isdecimal() for w in words) or all(w in _ASKING | _PREPOSITIONS | _EMPTY for w in words)):
        return True
    prepositional = words[0] in _PREPOSITIONS and len(words) <= 5 and question.rstrip().endswith("?")
    return prepositional and not set(words) & (_ASKING | _AUXILIARY)


def without_opening(question: str) -> str:
    """Return the question without ``and``, ``what about``, ``а`` and the like at its beginning."""
    for pattern in (_ABOUT, _OPENING):
        found = pattern.match(question)
        if found:
            return question[found.end() :].lstrip(" ,")
    return question


def _is_whole(words: list[str]) -> bool:
    """Tell whether what follows an ``and`` is a question of its own: it names something, or says enough."""
    return bool(_named(words[1:])) or len(_content([word.lower() for word in words])) > 2


def _points_back(text: str, words: list[str]) -> bool:
    lowered = text.lower().replace("’", "'")
    if (one := _ONE.search(text)) and not _NO_ONE.search(lowered) and not re.search(r"[,:]|\bor\b", text):
        return not _named(_WORD.findall(text[: one.start()])[1:])
    if _WHICH_ER.fullmatch(lowered):
        return True
    if (found := _FORMER.search(lowered)) and not _named(_WORD.findall(text[: found.start()])[1:]):
        return len(_content(_WORD.findall(lowered[: found.start()]))) == 0
    if _is_cataphora(text):
        return False
    plain = [word if n and word[:1].isupper() else word.lower().replace("’", "'") for n, word in enumerate(words)]
    impersonal = bool(_IMPERSONAL.search(lowered))
    return any(_points(plain, n, impersonal) for n in range(len(plain)))


def _points(words: list[str], at: int, impersonal: bool) -> bool:
    """Tell whether the word at a place means something that the words before it cannot."""
    word, following = words[at], words[at + 1 : at + 2]
    if word in ("it", "it's") and impersonal:
        return False
    if word not in _SUBJECTS | _POSSESSIVES | _OBJECTS | _THIS | _THERE:
        return False
    before = _after_slot(words[:at])
    if _named(words[:at][1:]) or any(w in _DETERMINERS for w in before):
        return False
    content = _content(before)
    beside = [w for w in before if w not in _PREPOSITIONS]
    verb = len(content) == 1 and beside and beside[-1] == content[0] and (content[0] not in _MAKING or not following)
    if word in _THIS:
        return _is_demonstrative(words, at, content, bool(verb))
    if word in _THERE:
        return (at == len(words) - 1 and not (before and before[-1] in _AUXILIARY) and len(content) <= 1) or (
            word in ("там", "туда", "оттуда", "тогда") and not content)  # fmt: skip
    possessive = word in _POSSESSIVES or (word in ("его", "её", "ее", "их") and bool(following))
    if possessive and (following == ["own"] or (before and before[-1] in _HAVING | {"и", "and"})):
        return False
    slot = len(before) + 1 < at  # more than the asking word was left out
    if possessive and (slot or words[:2] == ["which", "of"]) and not _subject_verb(before):
        return False  # "what cells are at their lowest": what is asked for is meant
    if not content:
        return not (before and before[-1] in ("and", "и", "or", "или"))
    return word in _OBJECTS and bool(verb) and (word != "her" or not following)


def _subject_verb(before: list[str]) -> bool:
    return bool(before) and before[0] in ("do", "does", "did")


def _is_demonstrative(words: list[str], at: int, content: list[str], verb: bool) -> bool:
    following = words[at + 1 : at + 2]
    if following and _PRESENT.match(following[0].lower()):
        return False
    if words[at] == "those" and following and following[0] in _PREPOSITIONS | {"who", "which", "that"}:
        return False
    if following and _named(words[at + 1 :]):
        return False  # "this statement of Luther's": a name says which
    if words[at] in ("that", "тот", "та", "те", "того", "той", "тех", "тому", "том", "those"):
        # A conjunction or the head of a clause as often as not: only where nothing at all stands before it.
        closed = not following or following[0] in _AUXILIARY | _PREPOSITIONS
        aux = at > 0 and words[at - 1] in _AUXILIARY
        return not content and (closed or aux or at == 1) and not (following and following[0] in ("who", "which"))
    if "правда" in words or "верно" in words:
        return False
    of_this = at > 0 and words[at - 1] in ("of", "for") and bool(following) and len(content) <= 2
    return not content or verb or of_this


def _after_slot(words: list[str]) -> list[str]:
    """Leave out the noun of ``what colour is``, ``how many wheels does`` and ``какой вес``: it is what is asked for."""
    if not words or words[0] not in _NOUN_SLOT:
        return words
    for n, word in enumerate(words[1:5], start=1):
        if word in _AUXILIARY:
            having = word in _HAVING and n > 1
            return words if having else words[n:]
        if word in _DETERMINERS:
            return words
    russian = bool(re.match("[а-яё]", words[0]))
    return words[2:] if russian and len(words) >= 2 else words


def _is_cataphora(text: str) -> bool:
    """Tell whether a clause in front points at a name behind it: *Before he was king, what did Alfred do?*"""
    first, comma, rest = text.partition(",")
    opens = re.match(
        r"(?:before|after|when|while|as|in|despite|during|with|until|since|если|когда|до|после|в)\b", first, re.I
    )
    return bool(comma and opens and _named(_WORD.findall(rest)))


def _content(words: list[str]) -> list[str]:
    known = _ASKING | _AUXILIARY | _EMPTY | _SUBJECTS | _POSSESSIVES | _OBJECTS | _THIS | _THERE
    return [word for word in words if word.lower() not in known]


def _named(words: list[str]) -> list[str]:
    """Return what looks like a name or a number; the first word of a sentence is for the caller to leave out."""
    return [word for word in words if (word[0].isupper() and word not in ("I", "X")) or word[0].isdigit()]
