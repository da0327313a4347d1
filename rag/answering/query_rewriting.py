"""A question that depends on the conversation is rewritten so that it can be understood alone.

Retrieval and the reader see one question and no history. Whether a question depends on it is for
:mod:`rag.answering.dependence` to say; one that does not is never touched. A language model rewrites where there is
one, and what
it writes is checked: it must keep the question's content words, add none that nobody said, and stand alone itself. Else
rules put in what was spoken of: an exchanged name or number, a name in place of a pronoun, the last question beside a
fragment. Where these find nothing either, the question stays as it was asked.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.answering.dependence import depends_on_history, is_fragment, without_opening
from rag.errors import RagError
from rag.evidence.token_match import content_stems
from rag.generation.base import Completer, Prompt, Sampling, TextStream
from rag.retrieval.retriever import MAX_QUESTION_CHARS

__all__ = ["Rewritten", "Turn", "rewrite"]

How = Literal["standalone", "model", "rules", "kept"]
_TURNS = 3
_SAMPLING = Sampling(max_tokens=64, stop=("\n",))
_MOST_ADDED = 200  # characters


@dataclass(frozen=True)
class Turn:
    """What was asked before, in its rewritten form, and answered; ``answer`` is empty where there was none."""

    question: str
    answer: str = ""


@dataclass(frozen=True)
class Rewritten:
    """The question to retrieve for. ``how``: it stood alone, was rewritten, or depends on what could not be found."""

    question: str
    original: str
    how: How

    @property
    def changed(self) -> bool:
        """Whether it is another question than was asked."""
        return self.question != self.original


def rewrite(
    question: str, history: Sequence[Turn], *, writer: Completer | None = None, seconds: float = 3.0
) -> Rewritten:
    """Return the question as it can be understood alone; ``writer`` has ``seconds`` to say it."""
    asked = " ".join(question.split())
    if not history or len(asked) > MAX_QUESTION_CHARS or not depends_on_history(asked):
        return Rewritten(question, question, "standalone")
    turns = list(history)[-_TURNS:]
    if writer is not None:
        written = _written(asked, turns, writer, seconds)
        if written is not None and _is_sound(written, asked, turns):
            return Rewritten(written, question, "model")
    ruled = _by_rules(asked, turns)
    if ruled == asked or len(ruled) > MAX_QUESTION_CHARS:
        return Rewritten(question, question, "kept")
    return Rewritten(ruled, question, "rules")


# By a model ---------------------------------------------------------------------------------------------------

_EXAMPLES = (
    ("How tall is the Harrow lighthouse?", "31 metres", "When was it lit?", "When was the Harrow lighthouse lit?"),
    (
        "What does lentil soup cost on Mondays?",
        "four tokens",
        "And on Fridays?",
        "What does lentil soup cost on Fridays?",
    ),
    ("Кто построил мельницу в Лунне?", "Анна Брандт", "Когда она родилась?", "Когда родилась Анна Брандт?"),
)


def _prompt(question: str, turns: Sequence[Turn]) -> Prompt:
    shown = "".join(
        f"Question: {q}\nAnswer: {a}\nNext question: {n}\nNext question in full: {f}\n\n" for q, a, n, f in _EXAMPLES
    )
    said = "".join(f"Question: {_brief(turn.question)}\nAnswer: {_brief(turn.answer) or '-'}\n" for turn in turns)
    return Prompt(f"{shown}{said}Next question: {question}\nNext question in full:")


def _written(question: str, turns: Sequence[Turn], writer: Completer, seconds: float) -> str | None:
    """Return what the model writes, None where it fails or takes too long; then it is stopped."""
    said: list[str] = []
    streams: list[TextStream] = []
    given_up = threading.Event()

    def write() -> None:
        try:
            stream = writer.stream(_prompt(question, turns), _SAMPLING)
            streams.append(stream)
            if given_up.is_set():
                stream.close()
                return
            said.append("".join(stream))
        except RagError:
            return  # the rules answer instead; the same fault, if it lasts, is told with the answer itself

    thread = threading.Thread(target=write, name="rewriting", daemon=True)
    thread.start()
    thread.join(seconds)
    given_up.set()
    if thread.is_alive():
        for stream in streams:
            stream.close()
        return None
    return " ".join(said[0].split()) if said else None


def _is_sound(written: str, question: str, turns: Sequence[Turn]) -> bool:
    asked, wrote = content_stems(_pointless(question)), content_stems(written)
    spoken = content_stems(" ".join([question, *(f"{turn.question} {turn.answer}" for turn in turns)]))
    said_before = {turn.question.casefold() for turn in turns}
    return (
        1 < len(written) <= len(question) + _MOST_ADDED
        and written.endswith("?")
        and written.casefold() not in said_before
        and asked <= wrote <= spoken
        and not depends_on_history(written)
    )


def _pointless(question: str) -> str:
    """Return the question without the words that only point: ``one`` of *the blue one* is to be replaced."""
    return re.sub(
        r"\b(?:ones?|there|then|там|тогда|туда|оттуда|насч[её]т)\b", " ", without_opening(question), flags=re.I
    )


# By rules -----------------------------------------------------------------------------------------------------

_NAME = re.compile(
    r"(?<![\w])(?:[A-ZА-ЯЁ][\w'’.-]*\w|[A-ZА-ЯЁ]|«[^»]+»|“[^”]+”|\"[^\"]+\")"
    r"(?:\s+(?:(?:of|the|de|van|von|der)\s+)*(?:[A-ZА-ЯЁ][\w'’-]*|\d[\w.-]*|«[^»]+»))*"
)
_STOPS_NOUN = (
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|must|in|on|at|of|for|from|to|"
    r"by|with|about|when|if|and|or|that|which|who|after|before|during|need|needs|weigh|weighs|cost|costs|last|lasts|open|closed|allowed|called|made|used|located)"
)
_NOUN = re.compile(rf"\b(?:the|an?|my|our|your)\s+((?:(?!{_STOPS_NOUN}\b)[\w-]+\s*){{1,3}})", re.IGNORECASE)
_THING = re.compile(
    rf"\b(?:the|an?|my|our|your)\s+(?!{_STOPS_NOUN}\b)[\w-]+(?:\s+(?!{_STOPS_NOUN}\b)[\w-]+){{0,3}}(?=\s+{_STOPS_NOUN}\b|$)",
    re.IGNORECASE,
)
_NUMBER = (
    r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"два|две|три|четыре|пять|шесть|семь|восемь|девять|десять)"
)
_PERSON = re.compile(r"\b(?:he|she|him)\b|\b(?:his|her)\b", re.IGNORECASE)
_ASKS_WHO = re.compile(r"\s*(?:who|whom|кто|кого|кому|кем)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:what|who|whom|which|when|where|why|how|что|кто|когда|где|почему|сколько)\b", re.IGNORECASE)
_PRONOUN = re.compile(
    r"\b(?:(?P<possessive>his|its|their|her(?=\s+\w))|(?P<plain>it|he|she|they|him|them|her|this|that|these|those))\b",
    re.IGNORECASE,
)
_ASKING_FIRST = re.compile(
    r"(?:what|who|whom|whose|which|when|where|why|how|is|are|was|were|do|does|did|can|could|will|should|may|must|has|"
    r"have|had|in|on|at|by|for|from|to|since|что|кто|какой|какая|какое|какие|когда|где|почему|как|сколько|в|на|кому|кого)\b",
    re.IGNORECASE,
)


_CALENDAR = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|(?:january|february|march|april|may|june|july|august|september|"
    r"october|november|december)\b",
    re.IGNORECASE,
)


def _by_rules(question: str, turns: Sequence[Turn]) -> str:
    last = turns[-1]
    previous = re.sub(r"[\s?!.…]+$", "", " ".join(last.question.split()))
    if not previous:
        return question
    bare = re.sub(r"[\s?!.…]+$", "", question)
    rest = without_opening(bare)
    if rest != bare and _ASKING_FIRST.match(rest) and not is_fragment(f"{rest}?") and depends_on_history(f"{rest}?"):
        bare = rest[0].upper() + rest[1:]  # "And how heavy is it?": a whole question behind the opening word
    elif rest != bare or is_fragment(question):
        # The capital that begins a sentence makes no name.
        exchanged = _exchanged(rest if rest != bare else f"{bare[0].lower()}{bare[1:]}", previous)
        return f"{exchanged}?" if exchanged else _beside(bare, rest, last)
    one = re.search(r"\b(the(?: [\w-]+)?) (ones?)\b", bare, re.IGNORECASE)
    if one and (noun := _noun(previous)):
        return f"{bare[: one.start()]}{one[1]} {noun.split()[-1]}{bare[one.end() :]}?"
    entity = _entity(bare, last)
    if entity is None:
        return _beside(bare, bare, last)
    if re.search("[а-яё]", bare, re.IGNORECASE):
        return f"{entity}: {bare[0].lower()}{bare[1:]}?"  # in place its case would be wrong
    return _in_place(bare, entity)


def _exchanged(fragment: str, previous: str) -> str | None:
    """Ask the previous question with the fragment in place of what it corresponds to, None where nothing does."""
    if (
        not content_stems(fragment)
        or _ASKS.search(fragment)
        or (_ASKING_FIRST.fullmatch(fragment.partition(" ")[0]) and not _preposition(fragment))
    ):
        return None
    if _preposition(fragment):
        fragment = fragment[0].lower() + fragment[1:]
    year, years = re.findall(r"\b\d{4}\b", fragment), re.findall(r"\b\d{4}\b", previous)
    if len(year) == 1 and len(years) == 1 and len(fragment.split()) <= 3:
        return previous.replace(years[0], year[0])
    if (preposition := _preposition(fragment)) is not None:
        same = list(re.finditer(rf"(?<!^)\b{preposition}\b", previous, re.IGNORECASE))
        if same:
            return previous[: same[-1].start()] + fragment
        if re.match(r"(?:in|on|at|during|for|from|by|since|after|before)$", preposition):
            return f"{previous} {fragment}"
        return None
    if one := re.fullmatch(r"(the [\w-]+) ones?", fragment, re.IGNORECASE):
        noun = _noun(previous)
        return _replaced(previous, noun, f"{one[1].split(' ', 1)[1]} {noun.split()[-1]}") if noun else None
    if (counted := _other_number(fragment, previous)) is not None:
        return counted
    new, old = _names(fragment), _names(previous)
    if len(new) == 1 and old:
        return _replaced(previous, old[-1], new[0])
    things = list(_THING.finditer(previous))
    if not new and len(things) == 1 and _THING.fullmatch(fragment):
        return f"{previous[: things[0].start()]}{fragment[0].lower()}{fragment[1:]}{previous[things[0].end() :]}"
    return None


def _other_number(fragment: str, previous: str) -> str | None:
    """Put a number and what is counted in place of the only such number of the previous question."""
    told = re.fullmatch(rf"({_NUMBER})(\s+\w+)", fragment, re.IGNORECASE)
    numbers = list(re.finditer(rf"\b{_NUMBER}\b{re.escape(told[2])}\b", previous, re.IGNORECASE)) if told else []
    if told is None or len(numbers) != 1:
        return None
    return f"{previous[: numbers[0].start()]}{told[0].lower()}{previous[numbers[0].end() :]}"


def _preposition(fragment: str) -> str | None:
    found = re.match(
        r"(in|on|at|for|from|to|by|with|during|after|before|since|of|without|в|во|на|для|с|со|из|от|до|при|по|без|после)\s+\S",
        fragment,
        re.IGNORECASE,
    )
    return found[1].lower() if found else None


def _beside(bare: str, rest: str, last: Turn) -> str:
    """Put the last question, and what was answered, beside one that has no place for it."""
    before = re.sub(r"[\s?!.…]+$", "", _brief(last.question))
    answer = _brief(last.answer)
    told = f"{before}: {answer}" if answer and _ASKING_FIRST.match(rest) else before
    shown = rest if content_stems(rest) else bare
    return f"{shown[:1].upper()}{shown[1:]} ({told})?"


def _entity(question: str, last: Turn) -> str | None:
    """Return what was spoken of: a person's name that was answered, else the last name or thing of the question."""
    names = _names(last.question)
    answer = _brief(last.answer).rstrip(".")
    asked_who = _ASKS_WHO.match(last.question) and _NAME.fullmatch(answer) is not None
    russian_person = re.search(r"\b(?:он|она|его|её|ее|ему|ей|ним|ней|него|неё)\b", question, re.IGNORECASE)
    if asked_who and (_PERSON.search(question) or russian_person):
        return answer
    if names:
        the = re.search(rf"\bthe {re.escape(names[-1])}", last.question)
        return the.group() if the else names[-1]
    if noun := _noun(last.question):
        return f"the {noun}"
    return answer if asked_who else None


