"""Rewrite a follow-up question so that it can be understood without the conversation.

Retrieval and the generator see one question and no history. A question depends on the conversation if it begins like a
continuation (``And ...``), is a fragment (``Why?``), or has a pronoun before any content of its own. A language model
rewrites it if there is one; its text must use the words of the conversation and stand alone. Otherwise the last
question is appended in parentheses, which retrieval and the extractive model handle as well as grammar rules did
(``benchmarks/followup.py``). In doubt a question stays unchanged.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.errors import RagError
from rag.evidence.token_match import content_stems
from rag.generation.base import Completer, Prompt, Sampling, TextStream
from rag.retrieval.retriever import MAX_QUESTION_CHARS
from rag.text import one_line

__all__ = ["Rewritten", "Turn", "depends_on_history", "rewrite"]

How = Literal["standalone", "model", "appended"]
_TURNS = 3
_SAMPLING = Sampling(max_tokens=64, stop=("\n",))
_MOST_ADDED = 200  # characters that a model may add
_BRIEF = 160  # characters of an earlier turn
_END = re.compile(r"(?<![\s?!.…])[\s?!.…]+$")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CONTINUES = re.compile(
    r"(?:and|but|or|so|what about|how about|tell me more|а|и|но|ну|или|что насч[её]т)\b(?! если\b)", re.IGNORECASE
)
_FRAGMENT_WORDS = 3
_ABOUT = re.compile(r"(?:what|how) about\b|tell me more\b|что насч[её]т\b", re.IGNORECASE)
_ASKS_FOR_SUBJECT = re.compile(
    r"(?:who(?! (?:is|was|are|were)\b)|whose|which|кто|чей|чья|какой|какая|какое|какие)\b", re.IGNORECASE
)
_SUBORDINATE = re.compile(r"(?:after|although|as|because|before|if|since|when|while|если)\b[^?]*,", re.IGNORECASE)
_CONJUNCTION = re.compile(r"\b(?:and|or|because|when|while|if|и|или|если)\b", re.IGNORECASE)
# Words that point back. A capital inside the question makes a title of them: "Who wrote It?"
_POINTING = re.compile(
    r"\b(?P<possessive>his|her|its|their|его|её|ее|их)\b|"
    r"\b(?:he|she|they|hers|him|them|theirs|он[аио]?|ему|ей|им|н[её]м|него|не[её]|них|нему|ней|ним|ними)\b|"
    # Not "how long does it take to ...", "what time is it in ...".
    r"(?<!time is )(?<!day is )(?<!date is )\bit\b(?!.*\b(?:to|that|when|if|for|take|mean|rain|snow)\b)|"
    r"\b(?:this|that|these|those)\b(?= (?:is|are|was|were|do|does|did|has|have)\b|\W*$)|"
    r"\b(?<!is )(?<!are )(?<!was )(?<!were )(?<!be )(?:there|then|ones?)(?=\W*$)|"
    r"\bthe [\w-]+ ones?\b(?! (?:of|who|that|which|with)\b)|"
    r"\b(?:там|туда|оттуда|тогда)\b|(?<!что )\bэто\b"
)
_VERBS = frozenset(
    "is are was were do does did has have had can could will would should may might must wrote есть".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Turn:
    """An earlier question, in its rewritten form, and its answer; empty if there was none."""

    question: str
    answer: str = ""


@dataclass(frozen=True)
class Rewritten:
    """The question to search for, the original, and ``how`` it was rewritten (``standalone``: not at all)."""

    question: str
    original: str
    how: How

    @property
    def changed(self) -> bool:
        """Whether the question differs from the original."""
        return self.question != self.original


def rewrite(
    question: str, history: Sequence[Turn], *, writer: Completer | None = None, seconds: float = 3.0
) -> Rewritten:
    """Return the question as it can be understood alone. ``writer`` has ``seconds`` to rewrite it."""
    asked = one_line(question)
    turns = [turn for turn in history if turn.question.strip()][-_TURNS:]
    if not turns or len(asked) > MAX_QUESTION_CHARS or not depends_on_history(asked):
        return Rewritten(question, question, "standalone")
    if writer is not None:
        written = _write(asked, turns, writer, seconds)
        if written is not None and _is_sound(written, asked, turns):
            return Rewritten(written, question, "model")
    return Rewritten(f"{_END.sub('', asked)} ({_END.sub('', _brief(turns[-1].question))})?", question, "appended")


def depends_on_history(question: str) -> bool:
    """Return whether a question can be understood only with the conversation before it."""
    begins = _CONTINUES.match(question)
    rest = question[begins.end() :].strip() if begins else question
    words = [word.lower() for word in _WORD.findall(rest)]
    if not words or _SUBORDINATE.match(rest):
        return begins is not None
    whole = len(content_stems(rest)) >= 2 or not _VERBS.isdisjoint(words)
    if begins and (_ABOUT.match(question) or not whole or _VERBS.isdisjoint(words)):
        return True
    return (not whole and len(words) <= _FRAGMENT_WORDS) or _points_back(rest)


def _points_back(rest: str) -> bool:
    """Return whether a pronoun comes before any content of the question's own."""
    pointing = _POINTING.search(rest[:1].lower() + rest[1:])
    if pointing is None:
        return False
    before = rest[: pointing.start()]
    if pointing["possessive"] and _ASKS_FOR_SUBJECT.match(rest):  # "Which country has its capital in Bern?"
        return False
    return len(content_stems(before)) < (1 if _CONJUNCTION.search(before) else 2)


