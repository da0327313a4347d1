"""The training loop of readers and rerankers: Hugging Face's Trainer with our own evaluation.

The Trainer does mixed precision, several devices, accumulation, checkpoints, resuming and TensorBoard. This module adds
an order of examples that depends on seed and epoch alone, so that a resumed training continues it, and halves a batch
that does not fit in memory and accumulates it more often instead. A :class:`Task` knows the model, loss and figures.
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
from rag.training.checkpoints import Checkpoint, delete_incomplete, last_checkpoint, weights_at
from rag.training.config import LoopConfig
from rag.training.interrupts import Interrupts
from rag.training.trainer import ByLength, Meter, Progress, SaveAtEvaluation

__all__ = ["CHECKPOINTS", "LOGS", "Task", "Trained", "choose_precision", "fit"]

CHECKPOINTS = "checkpoints"
LOGS = "logs"


class Task(Protocol):
    """What is trained. A batch consists of items; a long example may be several."""

    metric: ClassVar[str]  # the figure that chooses the best model
    arguments: ClassVar[type[TrainingArguments]]  # the class of the trainer's arguments

    @property
    def model(self) -> nn.Module:
        """The module whose weights are trained and saved."""

    @property
    def examples(self) -> int:
        """How many examples the items come from."""

    @property
    def lengths(self) -> Sequence[int]:
        """The tokens of each item."""

    @property
    def facts(self) -> Mapping[str, int]:
        """Counts of items for the record."""

    def trainer(self, arguments: TrainingArguments, order: ByLength, callbacks: Sequence[Any]) -> Any:
        """Return a Trainer with :class:`~rag.training.trainer.OwnEvaluation` that takes the items in ``order``."""


@dataclass(frozen=True)
class Trained:
    """The best model and its history: rows by step, seconds of this run, figures at the best step, speed."""

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
        """Return the next smaller batch with as many examples per step, so that the steps stay the same."""
        size = next((n for n in range(self.size // 2, 0, -1) if self.size % n == 0), None)
        return None if size is None else _Batch(size, self.accumulation * (self.size // size))


def choose_precision(requested: str) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``: as requested, or the fastest on this machine.

    Raises :class:`~rag.errors.UsageError` for ``fp16`` without a GPU.
    """
    on_gpu = torch.cuda.is_available()
    if requested == "fp16" and not on_gpu:
        raise UsageError("training.precision = 'fp16' needs a GPU, and there is none", "set it to auto, fp32 or bf16")
    if requested != "auto":
        return requested
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
    """Train with checkpoints in ``folder``; ``resume`` from the last whole one, or delete them.

    Return the model of the best evaluation by the task's metric.
    """
    job = _Job(task, config, folder, watch, say)
    initial = {name: weight.detach().cpu().clone() for name, weight in task.model.state_dict().items()}
    batch = _Batch(config.batch_size, config.accumulation)
    start_over = not resume
    while True:
        try:
            with _quiet():
                return _attempt(job, batch, start_over=start_over)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            smaller = batch.smaller()
            # With several devices the others wait inside an operation that this one has left.
            if smaller is None or int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise ModelError(
                    f"a batch of {batch.size} does not fit in memory",
                    "halve training.batch_size and double training.accumulation, or have fewer tokens read at once",
                ) from None
        # Outside of `except`: the error keeps the tensors alive that did not fit.
        batch, start_over = smaller, False
        say(f"out of memory: continuing with a batch of {batch.size}, accumulated {batch.accumulation} times")
        task.model.load_state_dict(initial)
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


def _attempt(job: _Job, batch: _Batch, *, start_over: bool) -> Trained:
    """Train with one batch size, from the last whole checkpoint to the end."""
    started = time.monotonic()
    task, checkpoints = job.task, job.folder / CHECKPOINTS
    arguments = _arguments(job, checkpoints, batch)
    with arguments.main_process_first(local=False):  # the others must wait while the first one cleans up
        if start_over and arguments.process_index == 0:
            shutil.rmtree(checkpoints, ignore_errors=True)
        last = last_checkpoint(checkpoints)
    if last is not None:
        job.say(f"continuing from the checkpoint of step {last.step:,}")
    if last is not None and last.ended:  # it was interrupted before the model was written
        state = TrainerState.load_from_json(str(last.folder / "trainer_state.json"))
        speed: dict[str, float] = {}
        metrics: dict[str, float] = {}
    else:
        state, speed, metrics = _run(job, batch, arguments, last)
    weights = weights_at(checkpoints, state.best_global_step)
    if weights is not None:
        task.model.load_state_dict(weights)
    elif last is not None and last.ended:
        raise ModelError(
            f"{checkpoints} lacks the checkpoint of the best step, {state.best_global_step}",
            "start over with --no-resume",
        )
    if arguments.process_index == 0:
        delete_incomplete(checkpoints)
    return Trained(
        task.model,
        tuple(state.log_history),
        time.monotonic() - started,
        {**task.facts, "steps": state.global_step, **metrics},
        _best_figures(state, task.metric),
        {"precision": choose_precision(job.config.precision), "batch": batch.size, **speed},
        last.step if last else None,
    )


def _best_figures(state: TrainerState, metric: str) -> dict[str, float]:
    """Return the step and the figures of the best evaluation."""
    rows = [row for row in state.log_history if f"eval_{metric}" in row and row["step"] == state.best_global_step]
    figures = {name.removeprefix("eval_"): value for name, value in rows[-1].items() if name.startswith("eval_")}
    return {"step": rows[-1]["step"], **figures}


def _run(
    job: _Job, batch: _Batch, arguments: TrainingArguments, last: Checkpoint | None
) -> tuple[TrainerState, dict[str, float], dict[str, float]]:
    task = job.task
    order = ByLength(task.lengths, batch.size * batch.accumulation, job.config.seed)
    interrupts = Interrupts()
    callbacks = [EarlyStoppingCallback(early_stopping_patience=job.config.patience), SaveAtEvaluation(), interrupts]
    trainer = task.trainer(arguments, order, callbacks)
    trainer.interrupts = interrupts
    trainer.remove_callback(PrinterCallback)
    meter = Meter(trainer, order, task.examples / len(task.lengths), job.watch)
    trainer.add_callback(meter)
    writer = _tensorboard(job, last) if arguments.process_index == 0 else None
    if writer is not None:
        trainer.add_callback(TensorBoardCallback(writer))
    try:
        with interrupts:
            output = trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
    finally:
        if writer is not None:
            writer.close()
        # Removes the wrapper of mixed precision from the model's forward().
        trainer.accelerator.unwrap_model(task.model, keep_fp32_wrapper=False)
    return trainer.state, meter.speed(), dict(output.metrics)


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
        warmup_steps=config.warmup,  # a share, since it is below 1
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
        load_best_model_at_end=False,  # done here: the Trainer would require every save at an evaluation
        metric_for_best_model=f"eval_{job.task.metric}",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,  # else patience would start over
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is not finite must be seen
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
        job.say("no TensorBoard logs: run `pip install tensorboard` for them")
        return None
    # Removes from the curves what an interrupted run logged after its last checkpoint.
    return SummaryWriter(str(job.folder / LOGS), purge_step=last.step + 1 if last else None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence logs and warnings of the libraries, but not errors, unless ``RAG_VERBOSE=1``."""
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
