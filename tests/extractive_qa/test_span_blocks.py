"""Which places of a passage one span may not hold together."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rag.extractive_qa.decode import block_of


def blocks(passage: str) -> list[list[str]]:
    """The words of each block."""
    words = list(re.finditer(r"[^\s|]+", passage))
    numbers = block_of(passage, np.array([word.start() for word in words], dtype=np.int32)).tolist()
    assert numbers == sorted(numbers)
    return [
        [word.group() for word, block in zip(words, numbers, strict=True) if block == number]
        for number in sorted(set(numbers))
    ]


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("one line\nwrapped into two", [["one", "line", "wrapped", "into", "two"]]),
        ("one\n \t\ntwo\n\n\nthree", [["one"], ["two"], ["three"]]),
        ("# Final analysis\nThe median was 9.", [["#", "Final", "analysis"], ["The", "median", "was", "9."]]),
        ("see #9 and\n#10 too", [["see", "#9", "and", "#10", "too"]]),
        ("Needed:\n- rope\n- two\n  poles\n1. knots",
         [["Needed:"], ["-", "rope"], ["-", "two", "poles"], ["1.", "knots"]]),
        ("in\n1985. A year", [["in", "1985.", "A", "year"]]),
        ("| Part | Mass |\n| --- | --- |\n| fog sensor | 3.4 kg |\nSo it is.",
         [["Part"], ["Mass"], ["---"], ["---"], ["fog", "sensor"], ["3.4", "kg"], ["So", "it", "is."]]),
        (r"| a \| b | c |", [["a", "\\", "b"], ["c"]]),
        ("either a | b or c", [["either", "a", "b", "or", "c"]]),
        ("", []),
    ],
)  # fmt: skip
def test_blocks(passage: str, expected: list[list[str]]) -> None:
    assert blocks(passage) == expected