# By a language model ------------------------------------------------------------------------------------------

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
    examples = "".join(
        f"Question: {q}\nAnswer: {a}\nNext question: {n}\nNext question in full: {f}\n\n" for q, a, n, f in _EXAMPLES
    )
    history = "".join(f"Question: {_brief(turn.question)}\nAnswer: {_brief(turn.answer) or '-'}\n" for turn in turns)
    return Prompt(f"{examples}{history}Next question: {question}\nNext question in full:")


def _write(question: str, turns: Sequence[Turn], writer: Completer, seconds: float) -> str | None:
    """Return the model's text, None if it fails or takes too long; then it is stopped."""
    texts: list[str] = []
    streams: list[TextStream] = []
    given_up = threading.Event()

    def write() -> None:
        try:
            stream = writer.stream(_prompt(question, turns), _SAMPLING)
            streams.append(stream)
            if given_up.is_set():
                stream.close()
                return
            texts.append("".join(stream))
        except RagError:
            return  # the question is appended instead; a lasting fault is reported with the answer itself

    thread = threading.Thread(target=write, name="rewriting", daemon=True)
    thread.start()
    thread.join(seconds)
    given_up.set()
    if thread.is_alive():
        for stream in streams:
            stream.close()
        return None
    return one_line(texts[0]) if texts else None


def _is_sound(written: str, question: str, turns: Sequence[Turn]) -> bool:
    """Return whether a rewriting keeps the question's words, adds only the conversation's, and stands alone."""
    pointing = content_stems("one ones there then там тогда туда оттуда")  # words that a rewriting replaces
    asked, wrote = content_stems(_CONTINUES.sub("", question)) - pointing, content_stems(written)
    spoken = content_stems(" ".join([question, *(f"{turn.question} {turn.answer}" for turn in turns)]))
    return (
        1 < len(written) <= len(question) + _MOST_ADDED
        and written.endswith("?")
        and written.casefold() not in {turn.question.casefold() for turn in turns}
        and asked <= wrote <= spoken
        and not depends_on_history(written)
    )


def _brief(text: str) -> str:
    words = one_line(text)
    return words if len(words) <= _BRIEF else words[:_BRIEF].rsplit(" ", 1)[0]
