"""Every error in a sentence for the page, :mod:`eval`'s and those that nobody foresaw included."""

from __future__ import annotations

import logging

from eval.errors import EvalError
from rag.errors import FAILURES, Failure, explain

__all__ = ["FORESEEN", "failure_of", "traced"]

LOG = logging.getLogger(__name__)
FORESEEN = (EvalError, *FAILURES)


def failure_of(error: BaseException) -> Failure:
    """Explain any error: what has a sentence by it, what has none by its kind."""
    if isinstance(error, EvalError):
        return Failure(error.message, error.remedy, 1, type(error).__name__)
    if isinstance(error, FAILURES):
        return explain(error)
    told = f"{type(error).__name__}: {error}"
    return Failure(told, "see the terminal of `rag ui`, and `rag doctor`", 1, "unforeseen")


def traced(what: str, error: BaseException | None) -> None:
    """Trace a defect of ours, or of a library, in the terminal; what was foreseen has its sentence."""
    if error is not None and not isinstance(error, FORESEEN):
        LOG.error("%s failed", what, exc_info=error)
