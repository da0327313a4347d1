"""What the tests of the indexes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from index_samples import temporary_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's own, but in memory where the machine allows it."""
    with temporary_folder() as folder:
        yield folder
