"""A sweep as the page asks for it: settings to try, typed as YAML, with what the form says. It knows no widgets."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.errors import SweepError
from eval.sweep import Sweep, parse_sweep
from indexes.system import atomic_write
from rag.config import load_config
from rag.factory import made_with
from ui.jobs.evaluations import Request
from ui.views.index_fit import refuse_unfit

__all__ = ["keep_sweep", "sweep_of"]


def sweep_of(request: Request, text: str) -> Sweep:
    """Return the sweep of ``grid`` and ``points`` in a text, over what the request asks; every setting is checked.

    Raises :class:`~eval.errors.SweepError`, :class:`~rag.errors.UsageError` and, of an index that is to be searched,
    :class:`~indexes.errors.StoreError`.
    """
    _refuse_aliases(text)
    rows = load_config(request.config, request.settings).rows()
    form = {
        "name": request.name or "sweep",
        "dataset": request.questions,
        "mode": request.mode,
        "limit": request.limit,
        "seed": request.seed,
        "config": request.config,
        "set": {key: value for key, value, origin in rows if origin == "--set"},
    }
    made = made_with(Path(request.index)) if request.index else {}

    def check(settings: Mapping[str, Any]) -> None:
        parts = [f"{key}={json.dumps(value, default=str)}" for key, value in settings.items()]
        refuse_unfit(made, load_config(request.config, parts), SweepError)

    return parse_sweep(text, "the sweep", "sweep", form, check)


def keep_sweep(folder: Path, request: Request, sweep: Sweep) -> Request:
    """Write the sweep down as ``rag eval sweep`` reads it, and return the request for it.

    Only its user may read the file, for an address in it may hold a password.
    """
    tree = dataclasses.asdict(sweep) | {
        "set": sweep.common,
        "points": [{"name": point.name, **point.settings} for point in sweep.points],
    }
    del tree["common"]
    content = json.dumps(tree, default=str, sort_keys=True)  # which is YAML
    path = folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content, mode=0o600)
    return dataclasses.replace(request, sweep=str(path))


def _refuse_aliases(text: str) -> None:
    """Refuse what refers to itself or to other places: a few lines of it can be made into gigabytes."""
    import yaml

    with contextlib.suppress(yaml.YAMLError):  # said where it is read
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise SweepError("the sweep refers to a value by an alias (*name)", "write the value out")
