"""What is shown while models load: where one must be made ready for this machine first, that too."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rag.cli.output import status

if TYPE_CHECKING:
    from rag.config import Config

__all__ = ["loading"]

_PREPARING = "preparing the embedder for this machine, once: up to a minute"


def loading(
    config: Config, what: str = "loading the embedder", *, told: str | None = None
) -> AbstractContextManager[None]:
    """Show what goes on; ``told`` is written where stderr is no terminal."""
    from rag.factory import embedder_is_prepared

    if embedder_is_prepared(config):
        return status(what, told=told)
    return status(f"{what}: {_PREPARING}", told=f"{_PREPARING}…" if told is None else f"{told} ({_PREPARING})")
