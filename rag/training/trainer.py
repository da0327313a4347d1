"""Additions to Hugging Face's Trainer: an order of examples that resumes, our own evaluation, and progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from accelerate.utils import gather_object
from torch.utils.data import Sampler
from transformers import TrainerCallback
from transformers.trainer_pt_utils import get_length_grouped_indices

from rag.errors import ModelError
from rag.training.interrupts import Interrupts

__all__ = ["ByLength", "Meter", "OwnEvaluation", "Progress", "SaveAtEvaluation"]

T = TypeVar("T")
R = TypeVar("R")

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Progress:
    """The state of a training. ``figures`` are set after an evaluation, ``loss`` when it has just been averaged."""

    step: int
    steps: int
    loss: float | None
    examples_per_s: float
    tokens_per_s: float
    seconds_left: float
    figures: Mapping[str, float] | None = None


class ByLength(Sampler[int]):  # type: ignore[misc]  # mypy does not follow torch
    """Groups items of similar length, in an order that depends on seed and epoch alone.

    The Trainer's own sampler draws from the global random state, which differs when an epoch is resumed.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = list(lengths), batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = torch.Generator()
        draw.manual_seed(1_000_003 * self._seed + self.epoch)
        return iter(get_length_grouped_indices(self._lengths, self._batch, generator=draw))


class OwnEvaluation:
    """A mixin before a Trainer: evaluation calls :meth:`measure`, and training batches are counted."""

    args: Any
    state: Any
    control: Any
    callback_handler: Any
    log: Any
    interrupts: Interrupts

    items = 0
    tokens: Any = 0  # a tensor on the device: reading its value after each batch would stall a GPU
    evaluation_s = 0.0

    @property
    def evaluation_batch(self) -> int:
        """How many items are read at once without gradients."""
        return min(_EVALUATION_BATCH, 2 * int(self.args.per_device_train_batch_size))

    def measure(self) -> Mapping[str, float]:
        """Return the figures of the current model by their short names."""
        raise NotImplementedError

    def count(self, mask: torch.Tensor) -> None:
        """Count a training batch by its mask (items, tokens); all devices have batches of the same size."""
        self.items += len(mask) * self.args.world_size
        self.tokens = self.tokens + mask.detach().sum() * self.args.world_size

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure, and pass the figures to the Trainer."""
        started = time.monotonic()
        with self.interrupts.at_once():
            figures = {f"eval_{name}": value for name, value in self.measure().items()}
        self.evaluation_s += time.monotonic() - started
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def divide(self, work: Callable[[Sequence[T]], list[R]], things: Sequence[T]) -> list[R]:
        """Share the work between devices. Each gets all results, so that all take the same decisions."""
        devices, own = self.args.world_size, self.args.process_index
        part = work(things[own::devices])
        if devices == 1:
            return part
        parts = gather_object([part])
        return [parts[n % devices][n // devices] for n in range(len(things))]


class SaveAtEvaluation(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """Writes a checkpoint at every evaluation, so that the best model is saved."""

    def on_evaluate(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        """Request a checkpoint."""
        control.should_save = True


class Meter(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """Reports progress and speed, sets the order of each epoch, and stops when the loss is not finite.

    ``share`` is how many examples an item is.
    """

    def __init__(self, trainer: Any, order: ByLength, share: float, watch: Callable[[Progress], None]) -> None:
        self._trainer, self._order, self._share, self._watch = trainer, order, share, watch
        self._started, self._first, self._last = 0.0, 0, 0

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start to count."""
        self._started, self._first = time.monotonic(), state.global_step

    def on_epoch_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Set the order."""
        self._order.epoch = int(state.epoch or 0)

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Report a step."""
        self._report(state)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        """Report a loss. Raises :class:`~rag.errors.ModelError` if it is not finite."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise ModelError(
                f"the loss is no number any more at step {state.global_step:,}",
                "lower training.learning_rate, or set training.precision to fp32, and give --no-resume",
            )
        if loss is not None:
            self._report(state, loss=loss)

    def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: Any = None, **_: Any) -> None:
        """Report figures."""
        self._report(state, figures={k.removeprefix("eval_"): v for k, v in (metrics or {}).items()})

    def speed(self) -> dict[str, float]:
        """Return examples and tokens per second without evaluation, as of the last step."""
        items, tokens, seconds = self._read(self._trainer.state)
        return {
            "examples_per_s": round(items * self._share / seconds, 2),
            "tokens_per_s": round(tokens / seconds, 1),
        }

    def _read(self, state: Any) -> tuple[int, int, float]:
        if state.global_step > self._last:
            self._last = state.global_step
            seconds = time.monotonic() - self._started - self._trainer.evaluation_s
            self._now = self._trainer.items, int(self._trainer.tokens), max(seconds, 1e-9)
        return self._now

    def _report(self, state: Any, loss: float | None = None, figures: Mapping[str, float] | None = None) -> None:
        items, tokens, seconds = self._read(state)
        done = max(state.global_step - self._first, 1)
        left = (state.max_steps - state.global_step) * (time.monotonic() - self._started) / done
        speed = items * self._share / seconds, tokens / seconds
        self._watch(Progress(state.global_step, state.max_steps, loss, *speed, left, figures))
