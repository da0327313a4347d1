"""Windows to scores, in batches of similar length: through torch on any device, or an int8 graph in OpenVINO on a CPU.

What a score means, :mod:`rag.extractive_qa.decode` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import ModelError
from rag.extractive_qa.windows import Window
from rag.models.openvino import compile_graph

__all__ = ["GRAPH_FILE", "OpenVinoScorer", "SpanScorer", "TorchScorer", "WindowScores"]

GRAPH_FILE = "reader.xml"

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Logits of one window: ``start`` and ``end`` (tokens,), and of its relevance."""

    start: Float32
    end: Float32
    relevance: float


class SpanScorer(Protocol):
    """Scores windows. Safe to call from many threads."""

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of all windows, in their order."""


class TorchScorer:
    """A :class:`~rag.extractive_qa.model.SpanReader` on its own device; a batch has up to ``tokens``, padded."""

    def __init__(self, model: Any, *, padding: int, types: bool, tokens: int = 16384) -> None:
        self._model = model
        self._padding, self._types, self._tokens = padding, types, tokens

    @classmethod
    def load(cls, folder: Path, name: str, *, padding: int, types: bool, device: str = "auto") -> TorchScorer:
        """Load a trained reader: fp32 on a CPU, bf16 or fp16 on a GPU."""
        import torch

        from rag.embedding.base import choose_devices, choose_dtype
        from rag.extractive_qa.model import RELEVANCE_FILE, SpanReader

        device = choose_devices(device, torch)[0]
        with_relevance = (folder / RELEVANCE_FILE).is_file()
        model = SpanReader.load(folder, with_relevance=with_relevance, name=name, trained=True)
        dtype = getattr(torch, choose_dtype("auto", device, torch))
        return cls(model.to(device=device, dtype=dtype).eval(), padding=padding, types=types)

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of all windows, in their order."""
        import torch

        device = next(self._model.parameters()).device

        def infer(arrays: dict[str, Int64]) -> list[Float32]:
            if not self._types:
                arrays.pop("token_type_ids")
            with torch.inference_mode():
                output = self._model(**{name: torch.from_numpy(array).to(device) for name, array in arrays.items()})
            return [part.float().cpu().numpy() for part in (output.start, output.end, output.relevance)]

        return _score(windows, self._tokens, self._padding, infer)


class OpenVinoScorer:
    """An int8 graph. Threads share the compiled model; each call has its own request."""

    def __init__(self, folder: Path, *, padding: int, tokens: int = 4096) -> None:
        self._compiled = compile_graph(folder / GRAPH_FILE)
        self._padding, self._tokens = padding, tokens
        self._inputs = _checked_inputs(self._compiled, folder / GRAPH_FILE)

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of all windows, in their order."""
        request = self._compiled.create_infer_request()

        def infer(arrays: dict[str, Int64]) -> list[Float32]:
            request.infer({name: arrays[name] for name in self._inputs})
            return [request.get_output_tensor(n).data.copy() for n in range(3)]

        return _score(windows, self._tokens, self._padding, infer)


def _score(
    windows: Sequence[Window], tokens: int, padding: int, infer: Callable[[dict[str, Int64]], list[Float32]]
) -> list[WindowScores]:
    """Score in batches; ``infer`` returns the logits of starts, ends (both windows, tokens) and relevance (windows)."""
    scores: dict[int, WindowScores] = {}
    for chosen in batches(windows, tokens):
        start, end, relevance = infer(padded([windows[n] for n in chosen], padding))
        for row, n in enumerate(chosen):
            size = len(windows[n].ids)
            scores[n] = WindowScores(start[row, :size], end[row, :size], float(relevance[row]))
    return [scores[n] for n in range(len(windows))]


def _checked_inputs(compiled: Any, path: Path) -> list[str]:
    """Return the names of a graph's inputs. Raises :class:`~rag.errors.ModelError` for another model's."""
    names = [port.get_any_name() if port.get_names() else "" for port in compiled.inputs]
    ranks = [len(port.get_partial_shape()) for port in compiled.outputs]
    if not {"input_ids", "attention_mask"} <= set(names) <= _INPUTS or ranks != [2, 2, 1]:
        raise ModelError(f"the graph {path} does not belong to a span reader", "make it with `rag train finish`")
    return names


def batches(windows: Sequence[Window], tokens: int) -> Iterator[list[int]]:
    """Yield positions, sorted by length, in batches whose padded size is at most ``tokens`` (one window at least)."""
    order = sorted(range(len(windows)), key=lambda n: len(windows[n].ids))
    batch: list[int] = []
    for n in order:
        if batch and (len(batch) + 1) * len(windows[n].ids) > tokens:
            yield batch
            batch = []
        batch.append(n)
    if batch:
        yield batch


def padded(windows: Sequence[Window], padding: int) -> dict[str, Int64]:
    """Return ``input_ids``, ``attention_mask`` and ``token_type_ids``, each (windows, longest)."""
    width = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), width), padding, dtype=np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size], mask[row, :size], types[row, :size] = window.ids, 1, window.types
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
