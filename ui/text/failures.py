"""Failures for the page: every error as a sentence, including those of :mod:`eval` and unexpected ones."""

from __future__ import annotations

import logging

from eval.errors import EvalError
from rag.errors import FAILURES, Failure, explain

__all__ = ["FORESEEN", "failure_of", "traced"]

LOG = logging.getLogger(__name__)
FORESEEN = (EvalError, *FAILURES)


def failure_of(error: BaseException) -> Failure:
    """Explain any error; an unexpected one by its class and message."""
    if isinstance(error, EvalError):
        return Failure(error.message, error.remedy, 1, type(error).__name__)
    if isinstance(error, FAILURES):
        return explain(error)
    message = f"{type(error).__name__}: {error}"
    return Failure(message, "see the terminal of `rag ui`, and `rag doctor`", 1, "unforeseen")


def traced(what: str, error: BaseException | None) -> None:
    """Log an unexpected error in the terminal; expected ones have their sentence."""
    if error is not None and not isinstance(error, FORESEEN):
        LOG.error("%s failed", what, exc_info=error)
