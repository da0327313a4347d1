"""Yes or no: what a sentence that was found for an English question answers to it, and how sure that is.

The sentence's clause with most of the question's words is compared with the question: what both allow, require or state
(:mod:`rag.evidence.modality`), what is excepted or a condition (:mod:`rag.evidence.clauses`), opposite words
(:mod:`rag.evidence.poles`) and numbers (:mod:`rag.evidence.comparing`). That gives yes, no, or neither. A logistic
function of a few features gives the probability that this is right; below :data:`LEAST` nothing is decided. Its weights
are fitted by ``python -m benchmarks.yes_no`` on made sentences.

It knows no facts, joins no sentences, and does not decide between alternatives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rag.evidence.claims import leading_word
from rag.evidence.clauses import VERBS, Clause, clauses_of, stem_of, tokens_of
from rag.evidence.comparing import agreement
from rag.evidence.modality import CUES, VERDICTS, Force, force_of, inner, outer
from rag.evidence.poles import relation
from rag.evidence.values import find_values
from rag.evidence.vocabulary import words_of
from rag.evidence.yes_no_question import LIGHT, PREPOSITIONS, Asked

__all__ = ["LEAST", "NAMES", "WEIGHTS", "Features", "Verdict", "YesNo", "decide", "features_of"]

Verdict = Literal["yes", "no", "unknown"]

LEAST = 0.85  # probability of a verdict that is given
WEIGHTS = {
    "bias": 0.22, "states": 0.26, "denies": 1.41, "modal": 0.05, "weak": -1.52, "number": 1.33, "lead": 0.9,
    "cell": 0.93, "only": 1.12, "excepted": 0.59, "opposite": 0.39, "missing": -0.75, "missing_aside": -0.09,
    "missing_share": -0.44, "covered": 0.68, "in_context": 0.62, "open_condition": -2.51, "unmatched": -0.4,
    "rival": -0.54, "hedged": -1.47, "every": -0.37, "later": -1.33, "margin": 0.94,
}  # fmt: skip
"""The weights that ``python -m benchmarks.yes_no --fit`` printed, by feature."""
NAMES = tuple(WEIGHTS)

_NUMBERING = re.compile(r"\A\s*\(?(?:\d+(?:\.\d+)*|[a-z])[.)]?\s+(?=[^\W\d_a-z])")
_CELL = re.compile(r"(?P<name>[^:;]+): (?P<value>[^;]*)")
_YES_CELL = frozenset("yes y true x ✓ ✔ included available open".split())  # noqa: SIM905
_NO_CELL = frozenset(
    ["no", "n", "false", "-", "–", "—", "none", "closed", "0", "0%", "0 %", "not included", "not available"]
)
_RESTRICTS = frozenset("only solely exclusively reserved restricted".split())  # noqa: SIM905
_HEDGES = frozenset(
    """
    usually often normally sometimes most many few mostly generally probably perhaps some might
    """.split()  # noqa: SIM905
)
# What is only said, doubted, planned, or missed by a little is neither stated nor denied.
_DOUBTS = frozenset(
    """
    rumour rumours rumor rumors allegedly supposedly reportedly purportedly claim claims claimed alleged assert asserts
    asserted assumed assumes believe believes believed hearsay denied denies disputed disputes contested doubt doubts
    doubted almost nearly practically proposed proposes suggested suggests
    """.split()  # noqa: SIM905
)
_NOBODY = frozenset("nobody none neither nothing never no-one".split())  # noqa: SIM905
_NAME = re.compile(r"\b[^\W\d_a-z][\w'’-]*")
_TO_BE = re.compile(r"\b(?:was|were) (?:supposed |meant |due )?to\b", re.IGNORECASE)
_EVERY = frozenset("all every everyone everybody each whole always entire".split())  # noqa: SIM905
_MOST = 0.6  # share of a condition's words that make it the question's
_COMPARATIVES = frozenset(
    """
    more less fewer cheaper longer shorter higher lower bigger smaller larger older younger better worse
    """.split()  # noqa: SIM905
)
_PAST = frozenset("did was were has have had".split())  # noqa: SIM905
_ADVERSE = words_of(
    "closed unavailable excluded rejected refused cancelled suspended missing expired invalid discontinued"
    " dropped ended abolished failed withdrawn removed exempt thrown gone lost stolen destroyed deleted scrapped avoid"
)
_ACTORS = words_of(
    "visitor guest member staff employee tenant landlord student trainee patient parent child children customer manager"
    " volunteer teacher agent supplier owner driver passenger pupil apprentice contractor user administrator resident"
    " teenager adult pensioner senior intern director nurse doctor secretary treasurer neighbour beginner runner coach"
)
_DAYS = words_of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MONTHS = words_of("January February March April June July August September October November December")

_RIVALS = (_ACTORS, _DAYS, _MONTHS)


@dataclass(frozen=True, slots=True)
class YesNo:
    """A verdict and the probability that it is right."""

    verdict: Verdict
    probability: float


@dataclass(frozen=True, slots=True)
class Features:
    """``sign`` is 1 for yes, -1 for no, 0 where nothing follows; ``values`` are in the order of ``NAMES``."""

    sign: int
    values: tuple[float, ...] = ()


def decide(question: str, sentence: str, context: str = "", *, marked: str = "", margin: float = 0.0) -> YesNo:
    """Return what a sentence answers to a yes/no question; ``context`` is the title and headings it is under.

    ``marked`` are the words of it that a model marked as the answer, ``margin`` their score over no answer, in logits.
    """
    features = features_of(question, sentence, context, marked=marked, margin=margin)
    if not features.sign:
        return YesNo("unknown", 0.0)
    score = sum(WEIGHTS[name] * value for name, value in zip(NAMES, features.values, strict=True))
    probability = round(1 / (1 + math.exp(-score)), 4)
    if probability < LEAST:
        return YesNo("unknown", probability)
    return YesNo("yes" if features.sign > 0 else "no", probability)


def features_of(question: str, sentence: str, context: str = "", *, marked: str = "", margin: float = 0.0) -> Features:
    """Return the sign that follows from a sentence, and the features that say how surely; as :func:`decide`."""
    asked = Asked.of(question)
    sentence = _NUMBERING.sub("", sentence)
    if not asked.is_yes_no:
        return Features(0)
    cell = _Cell.of(asked, sentence)
    clauses = [cell.clause] if cell is not None else clauses_of(sentence)
    if not clauses:
        return Features(0)
    chosen = words_of(marked)
    match = max(
        (_Match.of(asked, clause, context) for clause in clauses),
        key=lambda m: (len(m.covered) + len(m.excepted), len(m.clause.stems & chosen)),
    )
    if asked.denied or _is_doubtful(asked, sentence, match):
        return Features(0)
    said, only = _said(asked, match)
    wanted = inner(asked.force) if match.opposite else asked.force
    follows = VERDICTS[wanted, said] if said is not None else 0.0
    compared, known = (sentence, context) if cell is None else (cell.text, f"{context} {cell.others}")
    numbers = agreement(asked.text, compared, known, allows=force_of(match.clause.words) == "allowed")
    if numbers.compared or numbers.labels:
        inverse = numbers.sign < 0 and follows < 0  # "below 600 km is not paid" does not say that 800 km is
        follows *= 0 if numbers.labels or inverse else numbers.sign
    lead = _lead(asked, sentence, context)
    if lead:
        follows = float(lead)
    elif cell is not None and not numbers.compared:
        follows *= cell.sign
    if not numbers.compared and not _COMPARATIVES.isdisjoint(asked.words) and not match.opposite:
        follows *= not _COMPARATIVES.isdisjoint(match.clause.words)
    sign = (follows > 0) - (follows < 0)
    if not sign:
        return Features(0)
    modal = not {wanted, said} & {"states", "denies"}
    values = {
        "bias": 1.0,
        "states": float(not modal and said == "states"),
        "denies": float(not modal and said == "denies"),
        "modal": float(modal),
        "weak": float(abs(follows) < 1),
        "number": float(numbers.compared > 0 and match.missing <= asked.aside),
        "lead": float(lead != 0),
        "cell": float(cell is not None),
        "only": float(only),
        "excepted": float(bool(match.excepted)),
        "opposite": float(match.opposite),
        "missing": float(min(len(match.missing - asked.aside), 3)),
        "missing_aside": float(min(len(match.missing & asked.aside), 3)),
        "missing_share": len(match.missing) / len(asked.stems),
        "covered": float(min(len(match.covered), 2)),
        "in_context": len(match.in_context) / len(asked.stems),
        "open_condition": float(match.open_condition),
        "unmatched": float(numbers.unmatched),
        "rival": float(match.rival and not only and not match.excepted),
        "hedged": float(not _HEDGES.isdisjoint(match.clause.words)),
        "later": float("will" in match.clause.words and not _PAST.isdisjoint(asked.words[:1])),
        "margin": max(-10.0, min(10.0, margin)) / 10,
        "every": float(not _EVERY.isdisjoint(asked.words) and _EVERY.isdisjoint(match.clause.words)),
    }
    return Features(sign, tuple(values[name] for name in NAMES))


def _is_doubtful(asked: Asked, sentence: str, match: _Match) -> bool:
    """Return whether a sentence only reports, doubts or plans what is asked, or speaks of it the other way round."""
    words = tokens_of(sentence)
    reported = not _DOUBTS.isdisjoint(words) and _DOUBTS.isdisjoint(asked.words)
    planned = _TO_BE.search(sentence) is not None and not _PAST.isdisjoint(asked.words[:1])
    nobody_but = bool(match.excepted) and not _NOBODY.isdisjoint(words)
    outside = "outside" in words and "outside" not in asked.words
    return reported or planned or nobody_but or outside or _is_turned(asked, words)


def _is_turned(asked: Asked, words: Sequence[str]) -> bool:
    """Return whether two people or names of the question stand in another order, which tells who does what to whom."""
    named = {stem_of(name.lower()) for name in _NAME.findall(asked.text)[1:]} | _ACTORS
    wanted = [stem for stem in asked.stems if stem in named]
    stems = [stem_of(word) for word in words]
    found = [stem for stem in dict.fromkeys(stems) if stem in wanted]
    return len(found) > 1 and "by" not in {*words, *asked.words} and found != [s for s in wanted if s in found]


@dataclass(frozen=True)
class _Match:
    """Which of a question's stems a clause holds, which only its context does, and which nothing does.

    ``conditioned`` are the stems of the clause's condition that the question has.

    ``opposite`` says that an odd number of words are answered by their opposites. ``rival`` says that the clause speaks
    of other people, days or months than the question.
    """

    clause: Clause
    covered: frozenset[str]
    in_context: frozenset[str]
    missing: frozenset[str]
    excepted: frozenset[str]
    conditioned: frozenset[str]
    opposite: bool
    rival: bool

    @property
    def open_condition(self) -> bool:
        """Whether the clause has a condition, or only allows with something, of which the question does not speak."""
        words = self.clause.words
        only = words.index("only") if "only" in words else len(words)
        named = words[words.index("with", only) + 1 :][:4] if "with" in words[only:] else ()
        with_ = bool(named) and self.covered.isdisjoint(map(stem_of, named))
        return with_ or len(self.conditioned) < _MOST * len(self.clause.condition)

    @classmethod
    def of(cls, asked: Asked, clause: Clause, context: str) -> _Match:
        """Compare a question with a clause and the line of its title and headings."""
        around = words_of(context)
        groups: dict[str, set[str]] = {n: set() for n in ("covered", "context", "missing", "excepted", "conditioned")}
        turns = 0
        stems = clause.stems
        for stem in asked.stems:
            relations = [relation(stem, other) for other in stems]
            if 1 in relations:
                groups["covered"].add(stem)
            elif any(relation(stem, other) == 1 for other in clause.excepted):
                groups["excepted"].add(stem)
            elif -1 in relations:
                groups["covered"].add(stem)
                turns += 1
            elif any(relation(stem, other) == 1 for other in clause.condition):
                groups["conditioned"].add(stem)
            elif any(relation(stem, other) == 1 for other in around):
                groups["context"].add(stem)
            else:
                groups["missing"].add(stem)
        rival = any(groups["missing"] & kind and (kind & stems) - {*asked.stems} for kind in _RIVALS)
        covered, in_context, missing, excepted, _ = (frozenset(group) for group in groups.values())
        met = frozenset(other for other in clause.condition if any(relation(s, other) == 1 for s in asked.stems))
        return cls(clause, covered, in_context, missing, excepted, met, turns % 2 == 1, rival)


def _said(asked: Asked, match: _Match) -> tuple[Force | None, bool]:
    """Return what a clause says of what the question asks about, and whether a restriction decides that.

    "Only members may swim" says nothing of whether I may.
    """
    said = force_of(match.clause.words)
    if "without" in match.clause.words:
        lacked = match.clause.words[match.clause.words.index("without") + 1 :][:5]
        if any(relation(stem, stem_of(word)) for word in lacked for stem in asked.stems if stem_of(word)):
            said = inner(said)
    share = _restricted_share(asked, match)
    restricted = share is not None
    before = bool(match.clause.words) and match.clause.words[0] in _RESTRICTS
    if restricted and asked.force in ("required", "optional") and not match.missing:
        said = "required"
    elif share == 0 and (not match.missing or (before and not (match.missing - asked.aside or match.rival))):
        return None, True
    elif share is not None and share < 1 and not match.excepted:
        said = outer(said)
    if any(not any(relation(stem, word) for stem in asked.stems) for word in match.clause.stems & _ADVERSE):
        said = outer(said)
    if match.excepted or (match.clause.unless and not match.open_condition):
        said = outer(said)
    return said, restricted


def _restricted_share(asked: Asked, match: _Match) -> float | None:
    """Return which share of the words that "only" restricts the question has; None where a clause restricts nothing.

    Of "only assistance dogs", a question about dogs has a half; "only two dogs" restricts nothing.
    """
    words = match.clause.words
    place = next((n for n, word in enumerate(words) if word in _RESTRICTS), None)
    if place is None or match.clause.condition:
        return None
    following = words[place + 1 :]
    if following and any(not value.weak for value in find_values(following[0])):
        return None
    named: list[list[bool]] = [[]]  # for each of "members and staff" which words the question has
    for word in following:
        if word in CUES or word in VERBS or word == ",":
            break
        if word in ("and", "or"):
            named.append([])
        elif stem := stem_of(word):
            named[-1].append(any(relation(asked_stem, stem) for asked_stem in asked.stems))
    if any(named):
        return max(sum(group) / len(group) for group in named if group)
    phrase = _phrase_after(following) if following else _phrase_before(words[:place])
    related = [any(relation(stem, stem_of(word)) for stem in asked.stems) for word in phrase if stem_of(word)]
    return 1.0 if any(related) or not related else 0.0


def _phrase_after(words: Sequence[str]) -> Sequence[str]:
    """Return up to four words from the first preposition: "can only be entered *with a key card*"."""
    place = next((n for n, word in enumerate(words) if word in PREPOSITIONS), len(words))
    return words[place + 1 :][:4]


def _phrase_before(words: Sequence[str]) -> Sequence[str]:
    """Return up to four words back to a preposition or a verb: "is *by card* only"."""
    ends = [n for n, word in enumerate(words) if word in PREPOSITIONS or word in VERBS or word in CUES]
    return words[max([-1, *ends]) + 1 :][-4:]


@dataclass(frozen=True)
class _Cell:
    """The cell of a table row whose column the question names; ``sign`` is -1 for no, none, closed and 0.

    ``text`` is the cell with its column's name, ``others`` are the rest of the row.
    """

    clause: Clause
    sign: int
    text: str
    others: str

    @classmethod
    def of(cls, asked: Asked, sentence: str) -> _Cell | None:
        """Return the cell, None if the sentence is no row of named columns or no column is named."""
        cells = [m for part in sentence.split("; ") if (m := _CELL.fullmatch(part))]
        if len(cells) < 2 or len(cells) != len(sentence.split("; ")):
            return None
        best = max(cells[1:], key=lambda cell: _shared(asked.stems, cell["name"]))
        if not _shared(asked.stems, best["name"]):
            return None
        value = best["value"].strip().casefold()
        others = " , ".join(cell.group() for cell in cells if cell is not best)
        words = tuple(tokens_of(f"{cells[0]['value']} , {best['name']}"))
        if value in _NO_CELL or value in _YES_CELL:
            return cls(Clause(words), -1 if value in _NO_CELL else 1, best.group(), others)
        return cls(Clause((*words, *tokens_of(value))), 1, best.group(), others)


def _shared(stems: Sequence[str], name: str) -> int:
    words = words_of(name)
    return sum(any(relation(stem, word) for word in words) for stem in stems)


def _lead(asked: Asked, sentence: str, context: str) -> int:
    """Return 1 or -1 if the sentence begins with yes or no and its heading asks the same, else 0."""
    word = leading_word(sentence)
    heading = words_of(context.rpartition(" > ")[-1]) - LIGHT
    if not word or not heading:
        return 0
    held = [stem for stem in asked.stems if any(relation(stem, other) == 1 for other in heading)]
    if 2 * len(held) < len(heading):
        return 0
    return 1 if word == "yes" else -1
