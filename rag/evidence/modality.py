"""Permission and obligation: what an English clause allows, requires, leaves open, or forbids, or that it only states.

The four are tied by negation, as in the square of opposition of deontic logic (von Wright 1951): not allowed is
forbidden, allowed not to do is optional. :data:`VERDICTS` says what follows from one for a question about another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["CUES", "NEGATORS", "VERDICTS", "Force", "force_of", "inner", "outer"]

Force = Literal["states", "denies", "allowed", "required", "optional", "forbidden"]

_ALLOWED = "can could may allowed permitted possible welcome entitled able ok okay fine permissible alright"
_REQUIRED = """
must have-to has-to had-to having-to required compulsory mandatory obligatory necessary obliged need needs needed shall
essential requirement requires require
"""
_OPTIONAL = "optional voluntary recommended advised advisable unnecessary should preferably encouraged suggested"
_FORBIDDEN = "forbidden prohibited banned impossible unable barred"
CUES: dict[str, Force] = {
    **dict.fromkeys(_ALLOWED.split(), "allowed"),
    **dict.fromkeys(_REQUIRED.split(), "required"),
    **dict.fromkeys(_OPTIONAL.split(), "optional"),
    **dict.fromkeys(_FORBIDDEN.split(), "forbidden"),
}
"""Words that say what is allowed and so on; ``have to`` is one word, joined by a hyphen."""
NEGATORS = frozenset("not no never nobody none nothing neither nor nowhere hardly lack lacks".split())  # noqa: SIM905
_STAY_FORBIDDEN = frozenset(["must", "shall", "should"])  # "must not" forbids; "need not" leaves open
_OUTER: dict[Force, Force] = {
    "states": "denies", "denies": "states", "allowed": "forbidden", "forbidden": "allowed", "required": "optional",
    "optional": "required",
}  # fmt: skip
_INNER: dict[Force, Force] = {
    "states": "denies", "denies": "states", "allowed": "optional", "optional": "allowed", "required": "forbidden",
    "forbidden": "required",
}  # fmt: skip
# The strongest word decides: "recommended but not compulsory", "may only be entered if you must".
_STRENGTH: tuple[Force, ...] = ("forbidden", "optional", "required", "allowed")

_FORCES: tuple[Force, ...] = ("states", "denies", "allowed", "required", "optional", "forbidden")
_ANSWERS: dict[Force, tuple[float, ...]] = {
    "states": (1.0, -1.0, 0.5, 0.5, 0.0, -1.0),
    "denies": (-1.0, 1.0, -0.5, -0.5, 0.0, 1.0),
    "allowed": (0.5, -1.0, 1.0, 0.0, 1.0, -1.0),
    "required": (0.5, -1.0, 0.0, 1.0, -1.0, -1.0),
    "optional": (-0.5, 0.5, 0.0, -1.0, 1.0, 0.5),
    "forbidden": (-0.5, 0.5, -1.0, -1.0, -1.0, 1.0),
}
VERDICTS = {(asked, said): sign for asked, signs in _ANSWERS.items() for said, sign in zip(_FORCES, signs, strict=True)}
"""(what is asked, what is said) → 1 for yes, -1 for no, 0 for neither, and half of it where it follows less surely."""


def outer(force: Force) -> Force:
    """Return the negation of a force: not allowed is forbidden."""
    return _OUTER[force]


def inner(force: Force) -> Force:
    """Return the force on not doing it: what is required may not be left."""
    return _INNER[force]


def force_of(words: Sequence[str]) -> Force:
    """Return the force of a clause, given as its lower-case words, where ``have to`` is one and ``n't`` is ``not``.

    ``without`` is not counted, because what it denies is not the verb.
    """
    found: list[Force] = []
    for begin, end in _phrases(words):
        phrase = words[begin:end]
        denied = sum(word in NEGATORS for word in phrase) % 2 == 1
        for place, word in enumerate(phrase):
            force = CUES.get(word)
            if force is None:
                continue
            if word in _STAY_FORBIDDEN and denied:
                force = "forbidden"
            elif denied:
                force = outer(force)
            if word == "may" and place == len(phrase) - 1:
                continue  # the month, or a lone word
            found.append(force)
    for force in _STRENGTH:
        if force in found:
            return force
    negations = sum(word in NEGATORS for word in words)
    return "denies" if negations % 2 else "states"


def _phrases(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the parts between commas and "but"; each has negations of its own."""
    ends = [n for n, word in enumerate(words) if word in {",", "but"}]
    return list(zip([0, *(n + 1 for n in ends)], [*ends, len(words)], strict=True))
