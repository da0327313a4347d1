"""The checkpoints of a training: the last whole one, and the weights of the best one.

A checkpoint is written file by file, ``trainer_state.json`` last, and a process can be killed at any point. Training
never resumes from an incomplete checkpoint. It is renamed, because the Trainer counts folders when it deletes old
checkpoints and would keep a broken one instead of a whole one.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Checkpoint", "delete_incomplete", "last_checkpoint", "weights_at"]

_NAME = re.compile(r"checkpoint-(\d+)")
_INCOMPLETE = "incomplete-"
_STATE, _WEIGHTS = "trainer_state.json", "model.safetensors"
_PICKLED = ("optimizer.pt", "scheduler.pt")


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint. ``ended``: the training ended there, by its steps or by its patience."""

    folder: Path
    step: int
    best_step: int | None
    ended: bool


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the last whole checkpoint in a folder; rename later ones, which are incomplete."""
    found = {int(m[1]): path for path in folder.glob("*") if (m := _NAME.fullmatch(path.name)) and path.is_dir()}
    for step in sorted(found, reverse=True):
        state = _state(found[step], step)
        if state is not None:
            control = state.get("stateful_callbacks", {}).get("TrainerControl", {})
            ended = bool(control.get("args", {}).get("should_training_stop"))
            return Checkpoint(found[step], step, state.get("best_global_step"), ended)
        renamed = folder / f"{_INCOMPLETE}{found[step].name}"
        shutil.rmtree(renamed, ignore_errors=True)
        found[step].rename(renamed)
    return None


def weights_at(folder: Path, step: int | None) -> dict[str, Any] | None:
    """Return the weights of a step's checkpoint; None if it is missing or unreadable."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(folder / f"checkpoint-{step}" / _WEIGHTS))
    except (OSError, SafetensorError):
        return None


def delete_incomplete(folder: Path) -> None:
    """Delete the incomplete checkpoints."""
    for path in folder.glob(f"{_INCOMPLETE}*"):
        shutil.rmtree(path, ignore_errors=True)


def _state(folder: Path, step: int) -> dict[str, Any] | None:
    """Return the recorded state of a checkpoint; None if the checkpoint is incomplete."""
    from safetensors import SafetensorError, safe_open

    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        with safe_open(folder / _WEIGHTS, "pt"):  # compares the file's length with its header's
            pass
    except (OSError, ValueError, SafetensorError):
        return None
    random = list(folder.glob("rng_state*.pth"))
    # PyTorch's files are ZIP archives with the directory at the end: a truncated one has none.
    whole = random and all(zipfile.is_zipfile(path) for path in [*random, *(folder / name for name in _PICKLED)])
    return state if whole and isinstance(state, dict) and state.get("global_step") == step else None
