"""Which texts are the same or nearly so: MinHash signatures find candidates, their shingles decide.

A text is compared by its words, case folded; of scripts without spaces every character is a word. Its shingles are all
runs of five words in a row. Two texts are duplicates where the Jaccard similarity of their shingles, counted and not
estimated, is at least :data:`THRESHOLD`: a signature only says which pairs are worth counting.

The signature of a text is :data:`SIZE` numbers, whatever its length, and may be stored as long as :data:`METHOD` is
the same. It does not know where texts are stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["METHOD", "SIZE", "THRESHOLD", "Group", "Signature", "group", "jaccard", "near_pairs", "sign"]

THRESHOLD = 0.8
SIZE = 120
METHOD = "rensa-2 words-5 perm-120 seed-1"
"""Names the library's algorithm and every number that a signature depends on."""

_RUN = 5
_SEED = 1
_ROWS = 6  # a band; with 20 bands, texts of Jaccard 0.8 share one with a probability of 0.998, of 0.4 with 0.08
_CHARACTERS_AT_ONCE = 300_000  # bounds memory
_SLACK = 0.15  # three standard errors of an estimate by 120 numbers near the threshold are 0.11
_MOST_LOOKED_AT, _MOST_FAILED = 500, 20
_SPACELESS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SPACE = re.compile(r"\s")  # of which no case folding makes a part of a word
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+")

UInt32 = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signature:
    """``words`` is the SHA-256 of a text's words; ``minima`` (120 of uint32, little endian) its MinHash."""

    words: bytes
    minima: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """Names of texts like the first of them, each with its Jaccard similarity to it; 1.0 where the words are equal."""

    members: tuple[tuple[str, float], ...]

    @property
    def exact(self) -> bool:
        """Whether all of them have the same words."""
        return all(similarity == 1.0 for _, similarity in self.members)


def sign(text: str) -> Signature:
    """Make a text's signature. A text without words has one too, like no other's but that of its equal."""
    from rensa import RMinHash

    minhash, digest = RMinHash(SIZE, _SEED), hashlib.sha256()
    words: list[str] = []
    for number, (part, words) in enumerate(_parts(text)):
        digest.update((" " * bool(number) + " ".join(part)).encode("utf-8", "surrogatepass"))
        minhash.update(set(_runs(words)))
    if len(words) < _RUN:
        minhash.update({" ".join(words) or text})
    if not words:
        digest.update(text.encode("utf-8", "surrogatepass"))
    return Signature(digest.digest(), np.asarray(minhash.digest(), dtype="<u4").tobytes())


def jaccard(a: str, b: str) -> float:
    """Return the Jaccard similarity of two texts' shingles."""
    return _jaccard(_shingles(a), _shingles(b))


def group(signatures: Mapping[str, Signature], text_of: Callable[[str], str]) -> list[Group]:
    """Return the groups of duplicates, each in order of names; all of one group are like its first member.

    ``text_of`` is asked for texts whose signatures are near each other. The time is bounded by the number of texts
    even where thousands are made after one pattern, nearly duplicates and no more: of those in one band a text is
    compared with the 500 that follow it, nearest estimate first, until 20 in a row are not like it.
    """
    copies: dict[bytes, list[str]] = {}
    for name in sorted(signatures):
        copies.setdefault(signatures[name].words, []).append(name)
    same = list(copies.values())
    minima = np.frombuffer(b"".join(signatures[names[0]].minima for names in same), dtype="<u4").reshape(-1, SIZE)
    shingles = lru_cache(maxsize=256)(lambda n: _shingles(text_of(same[n][0])))
    near = _Candidates(minima)
    taken = np.zeros(len(same), dtype=bool)
    groups = []
    for n, names in enumerate(same):
        if taken[n]:
            continue
        members = [(name, 1.0) for name in names]
        failed = 0
        for other in near.after(n):
            if taken[other]:
                continue
            similarity = min(_jaccard(shingles(n), shingles(other)), 0.999)  # 1.0 says that the words are equal
            if similarity >= THRESHOLD:
                taken[other], failed = True, 0
                members += [(name, similarity) for name in same[other]]
            elif (failed := failed + 1) == _MOST_FAILED:
                break
        if len(members) > 1:
            groups.append(Group(tuple(sorted(members))))
    return groups


def near_pairs(signatures: Mapping[str, Signature], least: float, most: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of texts that may be alike and are not equal, each once: an estimate of at least ``least``.

    For each text at most ``most`` others are yielded, the nearest first; of equal texts one takes part.
    """
    first: dict[bytes, str] = {}
    for name in sorted(signatures):
        first.setdefault(signatures[name].words, name)
    names = list(first.values())
    minima = np.frombuffer(b"".join(signatures[name].minima for name in names), dtype="<u4").reshape(-1, SIZE)
    near = _Candidates(minima, least)
    for n, name in enumerate(names):
        yield from ((name, names[other]) for other in near.after(n)[:most])


class _Candidates:
    """Rows of a matrix (n, 120) that share a band of six numbers, and whose estimate is at least ``least``."""

    def __init__(self, minima: UInt32, least: float = THRESHOLD - _SLACK) -> None:
        self._minima = minima
        self._least = least
        self._buckets: list[Int64] = []
        self._of: list[list[int]] = [[] for _ in range(len(minima))]
        for start in range(0, SIZE, _ROWS):
            band = np.ascontiguousarray(minima[:, start : start + _ROWS]).view(f"V{4 * _ROWS}").ravel()
            _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
            order = np.argsort(inverse, kind="stable")
            ends = np.cumsum(counts)
            for bucket in np.flatnonzero(counts > 1):
                members = order[ends[bucket] - counts[bucket] : ends[bucket]]
                for member in members.tolist():
                    self._of[member].append(len(self._buckets))
                self._buckets.append(members)

    def after(self, n: int) -> list[int]:
        """Return the candidates that come after a row, the nearest first."""
        if not self._of[n]:
            return []
        others = np.unique(np.concatenate([self._following(bucket, n) for bucket in self._of[n]]))
        alike = (self._minima[others] == self._minima[n]).mean(axis=1)
        nearest = np.argsort(-alike, kind="stable")
        return [int(others[place]) for place in nearest if alike[place] >= self._least]

    def _following(self, bucket: int, n: int) -> Int64:
        members = self._buckets[bucket]  # in order
        return members[np.searchsorted(members, n, side="right") :][:_MOST_LOOKED_AT]


def _parts(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield a text's words part by part, and each part with the four words before it.

    All words of 50 MB at once take ten times its memory.
    """
    start, before = 0, list[str]()
    while start < len(text):
        space = _SPACE.search(text, start + _CHARACTERS_AT_ONCE)
        end = space.end() if space else len(text)
        if part := _WORD.findall(text[start:end].casefold()):
            words = before + part
            yield part, words
            before = words[1 - _RUN :]
        start = end


def _runs(words: Sequence[str]) -> Iterator[str]:
    return map(" ".join, zip(*(words[n:] for n in range(_RUN)), strict=False))


def _shingles(text: str) -> Int64:
    """Return the hashes of a text's shingles, each once, in order; they hold within this process only."""
    found, words = [], list[str]()
    for _, words in _parts(text):
        found.append(np.unique(np.fromiter(map(hash, _runs(words)), dtype=np.int64)))
    if len(words) < _RUN:
        found.append(np.array([hash(" ".join(words) or text)], dtype=np.int64))
    return np.unique(np.concatenate(found))


def _jaccard(a: Int64, b: Int64) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
