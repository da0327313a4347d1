"""What every test shares: no network, seeded property tests, and the real embedder loaded once."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import pytest
from hypothesis import settings

from rag.build import make_embedder
from rag.config import Config, load_config
from rag.embedding import Embedder

settings.register_profile("seeded", derandomize=True, deadline=None, database=None)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """The real bundled embedder."""
    return make_embedder(load_config("cpu").config)


@pytest.fixture(scope="session")
def test_config() -> Config:
    """The preset without models."""
    return load_config("test").config
