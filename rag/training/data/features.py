"""Examples to what the training loop reads: windows with their targets, padded batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.extractive_qa.windows import Int32, Windower
from rag.training.data.corpus import Example

__all__ = ["Collator", "Features"]

_BLOCK = 2048


class Features:
    """Windows of examples as a dataset. A window that holds none of the answers as a whole has none.

    Of several answers the first that a window holds is its target. ``dropped`` counts the examples that have answers
    of which no window holds one.
    """

    def __init__(self, examples: Sequence[Example], windower: Windower) -> None:
        self._rows: list[tuple[Int32, Int32, int, int]] = []  # arrays: lists of Python integers take ten times as much
        self.dropped = 0
        for begin in range(0, len(examples), _BLOCK):
            block = examples[begin : begin + _BLOCK]
            windows = windower.cut([e.question for e in block], [e.context for e in block])
            held = set()
            for window in windows:
                located = (window.locate(*answer) for answer in block[window.pair].answers)
                place = next((found for found in located if found is not None), None)
                if place is not None:
                    held.add(window.pair)
                start, end = place or (0, 0)
                self._rows.append(
                    (np.array(window.ids, dtype=np.int32), np.array(window.types, dtype=np.int32), start, end)
                )
            self.dropped += sum(1 for n, e in enumerate(block) if e.answers and n not in held)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        ids, types, start, end = self._rows[index]
        return {
            "input_ids": ids.tolist(),
            "token_type_ids": types.tolist(),
            "start_positions": start,
            "end_positions": end,
        }


class Collator:
    """Pads a batch on the right to its longest window, or to the next ``multiple`` of tokens."""

    def __init__(self, padding: int, *, types: bool, multiple: int = 1) -> None:
        self._padding, self._types, self._multiple = padding, types, multiple

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return tensors (windows, tokens) for a model, and the positions of the answers (windows)."""
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        width = -(-width // self._multiple) * self._multiple

        def padded(key: str, filler: int) -> Any:
            return torch.tensor([row[key] + [filler] * (width - len(row[key])) for row in rows])

        ids = padded("input_ids", self._padding)
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        batch = {"input_ids": ids, "attention_mask": (torch.arange(width)[None] < lengths[:, None]).long()}
        if self._types:
            batch["token_type_ids"] = padded("token_type_ids", 0)
        for key in ("start_positions", "end_positions"):
            batch[key] = torch.tensor([row[key] for row in rows])
        return batch
