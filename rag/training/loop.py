"""The training loop that readers and rerankers share: Hugging Face's Trainer, watched by figures of our own.

Mixed precision, several devices, accumulation, checkpoints, resuming and TensorBoard are the Trainer's own. Ours are
an order of the examples that depends on seed and epoch alone (so that a resumed training goes on in it), and that a
batch which does not fit in memory is made smaller and accumulated more often instead. What is trained, by which loss
and with what it is measured, is a :class:`Task`'s affair.
"""

from __future__ import annotations

import gc
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.utils import logging as hf_logging

from rag.errors import ModelError, UsageError
from rag.training.checkpoints import Checkpoint, last_checkpoint, tidy, weights_at
from rag.training.config import LoopConfig
from rag.training.interrupts import Interrupts
from rag.training.trainer import ByLength, Meter, Progress, SaveWhatWasWatched

__all__ = ["CHECKPOINTS", "LOGS", "Task", "Trained", "choose_precision", "fit"]

CHECKPOINTS = "checkpoints"
LOGS = "logs"


class Task(Protocol):
    """What is trained. ``items`` are what a batch is made of; a long example may be several."""

    metric: ClassVar[str]  # of the figures, the one that the best model has most of
    arguments: ClassVar[type[TrainingArguments]]  # which kind of them the trainer takes

    @property
    def model(self) -> nn.Module:
        """The module whose weights are trained and kept."""

    @property
    def examples(self) -> int:
        """How many examples the items come from."""

    @property
    def lengths(self) -> Sequence[int]:
        """The tokens of each item."""

    @property
    def facts(self) -> Mapping[str, int]:
        """What the record says of the items."""

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        """Return a Trainer with :class:`~rag.training.trainer.Watched` mixed in that takes the items in ``order``."""


@dataclass(frozen=True)
class Trained:
    """The best model and what happened: rows by step, seconds of this sitting, figures at the best step, speed."""

    model: nn.Module
    history: tuple[Mapping[str, Any], ...]
    seconds: float
    figures: Mapping[str, Any]
    best: Mapping[str, float]
    speed: Mapping[str, Any]
    resumed_from: int | None