def _names(text: str) -> list[str]:
    found = [match.group() for match in _NAME.finditer(text)]
    if found and text.startswith(found[0]):
        first, *others = found[0].split()
        if _ASKING_FIRST.fullmatch(first):
            found[0] = " ".join(others)
        elif len(found) > 1 and not others:
            found = found[1:]
    return [name for name in found if name and not _CALENDAR.match(name)]


def _noun(text: str) -> str | None:
    found = list(_NOUN.finditer(text))
    if not found:
        return None
    words = found[-1][1].split()
    ends = not text[found[-1].end() :].strip(" ?!.…")
    if len(words) > 1 and ends and re.search(r"\b(?:do|does|did)\s+$", text[: found[-1].start()], re.IGNORECASE):
        words.pop()  # "When does the backup run?": its last word is the verb
    elif len(words) > 1 and ends and re.search(r"\w{3}ed$", words[-1]):
        words.pop()  # "How often are the lenses cleaned?"
    return " ".join(words)


def _replaced(text: str, old: str, new: str) -> str | None:
    start = text.rfind(old)
    return None if start < 0 else text[:start] + new + text[start + len(old) :]


def _in_place(question: str, entity: str) -> str:
    found = _PRONOUN.search(question, 1)
    if found is None:
        return f"{question} ({entity})?"
    ends_in_s = "’" if entity.endswith("s") else "’s"
    noun = re.match(
        r"\s+(?!(?:is|are|was|were|do|does|did|has|have|had|can|will|in|on|at|to|for)\b)[\w-]+", question[found.end() :]
    )
    new = entity + ends_in_s if found["possessive"] else entity
    if found["plain"] and found["plain"].lower() in ("this", "that", "these", "those") and noun:
        return f"{question} ({entity})?"  # "this bridge": its noun stays
    return f"{question[: found.start()]}{new}{question[found.end() :]}?"


def _brief(text: str, most: int = 160) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else words[:most].rsplit(" ", 1)[0]
