"""The training loop: Hugging Face's Trainer over span-reader features, watched by exact match and F1.

Mixed precision, several devices, accumulation, checkpoints, resuming and TensorBoard are the Trainer's own. Ours are
the loss, what is measured, an order of the examples that depends on seed and epoch alone (so that a resumed training
goes on in it), and that a batch which does not fit in memory is made smaller and accumulated more often instead.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn
from torch.utils.data import Sampler
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import TensorBoardCallback
from transformers.trainer_pt_utils import get_length_grouped_indices
from transformers.utils import logging as hf_logging

from rag.errors import InputError, ModelError, UsageError
from rag.spans.model import SpanReader
from rag.spans.windows import Windower
from rag.training.checkpoints import Checkpoint, last_checkpoint, tidy, weights_at
from rag.training.config import TrainingConfig
from rag.training.corpus import Example
from rag.training.features import Collator, Features
from rag.training.scoring import Judge, Predicted, mark, scores

__all__ = ["CHECKPOINTS", "LOGS", "Progress", "Trained", "choose_precision", "reader_loss", "train"]

CHECKPOINTS = "checkpoints"
LOGS = "logs"
_WATCH_BATCH = 64


@dataclass(frozen=True)
class Progress:
    """Where a training is. ``figures`` are set after an evaluation, ``loss`` where it has just been averaged."""

    step: int
    steps: int
    loss: float | None
    examples_per_s: float
    tokens_per_s: float
    seconds_left: float
    figures: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Trained:
    """The best model and what happened: rows by step, seconds of this sitting, figures at the best step, speed."""

    model: SpanReader
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


def reader_loss(told: Any, mask: torch.Tensor, start: torch.Tensor, end: torch.Tensor, weight: float) -> torch.Tensor:
    """Return the mean over windows of the cross entropies of start and end, and of relevance at ``weight``.

    ``told`` are :class:`~rag.spans.model.Scores`, ``mask`` (windows, tokens) is 0 at padding, which takes no part;
    ``start`` and ``end`` (windows,) are tokens, both 0 where a window holds no answer.
    """
    lowest = torch.finfo(torch.float32).min / 2
    loss = (
        nn.functional.cross_entropy(told.start.float().masked_fill(mask == 0, lowest), start)
        + nn.functional.cross_entropy(told.end.float().masked_fill(mask == 0, lowest), end)
    ) / 2
    if weight:
        wanted = (end > 0).float()
        loss = loss + weight * nn.functional.binary_cross_entropy_with_logits(told.relevance.float(), wanted)
    return loss


def train(
    model: SpanReader,
    windower: Windower,
    train_set: Sequence[Example],
    dev_set: Sequence[Example],
    config: TrainingConfig,
    folder: Path,
    judge: Judge,
    *,
    resume: bool = True,
    watch: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train, keeping checkpoints in ``folder``; with ``resume`` go on from the last whole one, else delete them.

    The model returned is that of the best evaluation by F1, over the examples with an answer and abstention together.
    Dropout is the model's own: see :meth:`~rag.spans.model.SpanReader.load`.
    """
    features = Features(train_set, windower)
    if not len(features):
        raise InputError(f"none of the {len(train_set):,} training examples has a token to read", "name other data")
    if config.freeze_embeddings:
        model.freeze_embeddings()
    job = _Job(model, windower, train_set, dev_set, features, config, folder, judge, watch, say)
    beginning = {name: weight.detach().cpu().clone() for name, weight in model.state_dict().items()}
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
                    "halve training.batch_size and double training.accumulation, or make the window smaller",
                ) from None
        # Outside of `except`: the error holds on to the tensors that did not fit.
        batch, anew = smaller, False
        say(f"out of memory: going on with a batch of {batch.size}, accumulated {batch.accumulation} times")
        model.load_state_dict(beginning)
        model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class _Job:
    model: SpanReader
    windower: Windower
    train_set: Sequence[Example]
    dev_set: Sequence[Example]
    features: Features
    config: TrainingConfig
    folder: Path
    judge: Judge
    watch: Callable[[Progress], None]
    say: Callable[[str], None]

    @property
    def types(self) -> bool:
        """Whether the encoder is told which tokens are the question's."""
        return "token_type_ids" in self.windower.tokenizer.model_input_names