@dataclass(frozen=True)
class _Batch:
    """``size`` examples at once on each device, ``accumulation`` times for one step."""

    size: int
    accumulation: int

    def smaller(self) -> _Batch | None:
        """Return the next smaller batch with as many examples a step, so that no step is another one."""
        size = next((n for n in range(self.size // 2, 0, -1) if self.size % n == 0), None)
        return None if size is None else _Batch(size, self.accumulation * (self.size // size))


def choose_precision(asked: str) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``: what was asked for, or what this machine computes fastest.

    Raises :class:`~rag.errors.UsageError` for ``fp16`` without a GPU.
    """
    on_gpu = torch.cuda.is_available()
    if asked == "fp16" and not on_gpu:
        raise UsageError("training.precision = 'fp16' needs a GPU, and there is none", "set it to auto, fp32 or bf16")
    if asked != "auto":
        return asked
    if not on_gpu:
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def fit(
    task: Task,
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = True,
    watch: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train, keeping checkpoints in ``folder``; with ``resume`` go on from the last whole one, else delete them.

    The model returned is that of the best evaluation by the task's metric.
    """
    job = _Job(task, config, folder, watch, say)
    beginning = {name: weight.detach().cpu().clone() for name, weight in task.model.state_dict().items()}
    batch = _Batch(config.batch_size, config.accumulation)
    anew = not resume
    while True:
        try:
            with _quiet():
                return _attempt(job, batch, anew=anew)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            smaller = batch.smaller()
            # With several devices the others wait for this one inside an operation that it has left.
            if smaller is None or _world() > 1:
                raise ModelError(
                    f"a batch of {batch.size} does not fit in memory",
                    "halve training.batch_size and double training.accumulation, or have fewer tokens read at once",
                ) from None
        # Outside of `except`: the error holds on to the tensors that did not fit.
        batch, anew = smaller, False
        say(f"out of memory: going on with a batch of {batch.size}, accumulated {batch.accumulation} times")
        task.model.load_state_dict(beginning)
        task.model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class _Job:
    task: Task
    config: LoopConfig
    folder: Path
    watch: Callable[[Progress], None]
    say: Callable[[str], None]


def _attempt(job: _Job, batch: _Batch, *, anew: bool) -> Trained:
    """Train with one size of batch, from the last whole checkpoint to the end."""
    started = time.monotonic()
    task, checkpoints = job.task, job.folder / CHECKPOINTS
    arguments = _arguments(job, checkpoints, batch)
    with arguments.main_process_first(local=False):  # the others must not look while the first one tidies up
        if anew and arguments.process_index == 0:
            shutil.rmtree(checkpoints, ignore_errors=True)
        last = last_checkpoint(checkpoints)
    if last is not None:
        job.say(f"going on from the checkpoint of step {last.step:,}")
    if last is not None and last.ended:  # it was stopped before the model was written
        state = TrainerState.load_from_json(str(last.folder / "trainer_state.json"))
        speed: dict[str, float] = {}
        told: dict[str, float] = {}
    else:
        state, speed, told = _run(job, batch, arguments, last)
    weights = weights_at(checkpoints, state.best_global_step)
    if weights is not None:
        task.model.load_state_dict(weights)
    elif last is not None and last.ended:
        raise ModelError(
            f"{checkpoints} has lost the checkpoint of the best step, {state.best_global_step}",
            "start anew with --no-resume",
        )
    if arguments.process_index == 0:
        tidy(checkpoints)
    history = tuple(state.log_history)
    best = [row for row in history if f"eval_{task.metric}" in row and row["step"] == state.best_global_step]
    named = {name.removeprefix("eval_"): value for name, value in best[-1].items() if name.startswith("eval_")}
    return Trained(
        task.model,
        history,
        time.monotonic() - started,
        {**task.facts, "steps": state.global_step, **told},
        {"step": best[-1]["step"], **named},
        {"precision": choose_precision(job.config.precision), "batch": batch.size, **speed},
        last.step if last else None,
    )


def _run(
    job: _Job, batch: _Batch, arguments: TrainingArguments, last: Checkpoint | None
) -> tuple[TrainerState, dict[str, float], dict[str, float]]:
    task = job.task
    order = ByLength(task.lengths, batch.size * batch.accumulation, job.config.seed)
    interrupts = Interrupts()
    callbacks = [EarlyStoppingCallback(early_stopping_patience=job.config.patience), SaveWhatWasWatched(), interrupts]
    trainer = task.trainer(arguments, order, callbacks)
    trainer.interrupts = interrupts
    trainer.remove_callback(PrinterCallback)
    # A long example is several items.
    meter = Meter(trainer, order, task.examples / len(task.lengths), job.watch)
    trainer.add_callback(meter)
    writer = _tensorboard(job, last) if arguments.process_index == 0 else None
    if writer is not None:
        trainer.add_callback(TensorBoardCallback(writer))
    try:
        with interrupts:
            told = trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
    finally:
        if writer is not None:
            writer.close()
        # Takes off what mixed precision put around the model's forward().
        trainer.accelerator.unwrap_model(task.model, keep_fp32_wrapper=False)
    return trainer.state, meter.speed(), dict(told.metrics)


def _arguments(job: _Job, checkpoints: Path, batch: _Batch) -> TrainingArguments:
    config = job.config
    precision = choose_precision(config.precision)
    return job.task.arguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=batch.size,
        gradient_accumulation_steps=batch.accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,  # below 1 it is a share
        weight_decay=config.weight_decay,
        lr_scheduler_type="linear",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        seed=config.seed,
        eval_strategy="steps",
        eval_steps=config.evaluate_every,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=config.keep_checkpoints,
        load_best_model_at_end=False,  # done here: the Trainer's wants every save to be at an evaluation
        metric_for_best_model=f"eval_{job.task.metric}",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,  # else patience would begin anew
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is no number is to be seen
        report_to="none",
        log_level="passive" if _is_verbose() else "error",
        log_level_replica="passive" if _is_verbose() else "error",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )


def _tensorboard(job: _Job, last: Checkpoint | None) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        job.say("no TensorBoard logs are written: `pip install tensorboard` for them")
        return None
    # What an interrupted sitting logged after its last checkpoint is taken out of the curves.
    return SummaryWriter(str(job.folder / LOGS), purge_step=last.step + 1 if last else None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the libraries log and warn of, unless ``RAG_VERBOSE=1``; errors still come."""
    if _is_verbose():
        yield
        return
    before = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hf_logging.set_verbosity(before)


def _is_verbose() -> bool:
    return os.environ.get("RAG_VERBOSE") == "1"


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
