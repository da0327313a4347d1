"""The errors of the evaluation. Each says what happened and what to do."""

from __future__ import annotations

__all__ = ["EvalError", "SweepError"]


class EvalError(Exception):
    """Invalid input to an evaluation. ``message`` says what is wrong and where, ``remedy`` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


class SweepError(EvalError):
    """A sweep file that cannot be used."""
