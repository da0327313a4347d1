"""Broken files of every format through the pool: each becomes a document or an error that says why and what to do.

``pytest -m torture`` runs all of them; the default run takes every twelfth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from broken_files import broken_files, encrypted_files
from format_samples import SAMPLES, assert_sound

from rag.errors import DocumentError
from rag.ingestion.sandbox import Limits, ParserPool

_EVERY = 12
# What a broken file may be called; anything else ("crashed", "timeout", "parser") is a fault of ours or a library's.
_EXPECTED = {
    "archive", "binary", "broken", "empty", "encrypted", "entities", "nested", "no text", "old format", "picture",
}  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(2, Limits(wall_seconds=60.0)) as made:
        yield made


def check(pool: ParserPool, cases: list[tuple[str, str, bytes]]) -> Counter[str]:
    """Read the cases (file name, what is wrong, content); return how often each reason was given."""
    reasons: Counter[str] = Counter()
    results = pool.parse_all((name, data) for name, _, data in cases)
    for (name, wrong, _), (_, found) in zip(cases, results, strict=True):
        if isinstance(found, DocumentError):
            assert found.message and found.remedy, (name, wrong)
            assert found.reason in _EXPECTED, (name, wrong, found.reason, found.message)
            reasons[found.reason] += 1
        else:
            assert_sound(found)
            reasons["document"] += 1
    return reasons


def cases_of(name: str, called: str) -> list[tuple[str, str, bytes]]:
    return [(called, wrong, data) for wrong, data in broken_files(name)]


@pytest.mark.slow
def test_a_sample_of_broken_files(pool: ParserPool) -> None:
    cases = [case for name in SAMPLES for case in cases_of(name, name)][::_EVERY]
    reasons = check(pool, cases)
    assert reasons.total() == len(cases) >= 60


@pytest.mark.torture
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("called", ["as it is", "file.txt"])
def test_broken_files_of_every_format(pool: ParserPool, name: str, called: str) -> None:
    reasons = check(pool, cases_of(name, name if called == "as it is" else called))
    print(f"{name} {called}: {dict(reasons)}")  # noqa: T201


def test_encrypted_files_are_called_so(pool: ParserPool) -> None:
    jobs = list(encrypted_files())
    assert len(jobs) == 7
    for (name, _), found in pool.parse_all(jobs):
        assert isinstance(found, DocumentError), name
        assert (found.reason, bool(found.remedy)) == ("encrypted", True), name
