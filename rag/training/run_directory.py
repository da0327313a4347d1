"""The folder of a training: prepared, locked, and filled with the model and its records.

``started.json`` is written first and records what the training starts from, so that no other training is resumed by
mistake. ``training.json`` is written last: a folder with it is finished. What is trained, a :class:`Prepared` knows.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from transformers import set_seed

from indexes.system import atomic_write, sha256_file
from rag.config.yaml_settings import flatten
from rag.errors import InputError
from rag.models.resolve import LocalModel, resolve_model
from rag.training.checkpoints import last_checkpoint
from rag.training.config import ReaderConfig, RerankerConfig
from rag.training.curve import write_curve
from rag.training.data.sources import TrainingData
from rag.training.loop import CHECKPOINTS, LOGS, Task, Trained, choose_precision, fit
from rag.training.trainer import Progress

__all__ = [
    "Prepared", "TrainedFolder", "check_folder", "finished_training", "last_step", "starting_point", "train_in_folder",
]  # fmt: skip

_VERSION = 1
_STARTED, _RECORD, _CURVE, _LOCK = "started.json", "training.json", "curve.html", ".training.lock"
_OTHER = "name another output, or start over in this one with --no-resume"


@dataclass(frozen=True)
class TrainedFolder:
    """A trained model's folder and record; ``was_finished`` if there was nothing left to train."""

    folder: Path
    figures: dict[str, Any]
    was_finished: bool = False

    @property
    def curve(self) -> Path:
        """The page with the learning curve."""
        return self.folder / _CURVE

    @property
    def logs(self) -> Path:
        """The folder for TensorBoard."""
        return self.folder / LOGS


@dataclass(frozen=True)
class Prepared:
    """What to train: the data, a line about them, the task, how to save the model, and packages for the record."""

    data: TrainingData[Any]
    summary: str
    task: Callable[[], Task]
    save: Callable[[Path], None]
    packages: tuple[str, ...] = ()


def train_in_folder(
    config: ReaderConfig | RerankerConfig,
    prepare: Callable[[LocalModel], Prepared],
    *,
    resume: bool,
    say: Callable[[str], None],
    watch: Callable[[Progress], None],
) -> TrainedFolder:
    """Train, and write the model, ``training.json`` and the checkpoints into ``config.output``.

    With ``resume``, continue an interrupted training, and return a finished one as it is. If several processes train
    together, the first one writes. Raises :class:`~rag.errors.RagError`.
    """
    set_seed(config.training.seed)
    encoder = resolve_model(config.encoder, config.revision)
    with _locked(config.output):
        start = starting_point(config, encoder.fingerprint)
        if resume and (finished := finished_training(config.output, start)):
            say(f"the training in {config.output} is finished: these are its figures")
            return finished
        if _is_first():
            check_folder(config.output, start, resume=resume)
        choose_precision(config.training.precision)  # refuses what this machine cannot do before the data are read
        prepared = prepare(encoder)
        for note in prepared.data.notes:
            say(note)
        say(prepared.summary)
        if _is_first():
            _begin(config.output, start, resume=resume)
        trained = fit(prepared.task(), config.training, config.output, resume=resume, watch=watch, say=say)
        if _is_first():
            prepared.save(config.output)
        return _complete(config, encoder.fingerprint, prepared, trained)


def last_step(output: Path) -> int | None:
    """Return the step of the last whole checkpoint of a training's folder."""
    last = last_checkpoint(output / CHECKPOINTS)
    return last.step if last else None


def starting_point(config: ReaderConfig | RerankerConfig, fingerprint: str) -> dict[str, Any]:
    """Return what a training starts from, which must be equal for it to be resumed. ``fingerprint``: the encoder's."""
    tree = config.model_dump(mode="json", exclude={"output"})  # the folder may have been moved
    files = {str(path): _checksum(path) for path in config.files()}
    start = {"version": _VERSION, "config": tree, "encoder": fingerprint, "files": files}
    return start if isinstance(config, ReaderConfig) else {**start, "trains": "reranker"}


def finished_training(output: Path, start: Mapping[str, Any]) -> TrainedFolder | None:
    """Return the finished training in a folder, None if there is none. Raises if it is another one."""
    if not (output / _RECORD).is_file():
        return None
    _refuse_another(output, start)
    try:
        figures = json.loads((output / _RECORD).read_text(encoding="utf-8"))
        return TrainedFolder(output, {**figures, "best": dict(figures["best"])}, was_finished=True)
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{output / _RECORD} is not the record of a training", _OTHER) from None


def check_folder(output: Path, start: Mapping[str, Any], *, resume: bool) -> None:
    """Check that a folder is empty or holds this very training; without ``resume``, any training."""
    names = {path.name for path in output.iterdir()} - {_LOCK}
    if names and not names & {_STARTED, CHECKPOINTS}:
        raise InputError(f"the output {output} is not empty and holds no training", "name a new folder")
    if resume and CHECKPOINTS in names:  # without checkpoints there is nothing to resume
        _refuse_another(output, start)


def _is_first() -> bool:
    """Return whether this process is the one that writes; ``torchrun`` sets the variable."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Lock the folder against a second training, and remove it at the end if it is empty."""
    if not _is_first():
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


def _begin(output: Path, start: Mapping[str, Any], *, resume: bool) -> None:
    """Record what the training starts from; without ``resume``, delete what another one left."""
    if not resume:
        (output / _RECORD).unlink(missing_ok=True)
        for name in (CHECKPOINTS, LOGS):
            shutil.rmtree(output / name, ignore_errors=True)
    _write_json(output / _STARTED, start)


def _complete(
    config: ReaderConfig | RerankerConfig, fingerprint: str, prepared: Prepared, trained: Trained
) -> TrainedFolder:
    """Write the record and the curve, after the model."""
    packages = ("torch", "transformers", "accelerate", *prepared.packages)
    figures: dict[str, Any] = {
        "version": _VERSION,
        "config": config.model_dump(mode="json"),
        "encoder": fingerprint,
        "examples": {"train": len(prepared.data.train), "dev": len(prepared.data.dev)},
        "notes": list(prepared.data.notes),
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
        "packages": {name: version(name) for name in packages},
    }
    figures = dict(_finite(figures))
    if _is_first():
        write_curve(config.output / _CURVE, trained.history, f"Training of {config.output.name}")
        _write_json(config.output / _RECORD, figures)
    return TrainedFolder(config.output, figures)


def _finite(value: Any) -> Any:
    """Replace every number that JSON lacks by None, such as a gradient that overflowed in fp16."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_another(output: Path, start: Mapping[str, Any]) -> None:
    try:
        before = flatten(dict(json.loads((output / _STARTED).read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        raise InputError(f"{output} does not record what its training started from", _OTHER) from None
    now = flatten(start)
    trains, expected = (flat.pop("trains", "reader") for flat in (before, now))
    if trains != expected:
        raise InputError(f"{output} holds the training of a {trains}, and this is one of a {expected}", _OTHER)
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        key = other[0].removeprefix("config.")
        values = f"{_short(before.get(other[0]))} there, {_short(now.get(other[0]))} now"
        more = f", and {len(other) - 1} more differ" if other[1:] else ""
        raise InputError(f"{output} holds a training with another {key} ({values}{more})", _OTHER)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _write_json(path: Path, value: Any) -> None:
    atomic_write(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _checksum(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise InputError(
            f"the training data {path} cannot be read: {error.strerror}", "check the path in the training file"
        ) from None