def _attempt(job: _Job, batch: _Batch, *, anew: bool) -> Trained:
    """Train with one size of batch, from the last whole checkpoint to the end."""
    started = time.monotonic()
    checkpoints = job.folder / CHECKPOINTS
    arguments = _arguments(job.config, checkpoints, batch)
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
        job.model.load_state_dict(weights)
    elif last is not None and last.ended:
        raise ModelError(
            f"{checkpoints} has lost the checkpoint of the best step, {state.best_global_step}",
            "start anew with --no-resume",
        )
    if arguments.process_index == 0:
        tidy(checkpoints)
    history = tuple(state.log_history)
    best = [row for row in history if "eval_f1" in row and row["step"] == state.best_global_step]
    named = {name.removeprefix("eval_"): value for name, value in best[-1].items() if name.startswith("eval_")}
    figures = {"windows": len(job.features), "dropped": job.features.dropped, "steps": state.global_step, **told}
    return Trained(
        job.model,
        history,
        time.monotonic() - started,
        figures,
        {"step": best[-1]["step"], **named},
        {"precision": choose_precision(job.config.precision), "batch": batch.size, **speed},
        last.step if last else None,
    )


def _run(
    job: _Job, batch: _Batch, arguments: TrainingArguments, last: Checkpoint | None
) -> tuple[TrainerState, dict[str, float], dict[str, float]]:
    trainer = _ReaderTrainer(
        model=job.model,
        args=arguments,
        train_dataset=job.features,
        eval_dataset=[0],  # the Trainer wants one where it is to evaluate; evaluate() has the examples themselves
        data_collator=Collator(job.windower.padding, types=job.types),
        callbacks=[EarlyStoppingCallback(early_stopping_patience=job.config.patience), _SaveWhatWasWatched()],
    )
    trainer.reads(job, batch)
    trainer.remove_callback(PrinterCallback)
    meter = _Meter(trainer, job)
    trainer.add_callback(meter)
    writer = _tensorboard(job, last) if arguments.process_index == 0 else None
    if writer is not None:
        trainer.add_callback(TensorBoardCallback(writer))
    try:
        told = trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
    finally:
        if writer is not None:
            writer.close()
        # Takes off what mixed precision put around the model's forward().
        trainer.accelerator.unwrap_model(job.model, keep_fp32_wrapper=False)
    return trainer.state, meter.speed(), dict(told.metrics)


def _arguments(config: TrainingConfig, checkpoints: Path, batch: _Batch) -> TrainingArguments:
    precision = choose_precision(config.precision)
    return TrainingArguments(
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
        metric_for_best_model="eval_f1",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,  # else patience would begin anew
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,  # a loss that is no number is to be seen
        report_to="none",
        log_level="passive" if _is_verbose() else "error",
        log_level_replica="passive" if _is_verbose() else "error",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        include_num_input_tokens_seen="non_padding",
        disable_tqdm=True,
    )


