"""Windows to scores, in batches of like length: through torch on any device, or an int8 graph in OpenVINO on a CPU.

Both give the same kind of answer; what a score means is :mod:`rag.extractive_qa.decode`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """A trained reader's folder on the CPU or a GPU, fp32 on the first and bf16 or fp16 on the second."""

    def __init__(
        self, folder: Path, name: str, *, padding: int, types: bool, device: str = "auto", tokens: int = 16384
    ) -> None:
        import torch

        from rag.embedding.base import choose_devices, choose_dtype
        from rag.extractive_qa.model import SpanReader

        self._device = choose_devices(device, torch)[0]
        model = SpanReader.load(folder, with_relevance=has_relevance(folder), name=name, trained=True)
        dtype = getattr(torch, choose_dtype("auto", self._device, torch))
        self._model = model.to(device=self._device, dtype=dtype).eval()
        self._padding, self._types, self._tokens = padding, types, tokens

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Score in batches of at most so many tokens, padding included."""
        import torch

        scores: list[WindowScores | None] = [None] * len(windows)
        for chosen in batches(windows, self._tokens):
            arrays = padded([windows[n] for n in chosen], self._padding)
            if not self._types:
                arrays.pop("token_type_ids")
            with torch.inference_mode():
                output = self._model(**{k: torch.from_numpy(v).to(self._device) for k, v in arrays.items()})
            start, end = output.start.float().cpu().numpy(), output.end.float().cpu().numpy()
            relevance = output.relevance.float().cpu().numpy()
            for row, n in enumerate(chosen):
                size = len(windows[n].ids)
                scores[n] = WindowScores(start[row, :size], end[row, :size], float(relevance[row]))
        return [s for s in scores if s is not None]


class OpenVinoScorer:
    """An int8 graph. One compiled model is shared; each call brings its own request, so that threads do not meet."""

    def __init__(self, folder: Path, *, padding: int, tokens: int = 4096) -> None:
        self._compiled = compile_graph(folder / GRAPH_FILE)
        self._padding, self._tokens = padding, tokens
        self._inputs = _checked_inputs(self._compiled, folder / GRAPH_FILE)

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Score in batches of at most so many tokens, padding included."""
        scores: list[WindowScores | None] = [None] * len(windows)
        request = self._compiled.create_infer_request()
        for chosen in batches(windows, self._tokens):
            arrays = padded([windows[n] for n in chosen], self._padding)
            request.infer({name: arrays[name] for name in self._inputs})
            start, end, relevance = (request.get_output_tensor(n).data.copy() for n in range(3))
            for row, n in enumerate(chosen):
                size = len(windows[n].ids)
                scores[n] = WindowScores(start[row, :size], end[row, :size], float(relevance[row]))
        return [s for s in scores if s is not None]


def _checked_inputs(compiled: Any, path: Path) -> list[str]:
    """Return the names of a graph's inputs. Raises :class:`~rag.errors.ModelError` where it is no span reader's."""
    names = [port.get_any_name() if port.get_names() else "" for port in compiled.inputs]
    ranks = [len(port.get_partial_shape()) for port in compiled.outputs]
    if not {"input_ids", "attention_mask"} <= set(names) <= _INPUTS or ranks != [2, 2, 1]:
        raise ModelError(f"the graph {path} is no span reader's", "make it with `rag train finish`")
    return names


def has_relevance(folder: Path) -> bool:
    """Return whether a reader's folder has the head for relevance."""
    return (folder / "relevance.safetensors").is_file()


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


def padded(windows: Sequence[Window], padding: int) -> dict[str, npt.NDArray[np.int64]]:
    """Return ``input_ids``, ``attention_mask`` and ``token_type_ids``, each (windows, longest)."""
    width = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), width), padding, dtype=np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size], mask[row, :size], types[row, :size] = window.ids, 1, window.types
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
