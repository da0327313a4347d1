"""The folder of a training: who may write into it, what the training in it was begun with, and its record.

The folder says what is in it: ``started.json`` is written first and holds what the training was begun with, so that
no other one is gone on with by mistake; ``training.json`` is written last, so that what has it is finished. What is
trained, these functions do not know.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from indexes.system import atomic_write, sha256_file
from rag.errors import InputError
from rag.training.checkpoints import last_checkpoint
from rag.training.config import ReaderConfig, RerankerConfig
from rag.training.curve import write_curve
from rag.training.loop import CHECKPOINTS, LOGS, Trained

__all__ = ["TrainedFolder", "begin", "beginning", "check", "claimed", "complete", "finished", "is_first", "kept_step"]

_VERSION = 1
_STARTED, _RECORD, _CURVE, _LOCK = "started.json", "training.json", "curve.html", ".training.lock"
_OTHER = "name another output, or start anew in this one with --no-resume"


@dataclass(frozen=True)
class TrainedFolder:
    """Where the model is, and its record; ``was_finished`` if there was nothing left to train."""

    folder: Path
    figures: dict[str, Any]
    was_finished: bool = False

    @property
    def curve(self) -> Path:
        """The page with the learning curve."""
        return self.folder / _CURVE

    @property
    def logs(self) -> Path:
        """What TensorBoard reads."""
        return self.folder / LOGS


def is_first() -> bool:
    """Return whether this process is the one that writes; ``torchrun`` sets the variable."""
    return os.environ.get("RANK", "0") == "0"


def kept_step(output: Path) -> int | None:
    """Return the step of the last whole checkpoint of a training's folder."""
    last = last_checkpoint(output / CHECKPOINTS)
    return last.step if last else None


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Keep a second training out of the folder, and leave no empty one behind."""
    if not is_first():
        yield
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the output {output} cannot be made: {error.strerror}", "name another folder") from None
    lock = FileLock(output / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"another process trains into {output}", "wait until it is done, or name another") from None
    try:
        yield
    finally:
        lock.release()
        (output / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            output.rmdir()


def beginning(config: ReaderConfig | RerankerConfig, fingerprint: str) -> dict[str, Any]:
    """Return what a training begins with: all of it must be the same for one to be gone on with.

    ``fingerprint`` is the encoder's.
    """
    tree = config.model_dump(mode="json")
    del tree["output"]  # the folder may have been moved
    files = {str(path): _sha256(path) for path in config.files()}
    begun = {"version": _VERSION, "config": tree, "encoder": fingerprint, "files": files}
    return begun if isinstance(config, ReaderConfig) else {**begun, "trains": "reranker"}


def finished(output: Path, begun: Mapping[str, Any]) -> TrainedFolder | None:
    """Return the finished training that is there, None if there is none. Raises if it is another one."""
    if not (output / _RECORD).is_file():
        return None
    _refuse_another(output, begun)
    try:
        figures = json.loads((output / _RECORD).read_text(encoding="utf-8"))
        return TrainedFolder(output, {**figures, "best": dict(figures["best"])}, was_finished=True)
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{output / _RECORD} is not the record of a training", _OTHER) from None


def check(output: Path, begun: Mapping[str, Any], *, resume: bool) -> None:
    """Make sure that the folder is empty or holds this very training; without ``resume``, any training of ours."""
    there = {path.name for path in output.iterdir()} - {_LOCK}
    if there and not there & {_STARTED, CHECKPOINTS}:
        raise InputError(f"the output {output} is not empty and holds no training", "name a new folder")
    if resume and CHECKPOINTS in there:  # before the first of them there is nothing to go on with
        _refuse_another(output, begun)


def begin(output: Path, begun: Mapping[str, Any], *, resume: bool) -> None:
    """Say what the training is begun with; without ``resume``, delete what another one left."""
    if not resume:
        (output / _RECORD).unlink(missing_ok=True)
        for name in (CHECKPOINTS, LOGS):
            shutil.rmtree(output / name, ignore_errors=True)
    _write_json(output / _STARTED, begun)


def complete(
    config: ReaderConfig | RerankerConfig,
    fingerprint: str,
    examples: Mapping[str, int],
    notes: Sequence[str],
    trained: Trained,
    packages: Sequence[str] = (),
) -> TrainedFolder:
    """Return the record, and write it and the curve; the model must be there already."""
    figures = {
        "version": _VERSION,
        "config": config.model_dump(mode="json"),
        "encoder": fingerprint,
        "examples": dict(examples),
        "notes": list(notes),
        "best": dict(trained.best),
        "speed": dict(trained.speed),
        "resumed_from": trained.resumed_from,
        "figures": dict(trained.figures),
        "history": [dict(row) for row in trained.history],
        "seconds": round(trained.seconds, 1),
        "hardware": {
            "cpu": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "gpus": torch.cuda.device_count(),
        },
        "packages": {name: version(name) for name in ("torch", "transformers", "accelerate", *packages)},
    }
    figures = dict(_finite(figures))
    if is_first():
        write_curve(config.output / _CURVE, trained.history, f"Training of {config.output.name}")
        _write_json(config.output / _RECORD, figures)
    return TrainedFolder(config.output, figures)


def _finite(value: Any) -> Any:
    """Return a value with None for every number that JSON lacks, such as a gradient that overflowed in fp16."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_another(output: Path, begun: Mapping[str, Any]) -> None:
    try:
        there = json.loads((output / _STARTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{output} does not say what the training in it was begun with", _OTHER) from None
    before, now = _flat(there), _flat(begun)
    trains, wanted = (flat.pop("trains", "reader") for flat in (before, now))
    if trains != wanted:
        raise InputError(f"{output} holds the training of a {trains}, and this is one of a {wanted}", _OTHER)
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        key = other[0].removeprefix("config.")
        values = f"{_short(before.get(other[0]))} there, {_short(now.get(other[0]))} now"
        more = f", and {len(other) - 1} more differ" if other[1:] else ""
        raise InputError(f"{output} holds a training with another {key} ({values}{more})", _OTHER)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, Mapping):
        return {prefix.removesuffix("."): tree}
    return {k: v for name, inner in tree.items() for k, v in _flat(inner, f"{prefix}{name}.").items()}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _write_json(path: Path, value: Any) -> None:
    """Write a whole file or none."""
    atomic_write(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise InputError(
            f"the training data {path} cannot be read: {error.strerror}", "check the path in the training file"
        ) from None
