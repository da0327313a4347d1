"""Metrics of two texts: exact match, F1 and containment of an answer and a gold answer.

Exact match and F1 follow the official SQuAD scripts: Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine
Comprehension of Text" (version 1.1), and Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for
SQuAD" (version 2.0). Values lie in 0 to 1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

__all__ = [
    "Rule", "best_over", "contains", "contains_gold", "exact_match", "f1", "f1_of_tokens", "normalise",
]  # fmt: skip

Rule = Literal["1.1", "2.0"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return the text as SQuAD compares it (Rajpurkar et al. 2016, section 6.1).

    In this order: convert to lower case, remove ASCII punctuation, remove the articles a, an and the, collapse white
    space.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str) -> float:
    """Return 1.0 if both are equal after normalisation, else 0.0 (Rajpurkar et al. 2016, section 6.1)."""
    return float(normalise(prediction) == normalise(gold))


def f1(prediction: str, gold: str, *, rule: Rule = "2.0") -> float:
    """Return the F1 of the two bags of tokens, 0 to 1 (Rajpurkar et al. 2016, section 6.1). It is symmetric.

    The official scripts differ if a side has no tokens: version 2.0 gives 1 if neither has any; version 1.1 gives 0
    whenever no token is in common, also for two empty texts.
    """
    return f1_of_tokens(normalise(prediction).split(), normalise(gold).split(), rule=rule)


def f1_of_tokens(prediction: Sequence[str], gold: Sequence[str], *, rule: Rule = "2.0") -> float:
    """Return :func:`f1` of two answers that are already normalised and split."""
    if rule == "2.0" and not (prediction and gold):
        return float(len(prediction) == len(gold))
    common = (Counter(prediction) & Counter(gold)).total()
    if common == 0:
        return 0.0
    precision = common / len(prediction)
    recall = common / len(gold)
    # In the official scripts' order of operations: another order changes the last digit.
    return (2 * precision * recall) / (precision + recall)


def contains(prediction: str, gold: str) -> float:
    """Return 1.0 if the gold's tokens occur in the prediction, adjacent and in order, else 0.0.

    SQuAD has no such metric: a model that answers in sentences can be right without an exact match. Only a prediction
    without tokens contains a gold without tokens; otherwise every answer to an unanswerable question would be right.
    """
    tokens, wanted = normalise(prediction).split(), normalise(gold).split()
    if not wanted:
        return float(not tokens)
    width = len(wanted)
    return float(any(tokens[start : start + width] == wanted for start in range(len(tokens) - width + 1)))


def contains_gold(text: str, gold: str) -> bool:
    """Return whether a passage or a quote contains a gold answer, as tokens or as characters.

    SQuAD's normalisation removes hyphens, so that "Afrikaans" is no token of "Afrikaans-speaking", although datasets
    take such golds from it. Characters are compared without regard to case and white space. No text contains a gold
    without tokens.
    """
    if not normalise(gold):
        return False
    return contains(text, gold) == 1.0 or " ".join(gold.split()).casefold() in " ".join(text.split()).casefold()


def best_over(metric: Callable[[str, str], float], prediction: str, golds: Sequence[str]) -> float:
    """Return the best value over the golds (Rajpurkar et al. 2016). Without golds, the right answer is empty."""
    return max(metric(prediction, gold) for gold in golds or ("",))
