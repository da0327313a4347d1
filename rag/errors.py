"""Everything a user can run into, with the exit code and the next thing to type.

::

    RagError                       1   the general case
    ├── UsageError                 2   a wrong option, key or value
    ├── InputError                 1   a path, file or question that cannot be used
    ├── DocumentError              -   one document cannot be read; becomes a failed row, never a stop
    ├── MissingPackageError        1   an optional package is not installed
    ├── ModelError                 1   a model that is not here, or not what it should be
    ├── PromptTooLongError         1   a question that does not fit its model
    ├── PromptRefusedError         1   a prompt that the endpoint does not take; others it may
    └── GeneratorError             6   the generator cannot be reached or died

Exit codes beyond these: 4 no index, 5 index damaged, 7 some files or lines failed, 75 index locked, 130 interrupted.
"""

from __future__ import annotations

__all__ = [
    "DocumentError",
    "GeneratorError",
    "InputError",
    "MissingPackageError",
    "ModelError",
    "PromptRefusedError",
    "PromptTooLongError",
    "RagError",
    "UsageError",
]


class RagError(Exception):
    """An error with a remedy: ``message`` says what happened, ``remedy`` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(RagError):
    """A wrong option, configuration key or value."""

    exit_code = 2


class InputError(RagError):
    """A path, a file or a question that cannot be used."""


class DocumentError(RagError):
    """One document cannot be read. ``reason`` is its class, in one or two words, for counting."""

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.reason = reason


class MissingPackageError(RagError):
    """An optional package is not installed."""


class ModelError(RagError):
    """A model that is not on this machine, or that is not what its checksum says."""


class PromptTooLongError(RagError):
    """Instructions and question alone exceed what the model reads."""


class PromptRefusedError(RagError):
    """The endpoint does not take this prompt. It is there, and may take others."""


class GeneratorError(RagError):
    """The generator cannot be reached, or died."""

    exit_code = 6
