"""Fixtures of the tests of training."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_samples import tiny_encoder


@pytest.fixture(scope="module", autouse=True)
def tiny_models_train_fast() -> Iterator[None]:
    """Compute in one thread and keep the libraries out of garbage collection.

    A model of one layer loses more by sharing its work between threads than it gains, and the Trainer collects garbage
    at the end of every training: both together make the tests eight times faster.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an encoder of one layer. Copy it before you change it."""
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def handlers() -> Iterator[None]:
    """Have Ctrl-C raise, as in a terminal (a shell's background job ignores it); undone at the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
