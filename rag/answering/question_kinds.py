"""What a question asks for: a short fact, a number, a summary, the list of documents, small talk, and so on.

The classifier is multinomial logistic regression over the question's MiniLM embedding and hashed n-grams of its words
and characters. Hashing n-grams into a fixed number of buckets is the trick of Weinberger et al. (2009), "Feature
Hashing for Large Scale Multitask Learning". ``benchmarks/question_kinds.py`` trains it and writes the bundled weights;
nothing here is a rule for single words.

The classifier knows nothing of documents or answers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt

from indexes.system import sha256_file
from rag.errors import ModelError
from rag.types import QuestionKind

__all__ = ["KINDS", "WEIGHTS", "KindGuess", "QuestionClassifier", "QuestionWeights", "hashed_features", "load_weights"]

KINDS: tuple[QuestionKind, ...] = tuple(kind for kind in get_args(QuestionKind) if kind)
WEIGHTS = Path(__file__).parents[1] / "bundled" / "question_kinds.safetensors"
WEIGHTS_SUM = "7d2d5726fb0ebac65f8213c1f559c2d03d2a1aa082cd2ebea7e656e4a641fd69"
BUCKETS = 1 << 13
MOST_CHARS = 400  # of a question; a longer one says what it asks for at its beginning or never

_LEAST = {"small_talk": 0.8, "collection": 0.8, "summary": 0.45, "calculation": 0.85}
_WORD = re.compile(r"[^\W\d_]+|\d+|[?!]")
_DIGITS = re.compile(r"\d+")

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KindGuess:
    """A kind of question and its probability, 0 to 1."""

    kind: QuestionKind
    probability: float


@dataclass(frozen=True)
class QuestionWeights:
    """The classifier's weights: ``dense`` (dimension, kinds), ``hashed`` (buckets, kinds) and ``bias`` (kinds,)."""

    kinds: tuple[QuestionKind, ...]
    dense: Float32
    hashed: Float32
    bias: Float32

    @property
    def dimension(self) -> int:
        """The length of a question's vector."""
        return len(self.dense)

    def probabilities(self, vectors: Float32, questions: Sequence[str]) -> Float32:
        """Return probabilities (n, kinds) for n questions and their unit vectors (n, dimension)."""
        scores = vectors @ self.dense + self.bias
        for row, question in enumerate(questions):
            buckets, values = hashed_features(question, len(self.hashed))
            scores[row] += values @ self.hashed[buckets]
        scores -= scores.max(axis=1, keepdims=True)
        odds = np.exp(scores)
        return cast("Float32", odds / odds.sum(axis=1, keepdims=True))


class QuestionClassifier:
    """Tells the kind of a question. Safe to call from many threads.

    ``embed`` returns the unit vectors (n, 384) that bundled:minilm makes of n questions.
    """

    def __init__(self, weights: QuestionWeights, embed: Callable[[Sequence[str]], Float32]) -> None:
        self._weights = weights
        self._embed = embed

    def classify(self, questions: Sequence[str]) -> list[KindGuess]:
        """Return the likeliest kind of each question.

        Kinds that get no extracted answer must be probable, because a wrong one hides the answer to a real question.
        Otherwise the likeliest other kind is returned.
        """
        if not questions:
            return []
        texts = [question[:MOST_CHARS] for question in questions]
        return [self.choose(row) for row in self._weights.probabilities(self._embed(texts), texts)]

    def choose(self, probabilities: Float32) -> KindGuess:
        """Return the kind for one question's probabilities (kinds,)."""
        kinds = self._weights.kinds
        for n in np.argsort(-probabilities):
            if probabilities[n] >= _LEAST.get(kinds[n], 0.0):
                return KindGuess(kinds[n], round(float(probabilities[n]), 4))
        return KindGuess("fact", 0.0)


def hashed_features(question: str, buckets: int = BUCKETS) -> tuple[npt.NDArray[np.int64], Float32]:
    """Return the buckets of a question's n-grams, each once, and their values.

    The n-grams are words and pairs of words, the first one to three words marked as such, and 3 to 5 characters of each
    word. Digits count as one sign. Words and characters each have a Euclidean length of 1.
    """
    words = _WORD.findall(_DIGITS.sub("0", question.casefold().replace("ё", "е")))
    grams = {f"w {word}" for word in words} | {f"w {a} {b}" for a, b in pairwise(words)}
    grams |= {f"^ {' '.join(words[:n])}" for n in (1, 2, 3) if len(words) >= n}
    pieces = {f"c {piece}" for word in words for piece in _pieces(f"<{word}>")}
    found: dict[int, float] = {}
    for group in (grams, pieces):
        for gram in group:
            bucket = zlib.crc32(gram.encode()) % buckets
            found[bucket] = found.get(bucket, 0.0) + 1.0 / len(group) ** 0.5
    order = sorted(found)
    return np.array(order, dtype=np.int64), np.array([found[n] for n in order], dtype=np.float32)


def _pieces(word: str) -> set[str]:
    return {word[start : start + size] for size in (3, 4, 5) for start in range(max(1, len(word) - size + 1))}


@lru_cache(maxsize=1)
def load_weights() -> QuestionWeights:
    """Return the bundled weights, read once.

    Raises :class:`~rag.errors.ModelError` if the file is not the pinned one.
    """
    from safetensors import safe_open

    if not WEIGHTS.is_file() or sha256_file(WEIGHTS) != WEIGHTS_SUM:
        raise ModelError(
            f"{WEIGHTS} is missing, or not the pinned file (its SHA-256 differs)",
            "run `pip install --force-reinstall --no-deps rag-qa`, or restore the file from git",
        )
    with safe_open(WEIGHTS, framework="numpy") as file:
        kinds = cast("tuple[QuestionKind, ...]", tuple(file.metadata()["kinds"].split()))
        tensors: dict[str, Any] = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    return QuestionWeights(kinds, **tensors)
