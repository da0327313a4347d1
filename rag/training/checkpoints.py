"""The checkpoints of a training: which of them are whole, which is the last, and what the best one holds.

A checkpoint is written file by file, its ``trainer_state.json`` last, and a process can be killed at any point of that.
What is not whole is never gone on from. It is put aside under another name, because the Trainer counts folders when it
deletes old checkpoints and would keep a broken one in place of a whole one.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Checkpoint", "last_checkpoint", "tidy", "weights_at"]

_NAME = re.compile(r"checkpoint-(\d+)")
_ASIDE = "incomplete-"
_STATE, _WEIGHTS = "trainer_state.json", "model.safetensors"
_PICKLED = ("optimizer.pt", "scheduler.pt")


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint. ``ended``: the training came to its end there, by its steps or by its patience."""

    folder: Path
    step: int
    best_step: int | None
    ended: bool


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the last whole checkpoint in a folder; what is later and not whole is put aside."""
    found = {int(m[1]): path for path in folder.glob("*") if (m := _NAME.fullmatch(path.name)) and path.is_dir()}
    for step in sorted(found, reverse=True):
        state = _state(found[step], step)
        if state is not None:
            control = state.get("stateful_callbacks", {}).get("TrainerControl", {})
            ended = bool(control.get("args", {}).get("should_training_stop"))
            return Checkpoint(found[step], step, state.get("best_global_step"), ended)
        aside = folder / f"{_ASIDE}{found[step].name}"
        shutil.rmtree(aside, ignore_errors=True)
        found[step].rename(aside)
    return None


def weights_at(folder: Path, step: int | None) -> dict[str, Any] | None:
    """Return the weights of a step's checkpoint, None where there is none that can be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(folder / f"checkpoint-{step}" / _WEIGHTS))
    except (OSError, SafetensorError):
        return None


def tidy(folder: Path) -> None:
    """Delete what was put aside, once there is something better."""
    for path in folder.glob(f"{_ASIDE}*"):
        shutil.rmtree(path, ignore_errors=True)


def _state(folder: Path, step: int) -> dict[str, Any] | None:
    """Return the state that a checkpoint records, None if the checkpoint is not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        with safe_open(folder / _WEIGHTS, "pt"):  # compares the file's length with its header's
            pass
    except (OSError, ValueError, SafetensorError):
        return None
    random = list(folder.glob("rng_state*.pth"))
    # PyTorch's files are ZIP archives, whose directory stands at their end: a cut one has none.
    whole = random and all(zipfile.is_zipfile(path) for path in [*random, *(folder / name for name in _PICKLED)])
    return state if whole and isinstance(state, dict) and state.get("global_step") == step else None
