"""Spans from logits against a double loop, and where words end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.extractive_qa.decode import Float32, best_spans, block_of, null_score
from rag.extractive_qa.edges import edges
from rag.extractive_qa.windows import Window

FIRST = 3


def window_of(spans: list[tuple[int, int]]) -> Window:
    """A window whose tokens stand at ``spans``, after a question of three tokens and before one special token."""
    size = FIRST + len(spans) + 1
    starts, ends = (np.array([span[side] for span in spans], dtype=np.int32) for side in (0, 1))
    return Window(0, (0,) * size, (0,) * size, FIRST, FIRST + len(spans), starts, ends)


def brute(window: Window, passage: str, start: Float32, end: Float32, longest: int) -> list[tuple[float, int, int]]:
    """Every permitted span as (-score, first, last), best first."""
    begins, closes = edges(passage, window.starts, window.ends)
    width = window.last - window.first
    blocks = block_of(passage, window.starts)
    return sorted(
        (-float(start[FIRST + i] + end[FIRST + j]), i, j)
        for i in range(width)
        for j in range(i, min(i + longest, width))
        if begins[i] and closes[j] and blocks[i] == blocks[j]
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Window, str, Float32, Float32]:
    passage = draw(st.text(alphabet="ab1 .é\n|#-", min_size=1, max_size=30))
    marks = sorted({0, len(passage), *draw(st.lists(st.integers(0, len(passage)), max_size=12))})
    window = window_of(list(pairwise(marks)))
    size = len(window.ids)
    # Few values, so that there are ties; quarters, so that sums are exact.
    logits = st.lists(st.integers(-8, 8).map(lambda n: n / 4), min_size=size, max_size=size)
    start, end = (np.array(draw(logits), dtype=np.float32) for _ in range(2))
    return window, passage, start, end


@given(case=cases(), longest=st.integers(1, 12), count=st.integers(1, 8))
def test_best_spans_are_those_of_a_double_loop(
    case: tuple[Window, str, Float32, Float32], longest: int, count: int
) -> None:
    window, passage, start, end = case
    expected = brute(window, passage, start, end, longest)[:count]
    found = best_spans(window, passage, start, end, longest=longest, count=count)
    assert [(s.start, s.end, s.score) for s in found] == [
        (int(window.starts[i]), int(window.ends[j]), -score) for score, i, j in expected
    ]


def test_what_stands_outside_the_passage_is_never_marked() -> None:
    window = window_of([(0, 1), (2, 3)])
    start = np.array([99, 99, 99, 0, 0, 99], dtype=np.float32)
    (found,) = best_spans(window, "a b", start, start, longest=5)
    assert (found.start, found.end, found.score) == (0, 1, 0.0)


def test_logits_that_a_model_masks_are_no_span() -> None:
    lowest = np.full(6, np.finfo(np.float32).min, dtype=np.float32)
    for hidden in (lowest, np.full(6, -np.inf, dtype=np.float32)):
        with np.errstate(over="ignore"):
            assert best_spans(window_of([(0, 1), (2, 3)]), "a b", hidden, hidden, longest=5) == []


def test_half_precision_is_read() -> None:
    logits = np.array([0, 0, 0, 1, 2, 0], dtype=np.float16)
    (found,) = best_spans(window_of([(0, 1), (2, 3)]), "a b", logits, logits, longest=5)  # type: ignore[arg-type]
    assert (found.start, found.end, found.score) == (2, 3, 4.0)


def test_no_answer_is_the_first_token() -> None:
    assert null_score([1.5, 9.0], [2.0, 9.0]) == 3.5
    assert null_score(np.array([1.5, 9], dtype=np.float32), np.array([2, 9], dtype=np.float32)) == 3.5