class _ReaderTrainer(Trainer):  # type: ignore[misc]  # transformers is not looked into
    """The Trainer with a span reader's loss, order and figures."""

    def reads(self, job: _Job, batch: _Batch) -> None:
        """Say what is trained; the Trainer's own constructor has no room for it."""
        self._job = job
        self._watch_batch = min(_WATCH_BATCH, 2 * batch.size)
        self.windows = 0
        self.aside_s = 0.0  # spent on evaluation
        lengths = [len(row["input_ids"]) for row in (job.features[n] for n in range(len(job.features)))]
        self.order = _ByLength(lengths, batch.size * batch.accumulation, job.config.seed)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Return :func:`reader_loss` of one batch."""
        start, end = inputs.pop("start_positions"), inputs.pop("end_positions")
        told = model(**inputs)
        weight = 0.0 if self._job.model.relevance is None else self._job.config.relevance_weight
        loss = reader_loss(told, inputs["attention_mask"], start, end, weight)
        self.windows += len(start) * self.args.world_size
        return (loss, told) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mark the examples that are watched."""
        started = time.monotonic()
        figures = {f"eval_{k}": v for k, v in scores(self._job.dev_set, self._mark(), self._job.judge).items()}
        self.aside_s += time.monotonic() - started
        self.log(figures)
        control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        self.control: Any = control
        return figures

    def _mark(self) -> list[Predicted | None]:
        """Mark each device's share; all of them get all marks, and so take the same decisions."""
        devices, own = self.args.world_size, self.args.process_index
        examples, types = self._job.dev_set[own::devices], self._job.types
        part = mark(self.model, self._job.windower, examples, types=types, batch=self._watch_batch)
        if devices == 1:
            return part
        whole: list[Predicted | None] = [None] * len(self._job.dev_set)
        for n, marked in enumerate(gather_object([part])):
            whole[n::devices] = marked
        return whole

    def _get_train_sampler(self, *_: Any) -> Sampler[int]:
        return self.order


class _ByLength(Sampler[int]):  # type: ignore[misc]  # torch is not looked into
    """Examples of like length together, in an order that follows from seed and epoch.

    The Trainer's own draws from the global state, which is another one when an epoch is gone on with.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = lengths, batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = torch.Generator()
        draw.manual_seed(1_000_003 * self._seed + self.epoch)
        return iter(get_length_grouped_indices(self._lengths, self._batch, generator=draw))


class _SaveWhatWasWatched(TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
    """Writes a checkpoint at every evaluation, else the best model might be one that nobody kept."""

    def on_evaluate(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        control.should_save = True


class _Meter(TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
    """Tells how far a training is and how fast, sets the epoch's order, and stops where the loss is no number."""

    def __init__(self, trainer: _ReaderTrainer, job: _Job) -> None:
        self._trainer, self._job = trainer, job
        self._share = len(job.train_set) / len(job.features)  # a long passage is several windows
        self._started, self._first, self._tokens, self._last = 0.0, 0, 0, 0

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._started, self._first, self._tokens = time.monotonic(), state.global_step, state.num_input_tokens_seen

    def on_epoch_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._trainer.order.epoch = int(state.epoch or 0)

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self._tell(state)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise ModelError(
                f"the loss is no number any more at step {state.global_step:,}",
                "lower training.learning_rate, or set training.precision to fp32, and give --no-resume",
            )
        if loss is not None:
            self._tell(state, loss=loss)

    def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: Any = None, **_: Any) -> None:
        self._tell(state, figures={k.removeprefix("eval_"): v for k, v in (metrics or {}).items()})

    def speed(self) -> dict[str, float]:
        """Return examples and tokens a second of training alone, as they were after the last step."""
        windows, tokens, seconds = self._read(self._trainer.state)
        return {
            "examples_per_s": round(windows * self._share / seconds, 2),
            "tokens_per_s": round(tokens / seconds, 1),
        }

    def _read(self, state: Any) -> tuple[int, int, float]:
        if state.global_step > self._last:
            self._last = state.global_step
            seconds = time.monotonic() - self._started - self._trainer.aside_s
            self._now = self._trainer.windows, state.num_input_tokens_seen - self._tokens, max(seconds, 1e-9)
        return self._now

    def _tell(self, state: Any, loss: float | None = None, figures: Mapping[str, float] | None = None) -> None:
        windows, tokens, seconds = self._read(state)
        done = max(state.global_step - self._first, 1)
        left = (state.max_steps - state.global_step) * (time.monotonic() - self._started) / done
        speed = windows * self._share / seconds, tokens / seconds
        self._job.watch(Progress(state.global_step, state.max_steps, loss, *speed, left, figures))


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
