"""Questions about stories with freely written answers: the words of the story that an answer repeats become a span.

The format is that of FairytaleQA (Xu et al. 2022) as JSON lines: ``id``, ``story``, ``sections`` (texts), ``question``,
``answers`` and ``explicit``: "explicit" if the answer is in the text. A span has the words of an answer, in order,
apart from case and punctuation, or as many words of one sentence as an answer with at least 85% of them in common.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rag.errors import InputError
from rag.evidence.citations import sentence_spans
from rag.evidence.token_match import content_stems
from rag.text import counted
from rag.training.data.corpus import Example, Span
from rag.training.data.json_lines import is_texts, read_json_lines

__all__ = ["find_answer", "read_tales"]

_REMEDY = "name JSON lines with id, story, sections, question, answers and explicit"
_LONGEST = 30  # words of an answer
_COMMON = 0.85
_CHARACTERS = (250, 900)  # of a passage: the size aimed at is drawn between these
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_BLANK_LINE = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"[.!?]\W*\s")
_LINKS = re.compile(r"[-_\s]+")


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    story: str
    sections: tuple[str, ...]
    question: str
    answers: tuple[str, ...]


def read_tales(
    path: Path, *, unanswerable: float = 1 / 6, seed: int = 0
) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Return the examples whose answer is in a section, titled by their story, and a note about the others.

    A share ``unanswerable`` gets a passage of another section of the story without the words of its answers.
    Raises :class:`~rag.errors.InputError` with the number of a line in another form.
    """
    asked = _read(path)
    stories: dict[str, dict[str, None]] = {}
    for row in asked:
        stories.setdefault(row.story, {}).update(dict.fromkeys(row.sections))
    draw = random.Random(seed)  # noqa: S311 - a seed, not a secret
    examples = []
    for row in asked:
        marked = _marked(row)
        if marked is None:
            continue
        section, span = marked
        answers: tuple[Span, ...] = ()
        others = [text for text in stories[row.story] if not _gives(text, row)] if draw.random() < unanswerable else []
        if others:
            section = draw.choice(others)
            first, end = _window(section, draw.choice(list(sentence_spans(section))), draw)
        else:
            first, end = _window(section, span, draw)
            answers = ((span[0] - first, span[1] - first),)
        if end - first <= _CHARACTERS[1]:  # a sentence can be longer
            examples.append(Example(row.id, row.question, section[first:end], answers, _title(row.story)))
    dropped = len(asked) - len(examples)
    have = counted(dropped, f"question of {path.name} has", f"questions of {path.name} have")
    return tuple(examples), ((f"{have} no answer in the words of the story: left out",) if dropped else ())


def find_answer(text: str, answer: str, question: str = "") -> Span | None:
    """Return the place in a text that has the words of an answer, or nearly; None if there is none.

    Of several places with the same share of words, the one whose surroundings share most with the question is returned.
    """
    words = list(_WORD.finditer(text))
    said = [_folded(match.group()) for match in words]
    wanted = [_folded(match.group()) for match in _WORD.finditer(answer)]
    size = len(wanted)
    if not 0 < size <= _LONGEST:
        return None
    needed = Counter(wanted)
    found: list[tuple[float, int]] = []
    for n in range(len(said) - size + 1):
        run = said[n : n + size]
        if run == wanted:
            found.append((2.0, n))
        elif run[0] in needed and run[-1] in needed:
            share = (Counter(run) & needed).total() / size
            if share >= _COMMON and not _SENTENCE_END.search(text[words[n].end() : words[n + size - 1].start()]):
                found.append((share, n))
    if not found:
        return None
    best = max(share for share, _ in found)
    places = [(words[n].start(), words[n + size - 1].end()) for share, n in found if share == best]
    if len(places) == 1:
        return places[0]
    asked = content_stems(question)
    return max(places, key=lambda place: len(asked & content_stems(text[max(0, place[0] - 150) : place[1] + 150])))


def _read(path: Path) -> list[_Asked]:
    keys = {"id": str, "story": str, "sections": list, "question": str, "answers": list, "explicit": str}
    rows = []
    for number, row in read_json_lines(path, keys, _REMEDY):
        for key in ("sections", "answers"):
            if not is_texts(row[key]):
                raise InputError(f"{path}, line {number}: {key!r} must be a list of texts", _REMEDY)
        sections = tuple(text for section in row["sections"] if (text := _running(section)))
        answers = tuple(row["answers"]) if row["explicit"] == "explicit" else ()
        rows.append(_Asked(row["id"], row["story"], sections, row["question"].strip(), answers))
    return rows


def _marked(row: _Asked) -> tuple[str, Span] | None:
    """Return the section and the place of the first answer that is found, those in its exact words before others."""
    if not row.question:
        return None
    near = None
    for answer in row.answers:
        for section in row.sections:
            span = find_answer(section, answer, row.question)
            if span is not None:
                if _plain(section[slice(*span)]) == _plain(answer):
                    return section, span
                near = near or (section, span)
    return near


def _gives(text: str, row: _Asked) -> bool:
    return text in row.sections or any(find_answer(text, answer) is not None for answer in row.answers)


def _window(text: str, span: Span, draw: random.Random) -> Span:
    """Return whole sentences around a span, as many as fit into a size that is drawn."""
    size = draw.randint(*_CHARACTERS)
    places = list(sentence_spans(text))
    inside = [n for n, (start, end) in enumerate(places) if start < span[1] and span[0] < end]
    first, last = inside[0], inside[-1]
    start, end = min(places[first][0], span[0]), max(places[last][1], span[1])
    while True:
        ways = []
        if first > 0 and end - places[first - 1][0] <= size:
            ways.append(-1)
        if last + 1 < len(places) and places[last + 1][1] - start <= size:
            ways.append(1)
        if not ways:
            return start, end
        if draw.choice(ways) < 0:
            first -= 1
            start = places[first][0]
        else:
            last += 1
            end = places[last][1]


def _running(text: str) -> str:
    """Return a text with one line for each paragraph."""
    paragraphs = (" ".join(part.split()) for part in _BLANK_LINE.split(text.replace("\r\n", "\n").replace("\r", "\n")))
    return "\n".join(part for part in paragraphs if part)


def _title(story: str) -> str:
    plain = _LINKS.sub(" ", story).strip()
    return plain[:1].upper() + plain[1:]


def _folded(word: str) -> str:
    return word.casefold().replace("’", "'")


def _plain(text: str) -> str:
    return " ".join(_folded(match.group()) for match in _WORD.finditer(text))
