"""Check each claim of a written answer against the passages: found, contradicted, or not found.

The question is part of every claim: it supplies the subject that a short answer such as ``£5,640.`` leaves out. A
claim's number, date, code or name competes with every other one of its type in the passages, by the words near each
(:mod:`rag.evidence.alignment`). If the claim's own value wins, it is found. If another wins, the source contradicts the
claim. A value that no passage states may still be computed from some (:mod:`rag.evidence.arithmetic`). The other words
are found if one place holds enough of them. A word that only one side negates, or whose opposite the source uses,
contradicts the claim.

What it does not do: it knows no synonyms and resolves no pronouns, so a free paraphrase is *not found*, which is no
verdict against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.evidence.alignment import Aligner, Candidate, asserted_values
from rag.evidence.arithmetic import computed, extreme
from rag.evidence.citations import Cited
from rag.evidence.claims import Statement, leading_word, split_claims
from rag.evidence.names import find_names
from rag.evidence.polarity import denials, opposed, stated
from rag.evidence.units import Unit
from rag.evidence.values import Value, find_values, same
from rag.evidence.vocabulary import words_of
from rag.types import Citation, Claim, Outcome, Passage, Sentence

__all__ = ["Witness", "check"]

Witness = Callable[[str, Sequence[Passage]], Sequence[tuple[int, int, int, float]]]
"""Takes a question and passages; returns (index of the passage, start, end, confidence) of answers to the question."""

LEAST_SCORE = 0.12  # of a place that may support a claim
LEAST_RIVAL = 0.3  # of a place that may contradict a claim whose value no passage states
LEAD = 1.06  # by which a rival must be better than the claim's own value, to contradict it
NAME_LEAD = 1.25  # the same for a name: what is near a name says less of it
LEAST_SPREAD = 0.8  # share of a claim's words that must be found where they are spread over a document
LEAST_VERBATIM = 3  # words
VALUE = 2.0  # of a value that was found, in words
QUESTION_WORD = 0.5  # of a word that the question gives, in words
NEARLY = 0.6  # of the score of the best place, for a neighbour that may deny the claim
MOST_DENIED = 0.6  # share of the words in the reach of a negation


@dataclass(frozen=True)
class _Finding:
    """What the passages say of a claim or one of its values: the outcome, its places, and why."""

    outcome: Outcome
    units: tuple[Unit, ...] = ()
    reason: str = ""
    instead: str = ""


def check(
    answer: str,
    passages: Sequence[Passage],
    question: str = "",
    *,
    min_support: float = 0.5,
    witness: Witness | None = None,
) -> Cited:
    """Check the claims of ``answer``, which ``question`` asked for, against the passages that were shown.

    ``min_support`` is the share of a claim's words that its place in a passage must hold. ``witness`` may add the spans
    that a model extracts for the question: they count as nearer to it. The support is the share of claims found.
    """
    spans = witness(question, passages) if witness is not None and question else ()
    aligner = Aligner.of(answer, question, passages, spans)
    statements = split_claims(answer)
    claims: list[Claim] = []
    citations: list[Citation] = []
    for statement in statements:
        finding = _check(statement, aligner, min_support)
        cited = [_citation(unit) for unit in finding.units]
        citations += [citation for citation in dict.fromkeys(cited) if citation not in citations]
        places = tuple(dict.fromkeys(citations.index(citation) for citation in cited))
        claims.append(Claim(statement.start, statement.end, finding.outcome, places, finding.reason, finding.instead))
    share = sum(claim.outcome == "found" for claim in claims) / len(claims) if claims else 0.0
    return Cited(_sentences(statements, claims), tuple(citations), share, tuple(claims))


def _sentences(statements: Sequence[Statement], claims: Sequence[Claim]) -> tuple[Sentence, ...]:
    """Return a sentence for each group of claims. It is supported, by its first citation, if all are found."""
    groups: dict[tuple[int, int], list[Claim]] = {}
    for statement, claim in zip(statements, claims, strict=True):
        groups.setdefault(statement.sentence, []).append(claim)
    sentences = []
    for (start, end), group in groups.items():
        found = [claim for claim in group if claim.outcome == "found"]
        cited = [n for claim in found for n in claim.citations]
        whole = len(found) == len(group) and bool(cited)
        sentences.append(Sentence(start, end, len(found) / len(group), cited[0] if whole else None))
    return tuple(sentences)


def _citation(unit: Unit) -> Citation:
    start = unit.passage.start + unit.start
    return Citation(unit.passage, start, start + len(unit.text), unit.text)


def _check(statement: Statement, aligner: Aligner, min_support: float) -> _Finding:
    """Check a claim: first its values one by one, then its words. A sentence of a passage is found as it is."""
    if (unit := _verbatim(statement, aligner)) is not None:
        return _Finding("found", (unit,))
    text = aligner.answer[statement.start : statement.end]
    values = [
        replace(value, start=value.start + statement.start, end=value.end + statement.start)
        for value in asserted_values(text, aligner.question)
    ]
    findings = [_check_value(statement, value, values, aligner) for value in values]
    for outcome in ("contradicted", "not_found"):
        if failed := [finding for finding in findings if finding.outcome == outcome]:
            return failed[0]
    if exchanged := _exchanged(values, findings, aligner):
        return exchanged
    units = tuple(dict.fromkeys(unit for finding in findings for unit in finding.units))
    words = _check_words(statement, len(values), units, aligner, min_support)
    reasons = [finding.reason for finding in findings if finding.reason]
    return replace(words, reason=words.reason or "; ".join(dict.fromkeys(reasons)))


def _verbatim(statement: Statement, aligner: Aligner) -> Unit | None:
    """Return the place of a sentence that a passage says word for word, unless a newer version replaces the passage."""
    sentence = _flat(aligner.answer[slice(*statement.sentence)])
    if len(sentence.split()) < LEAST_VERBATIM:
        return None
    claim = words_of(aligner.answer[statement.start : statement.end])
    if not claim:
        return None
    texts = {unit.passage.id: unit.passage for unit in aligner.units if not aligner.versions.is_older(unit.passage)}
    holding = {number for number, passage in texts.items() if sentence in _flat(passage.text)}
    units = [unit for unit in aligner.units if unit.passage.id in holding]
    return max(units, key=lambda unit: (len(unit.words & claim), unit.start - unit.end), default=None)


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


# Values ----------------------------------------------------------------------------------------------------------


def _check_value(statement: Statement, value: Value, beside: Sequence[Value], aligner: Aligner) -> _Finding:
    """Let a value compete with all others of its type."""
    answer, question = aligner.answer, aligner.question
    said = answer[value.start : value.end].strip()
    besides = [*beside, *find_values(question), *find_names(f"{question} . {answer}")]
    own: Candidate | None = None
    rival: Candidate | None = None
    for candidate in aligner.candidates(statement, value, besides):
        if candidate.value is None or same(value, candidate.value):
            own = candidate if own is None or candidate.score > own.score else own
        else:
            rival = candidate if rival is None or candidate.score > rival.score else rival
    lead = NAME_LEAD if value.kind == "name" or (own is not None and own.value is None) else LEAD
    if own is not None and own.score >= LEAST_SCORE and (rival is None or rival.score < lead * own.score):
        better = extreme(own.unit, own.value, question, aligner.units) if own.value is not None else None
        if better is not None:
            return _contradicted(better[0], better[1], said)
        return _Finding("found", (own.unit,) if own.value is not None else ())
    keys = aligner.keys(statement, value)
    scores: dict[tuple[int, int], float] = {}

    def score(unit: Unit, at: Value | None) -> float:
        place = (id(unit), id(at))
        if place not in scores:
            scores[place] = aligner.score(keys, unit, at)
        return scores[place]

    made = computed(value, question, answer, aligner.units, score, certain=own is not None and not _is_long(value))
    if made is not None:
        return _Finding("found", *made)
    if value.kind == "name" and own is None and words_of(said) <= aligner.vocabulary:
        return _Finding("found")
    if rival is not None and rival.score >= LEAST_RIVAL:
        return _contradicted(rival.unit, _instead(rival), said)
    return _Finding("not_found", (), f"no passage says {said} of this")


def _is_long(value: Value) -> bool:
    """Return whether a number has so many digits that it is not stated elsewhere by chance."""
    return value.kind != "number" or abs(value.raw) >= 1000


def _exchanged(values: Sequence[Value], findings: Sequence[_Finding], aligner: Aligner) -> _Finding | None:
    """Return a contradiction where another value of the claim is found with a name that the claim does not name."""
    names = [value for value in values if value.kind == "name"]
    said = [*find_names(aligner.question), *find_names(aligner.answer)]
    for value, finding in zip(values, findings, strict=True):
        if value.kind == "name" or not names or len(finding.units) != 1 or finding.units[0].cells:
            continue
        unit = finding.units[0]
        there = [other for other in unit.values if other.kind == "name"]
        if there and not any(same(known, other) for known in said for other in there):
            other = unit.passage.text[there[0].start : there[0].end]
            name = aligner.answer[names[0].start : names[0].end]
            return _contradicted(unit, other, name)
    return None


def _contradicted(unit: Unit, instead: str, said: str) -> _Finding:
    return _Finding("contradicted", (unit,), f"the source says {instead}, not {said}", instead)


def _instead(rival: Candidate) -> str:
    """Return the words of a rival value, with the name of its column."""
    value = rival.value
    if value is None:
        return ""
    cell = rival.unit.cell_of(value)
    column = f" ({cell.column})" if cell is not None and cell.column else ""
    return f"{' '.join(rival.unit.passage.text[value.start : value.end].split())}{column}"


# Words -----------------------------------------------------------------------------------------------------------


def _check_words(
    statement: Statement, values: int, units: tuple[Unit, ...], aligner: Aligner, min_support: float
) -> _Finding:
    """Check the words of a claim whose ``values``, if any, were found in ``units``."""
    text = aligner.answer[statement.start : statement.end]
    asked = words_of(aligner.question)
    weights = {word: QUESTION_WORD if word in asked else 1.0 for word in words_of(text)}

    def share(words: frozenset[str]) -> float:
        held = sum(weight for word, weight in weights.items() if aligner.has(word, words))
        return (held + VALUE * values) / ((sum(weights.values()) + VALUE * values) or 1.0)

    keys = aligner.keys(statement)
    best = max(aligner.units, key=lambda unit: aligner.score(keys, unit) + share(unit.words), default=None)
    if best is None or not (weights or values):
        return _Finding("not_found", (), "no passage says this")
    cited = units or (best,)
    close = [
        unit for unit in best.beside(aligner.units) if aligner.score(keys, unit) >= NEARLY * aligner.score(keys, best)
    ]
    if turned := _turned(text, cited, dict.fromkeys((*cited, best, *close)), aligner):
        return _Finding("contradicted", (turned[0],), f"the source says: {turned[1]}", turned[1])
    around = frozenset().union(*(unit.around for unit in cited))
    spread = around.union(*(unit.document for unit in cited))
    if share(around) >= min_support or share(spread) >= LEAST_SPREAD:
        return _Finding("found", cited)
    return _Finding("not_found", (), "no passage says this")


def _turned(
    text: str, cited: Sequence[Unit], units: Sequence[Unit] | dict[Unit, None], aligner: Aligner
) -> tuple[Unit, str] | None:
    """Return a unit that denies what the claim states, or the other way round, with its words."""

    def most(scope: frozenset[str], words: frozenset[str]) -> bool:
        return sum(aligner.has(word, words) for word in scope) >= MOST_DENIED * len(scope)

    plain, denied = stated(text), frozenset().union(*denials(text))
    for unit in units:
        source = unit.text
        plain_there = stated(source)
        quote = f"“{' '.join(source.split())[:120]}”"
        for scope in denials(source):
            if not denied and most(scope, plain) and not most(scope, plain_there):
                return unit, quote
        for scope in denials(text):
            if most(scope, plain_there) and not denials(source) and not denials(unit.passage.text):
                return unit, quote
        if unit in cited and opposed(text, source):
            return unit, quote
        lead, there = leading_word(text), _answer_to(unit, aligner.question)
        if lead and there and lead != there:
            return unit, quote
    return None


def _answer_to(unit: Unit, question: str) -> str:
    """Return the ``yes`` or ``no`` with which the unit's section answers the question, if its heading asks the same."""
    heading = words_of(unit.passage.headings[-1]) if unit.passage.headings else frozenset()
    if not heading or len(heading & words_of(question)) < 0.6 * len(heading):
        return ""
    body = re.sub(r"\A\s*(?:#+[^\n]*\n\s*)+", "", unit.passage.text)
    return leading_word(body)
