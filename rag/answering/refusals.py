"""Recognize that a language model found no answer, whole or from the beginning of a stream.

The instructions ask for "not in the passages" (:mod:`rag.prompt_templates`). Models also say it in other words and in
the question's language. Two kinds of phrases are known, in twelve languages. A *verdict* ("Not in the passages.") is a
refusal whatever follows its clause. An *opening* ("The passages do not mention …") is one only as the sole sentence of
an answer, without a "but": otherwise something is answered after it. An unknown wording counts as an answer.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice, product

__all__ = ["is_abstention", "may_abstain"]

_LONGEST_REFUSAL = 400  # characters of a sentence with an opening


def _phrases(*parts: Sequence[str]) -> Iterable[str]:
    """Yield every combination of one piece of each part; an empty piece is left out."""
    return (" ".join(filter(None, pieces)) for pieces in product(*parts))


_EN = ("passages", "documents", "excerpts", "sources", "provided passages", "given passages")
_DE = ("passagen", "dokumenten", "textstellen", "abschnitten", "auszügen", "quellen", "texten")
_RU = ("отрывках", "документах", "фрагментах", "текстах", "пассажах", "источниках", "тексте")
_SAID = ("", "found", "stated", "mentioned", "given", "specified", "contained")


@cache
def _verdicts() -> list[str]:
    """Return the phrases that are a refusal whatever follows their clause, sorted."""
    return sorted(
        {
            *_phrases(
                ("", "it is", "this is", "that is", "the answer is", "this information is"),
                ("not",), _SAID, ("in the",), _EN, ("", "provided"),
            ),
            *_phrases(
                ("", "das ist", "dies ist", "die antwort ist", "das steht", "die antwort steht"),
                ("nicht in den",), _DE, ("", "enthalten", "angegeben", "zu finden"),
            ),
            *_phrases(
                ("", "этого", "ответа", "ответ", "такой информации", "это"),
                ("нет", "не указано", "не найдено", "не содержится", "отсутствует"), ("в",), _RU,
            ),
            *_phrases(("в",), _RU, ("ответа нет", "этого нет", "нет ответа", "нет", "не указано")),
            *_phrases(
                ("", "ce n'est", "cela n'est", "la réponse n'est"), ("pas dans les",),
                ("passages", "documents", "extraits", "textes"),
            ),
            *_phrases(
                ("", "la respuesta", "esto"), ("no está en los", "no aparece en los", "no se encuentra en los"),
                ("pasajes", "documentos", "fragmentos", "textos"),
            ),
            *_phrases(
                ("", "la risposta"), ("non è nei", "non si trova nei", "non nei"),
                ("passaggi", "documenti", "brani", "testi"),
            ),
            *_phrases(
                ("", "a resposta"), ("não está", "não consta"), ("nas passagens", "nos trechos", "nos documentos")
            ),
            *_phrases(("", "het staat", "dit staat"), ("niet in de",), ("passages", "documenten", "fragmenten")),
            *_phrases(("", "tego", "odpowiedzi"), ("nie ma w",), ("fragmentach", "dokumentach", "tekstach")),
            *_phrases(("", "цього", "відповіді"), ("немає в", "немає у"), ("уривках", "документах", "фрагментах")),
            *("不在段落中", "不在文档中", "段落中没有答案", "文档中没有答案"),

        }
    )  # fmt: skip


@cache
def _openings() -> list[str]:
    """Return the beginnings of sentences that are a refusal if they are the only one, sorted."""
    return sorted(
        {
            *_phrases(
                ("the", "these", "those", "the provided", "the given", "the available"),
                ("passages", "documents", "excerpts", "sources", "text", "texts", "context"),
                ("do not", "does not", "don't", "doesn't"),
                ("contain", "mention", "provide", "include", "specify", "state", "say", "give", "answer", "hold"),
            ),
            *_phrases(("there is", "i found", ""), ("no information", "no mention", "no answer")),
            *_phrases(("i",), ("cannot", "can't", "could not", "couldn't"), ("answer", "find", "determine")),
            *_phrases(("i",), ("do not", "don't"), ("know",)),
            *_phrases(
                ("die", "diese", "die vorliegenden", "die angegebenen", "die bereitgestellten"),
                ("passagen", "dokumente", "textstellen", "abschnitte", "auszüge", "quellen", "texte"),
                ("enthalten", "nennen", "erwähnen", "beantworten", "sagen", "geben", "machen"),
                ("", "die frage", "dazu", "darüber", "hierzu"), ("keine", "keinen", "nicht", "nichts"),
            ),
            *_phrases(("", "dazu gibt es", "es gibt"), ("keine",), ("angaben", "information", "informationen")),
            "ich weiß es nicht",
            *_phrases(
                ("", "предоставленные", "данные", "эти"), ("отрывки", "документы", "фрагменты", "тексты", "источники"),
                ("не содержат", "не упоминают", "не указывают", "не говорят", "не дают", "не отвечают"),
            ),
            *_phrases(
                ("в",), ("", "предоставленных", "данных", "этих", "приведённых", "приведенных"), _RU,
                ("нет", "не указано", "не указана", "не указан", "не указаны", "не говорится", "не упоминается",
                 "не сказано", "отсутствует", "не содержится"),
            ),
            *("нет информации", "нет данных", "нет ответа", "я не знаю"),
            *_phrases(
                ("les", "ces"), ("passages", "documents", "extraits", "textes"),
                ("ne contiennent", "ne mentionnent", "ne précisent", "ne donnent", "n'indiquent", "ne répondent"),
                ("pas", "aucune", "aucun"),
            ),
            *("aucune information", "je ne sais pas"),
            *_phrases(
                ("los", "estos"), ("pasajes", "documentos", "fragmentos", "textos"), ("no",),
                ("contienen", "mencionan", "indican", "especifican", "dicen", "responden"),
            ),
            *("no hay información", "no lo sé"),
            *_phrases(
                ("i", "questi"), ("passaggi", "documenti", "brani", "testi"), ("non",),
                ("contengono", "menzionano", "indicano", "specificano", "dicono", "rispondono"),
            ),
            *("non ci sono informazioni", "non lo so"),

        }
    )  # fmt: skip


_CONTRASTS = frozenset(
    ("but", "however", "though", "although", "yet", "except", "aber", "jedoch", "allerdings", "sondern", "но", "однако",
     "mais", "cependant", "toutefois", "pero", "embargo", "aunque", "ma", "però", "tuttavia")
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_CLAUSE_END = re.compile(r"[ \t]*[.,;:!?…)»”\"*_\n—–。，]|\s*\Z")
_SECOND_SENTENCE = re.compile(r"[.!?…。]\W*?\s+\w|\n\s*\S")
_MOST_WORDS = 10  # of a phrase


def is_abstention(text: str) -> bool:
    """Return whether a text says that the passages hold no answer."""
    return _is_verdict(text) or _is_lone_opening(text.strip())


def may_abstain(beginning: str) -> bool:
    """Return whether a text that begins so may still turn out to be an abstention."""
    words = " ".join(re.sub(r"^\W+", "", _straight(beginning)).split())
    return _begins_one(words, _verdicts()) or _begins_one(words, _openings()) or _is_lone_opening(beginning.strip())


def _is_verdict(text: str) -> bool:
    """Return whether a text begins with a verdict, and its clause ends there."""
    straight = _straight(text)
    words = list(islice(_WORD.finditer(straight), _MOST_WORDS))
    if not words:
        return False
    begin = words[0].start()
    return any(
        _contains(_verdicts(), " ".join(straight[begin : word.end()].split()))
        and _CLAUSE_END.match(straight, word.end())
        for word in words
    )


def _is_lone_opening(text: str) -> bool:
    """Return whether a text is one sentence, or the beginning of one, that only says that nothing was found."""
    if len(text) > _LONGEST_REFUSAL or _SECOND_SENTENCE.search(text):
        return False
    words = _WORD.findall(_straight(text))
    begins = any(_contains(_openings(), " ".join(words[:count])) for count in range(1, _MOST_WORDS + 1))
    return begins and _CONTRASTS.isdisjoint(words)


def _begins_one(words: str, phrases: Sequence[str]) -> bool:
    """Return whether one of the sorted phrases begins with the words."""
    place = bisect_left(phrases, words)
    return place < len(phrases) and phrases[place].startswith(words)


def _contains(phrases: Sequence[str], words: str) -> bool:
    place = bisect_left(phrases, words)
    return place < len(phrases) and phrases[place] == words


def _straight(text: str) -> str:
    return text.replace("’", "'").lower()
