"""A site on this machine, and the only way to it: tests pass the resolver and the rule for addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web_server import Site, serving

from rag.ingestion.web.fetch import FetchLimits, PageFetcher


@pytest.fixture
def site() -> Iterator[Site]:
    """A site without pages."""
    with serving() as made:
        yield made


@pytest.fixture
def fetcher() -> PageFetcher:
    """A fetcher that takes every name for this machine, and this machine for public."""
    return PageFetcher(FetchLimits(1, 5.0), lambda host, port: ["127.0.0.1"], lambda address: address == "127.0.0.1")
