"""Which document a request for a summary means, and what of it the request asks for.

A document counts by the words of the request that stand in its title and file name, in its first lines, and anywhere in
it (a word of few documents counts more), by the ranks of its passages, and by how near its title and first lines are to
the request. Where the second document is nearly as good, both are named, and of two versions the later one is meant.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexes import DocumentRow
from rag.embedding.base import Float32
from rag.evidence.token_match import content_stems, is_number
from rag.text import context_line, one_line
from rag.types import Passage

__all__ = ["Chosen", "choose_document", "focus_of"]

MOST_CANDIDATES = 12  # documents whose text is read
_READ = 50_000  # characters of a candidate's text that are compared with the question
_HEAD = 300  # characters of a document that often say what it is
_LEAST_FOCUS = 2  # words
_NEAR = 0.85  # of the best one's evidence: then the second document is named too
_WEIGHTS = (0.5, 0.5, 0.5, 0.7, 2.0)  # title, first lines (with it), whole text, ranks, nearness
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# The stems of words that ask for a summary; they say nothing of the document.
_REQUEST = content_stems(
    "summary summaries summarise summarize summarising sum gist overview main key points brief briefly nutshell short "
    "shortly version give tell show outline recap boil down essence essentials findings please can need want get "
    "document file text paper say says said read content contents "
    "кратко краткое изложи изложение перескажи пересказ обзор суть содержание резюме главное документ документа файл "
    "расскажи дай сделай fasse zusammen zusammenfassung überblick kurz kurze inhalt dokument datei gib wesentliche der "
    "die das den des dem und ein eine von über mir bitte für im zum zur"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A document that a question means, and another one that is nearly as likely, or empty."""

    source: str
    other: str = ""


def choose_document(
    question: str,
    passages: Sequence[Passage],
    documents: Sequence[DocumentRow],
    text_of: Callable[[str], str],
    embed: Callable[[Sequence[str]], Float32],
) -> Chosen | None:
    """Return the document that the question means, None if there is nothing to choose from.

    ``text_of`` returns the text of a source; ``embed`` returns unit vectors (n, dimension) of n texts.
    """
    names = {d.source: context_line(d.source, d.title, ()) for d in documents}
    titles = {source: content_stems(name) for source, name in names.items()}
    frequency = Counter(stem for stems in titles.values() for stem in stems)
    asked = content_stems(question) - _REQUEST
    rarity = {stem: math.log1p(len(documents) / (1 + frequency[stem])) for stem in asked}
    ranks: defaultdict[str, float] = defaultdict(float)
    for rank, passage in enumerate((p for p in passages if p.source in titles), start=1):
        ranks[passage.source] += 1 / rank
    named = {source: sum(rarity[stem] for stem in stems & asked) for source, stems in titles.items()}
    best = sorted((s for s, value in named.items() if value), key=lambda source: (-named[source], source))
    candidates = list(dict.fromkeys([*ranks, *best]))[:MOST_CANDIDATES]
    if not candidates:
        return None
    texts = {source: text_of(source)[:_READ] for source in candidates}
    heads = {source: f"{names[source]}. {one_line(texts[source][: 2 * _HEAD], _HEAD)}" for source in candidates}
    vectors = embed([question, *heads.values()])
    near = dict(zip(candidates, (vectors[1:] @ vectors[0]).tolist(), strict=True))
    whole = {source: content_stems(text) for source, text in texts.items()}
    within = Counter(stem for stems in whole.values() for stem in stems & asked)
    weight = {stem: math.log1p(len(candidates) / (1 + within[stem])) for stem in asked}
    evidence = {}
    for source in candidates:
        parts = (
            _share(asked, titles[source], rarity),
            _share(asked, content_stems(heads[source]), weight),
            _share(asked, whole[source], weight),
            ranks[source] / max(sum(ranks.values()), 1e-9),
            near[source],
        )
        evidence[source] = sum(w * part for w, part in zip(_WEIGHTS, parts, strict=True))
    first, *others = sorted(evidence, key=lambda source: (-evidence[source], source))
    if not others or evidence[others[0]] < _NEAR * evidence[first]:
        return Chosen(first)
    second = others[0]
    dated = any(is_number(stem) for stem in asked)
    if not dated and _is_later(names[second], names[first]):
        return Chosen(second, first)
    return Chosen(first, second)


def _is_later(name: str, other: str) -> bool:
    """Return whether two names differ in little but the year, and the first has the later one."""
    own, others = ({stem for stem in content_stems(text) if not is_number(stem)} for text in (name, other))
    years = [max(map(int, _YEAR.findall(text)), default=0) for text in (name, other)]
    return 2 * len(own & others) > len(own | others) and years[0] > years[1] > 0


def focus_of(question: str, title: str) -> str:
    """Return the words of a request that neither ask for a summary nor name the document; empty if few are left."""
    known = content_stems(title) | _REQUEST
    words = _WORD.findall(question)
    left = [word for word in words if not content_stems(word) <= known]
    if len(left) < _LEAST_FOCUS:
        return ""
    return " ".join(word for word in words if not content_stems(word) or not content_stems(word) <= known)


def _share(asked: frozenset[str], stems: frozenset[str], weight: dict[str, float]) -> float:
    """Return the share of the question's words that are among the stems, by their weights."""
    total = sum(weight[stem] for stem in asked)
    return sum(weight[stem] for stem in asked & stems) / total if total else 0.0
