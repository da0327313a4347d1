"""Whether a configuration can search an index that was built with other settings. It knows no widgets and no index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.errors import EvalError
from rag.config import Resolved

__all__ = ["refuse_unfit"]

_REMEDY = "leave it out, or search in the paragraphs of the question file: an index is made of them for every setting"


def refuse_unfit(made: Mapping[str, Any], resolved: Resolved, error: type[EvalError] = EvalError) -> None:
    """Raise ``error`` where a configuration cuts or embeds otherwise than an index was ``made`` with."""
    for key, value, _ in resolved.rows():
        if key in made and made[key] != value:
            raise error(f"this collection was made with {key} = {made[key]!r}, and {value!r} is asked for", _REMEDY)
