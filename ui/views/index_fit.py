"""Whether a configuration can search an index: what that was made with is as it was then. It knows no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from eval.errors import EvalError
from indexes.store import Store
from rag.config import Resolved

__all__ = ["made_with", "refuse_unfit"]

_REMEDY = "leave it out, or search in the paragraphs of the question file: an index is made of them for every setting"


def made_with(folder: Path) -> dict[str, Any]:
    """Return the settings that an index was made with. Raises :class:`~indexes.errors.StoreError`."""
    with closing(Store.open(folder)) as store:
        return store.settings


def refuse_unfit(made: Mapping[str, Any], resolved: Resolved, error: type[EvalError] = EvalError) -> None:
    """Raise ``error`` where a configuration cuts or embeds otherwise than the index was made."""
    for key, value, _ in resolved.rows():
        if key in made and made[key] != value:
            raise error(f"this collection was made with {key} = {made[key]!r}, and {value!r} is asked for", _REMEDY)
