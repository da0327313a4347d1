"""Measures of one answer against its gold answers: exact match, token F1 and "contains".

Everything is judged after SQuAD's normalisation, and every value lies in [0, 1]. The module knows strings only: no
data set, no totals, no statistics. Sources: Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension
of Text" (v1.1), and Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for SQuAD" (v2.0), each
with its official evaluation script.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

__all__ = ["Rule", "best_over", "contains", "exact_match", "f1", "f1_of_tokens", "normalise", "stands_in"]

Rule = Literal["1.1", "2.0"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return the text as SQuAD compares it (Rajpurkar et al. 2016, section 6.1).

    In this order: lower case, ASCII punctuation dropped, the articles a, an and the dropped, white space squeezed.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str) -> float:
    """Return 1.0 if the two are the same after normalisation, else 0.0 (Rajpurkar et al. 2016, section 6.1)."""
    return float(normalise(prediction) == normalise(gold))


def f1(prediction: str, gold: str, *, rule: Rule = "2.0") -> float:
    """Return the F1 of the two bags of tokens (Rajpurkar et al. 2016, section 6.1); it is symmetric.

    The two official scripts differ where a side has no tokens: v2.0 (Rajpurkar et al. 2018) gives 1 if neither has
    any, v1.1 gives 0 whenever nothing is in common, two empty texts included.
    """
    return f1_of_tokens(normalise(prediction).split(), normalise(gold).split(), rule=rule)


def f1_of_tokens(prediction: Sequence[str], gold: Sequence[str], *, rule: Rule = "2.0") -> float:
    """Return :func:`f1` of two answers that are normalised and split already."""
    if rule == "2.0" and not (prediction and gold):
        return float(len(prediction) == len(gold))
    common = (Counter(prediction) & Counter(gold)).total()
    if common == 0:
        return 0.0
    precision = common / len(prediction)
    recall = common / len(gold)
    # Written as the official scripts write it: another order of the same operations moves the last digit.
    return (2 * precision * recall) / (precision + recall)


def contains(prediction: str, gold: str) -> float:
    """Return 1.0 if the gold's tokens stand in the prediction side by side, in their order, else 0.0.

    Not of SQuAD: a model that answers in sentences is right without matching exactly. A gold without tokens is
    contained only in a prediction without any, as else every answer to an unanswerable question would be right.
    """
    there, wanted = normalise(prediction).split(), normalise(gold).split()
    if not wanted:
        return float(not there)
    width = len(wanted)
    return float(any(there[start : start + width] == wanted for start in range(len(there) - width + 1)))


def best_over(metric: Callable[[str, str], float], prediction: str, golds: Sequence[str]) -> float:
    """Return the best value over the golds (Rajpurkar et al. 2016); without any, the right answer is the empty one."""
    return max(metric(prediction, gold) for gold in golds or ("",))


def stands_in(text: str, gold: str) -> bool:
    """Tell whether a gold answer stands in a passage or a quote, as tokens or letter by letter.

    The official normalisation drops hyphens, so that "Afrikaans" is no token of "Afrikaans-speaking", out of which
    datasets do cut their golds; there, letters decide, case and white space aside. A gold without tokens is nowhere.
    """
    if not normalise(gold):
        return False
    return contains(text, gold) == 1.0 or " ".join(gold.split()).casefold() in " ".join(text.split()).casefold()
