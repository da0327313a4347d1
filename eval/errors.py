"""The errors of the evaluation: what happened, and what to do about it."""

from __future__ import annotations

__all__ = ["EvalError", "SweepError"]


class EvalError(Exception):
    """Bad input to an evaluation. ``message`` says what and where, ``remedy`` what to type or change next."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


class SweepError(EvalError):
    """A sweep that cannot be tried as it is written."""
