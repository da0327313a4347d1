"""Examples to the input of the training loop: windows with their targets, padded batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.extractive_qa.windows import Int32, Windower
from rag.training.data.corpus import Example

__all__ = ["Collator", "Features"]

_BLOCK = 2048


class Features:
    """Windows of examples as a dataset. The target of a window is the first answer that is completely inside it.

    A window without such an answer has none. ``dropped`` counts the examples whose answers are in no window.
    """

    def __init__(self, examples: Sequence[Example], windower: Windower) -> None:
        self._rows: list[tuple[Int32, Int32, int, int]] = []  # arrays: lists of integers take ten times the memory
        self.dropped = 0
        for first in range(0, len(examples), _BLOCK):
            block = examples[first : first + _BLOCK]
            windows = windower.cut([e.pair for e in block])
            answered = set()
            for window in windows:
                located = (window.locate(*answer) for answer in block[window.pair].answers)
                place = next((found for found in located if found is not None), None)
                if place is not None:
                    answered.add(window.pair)
                start, end = place or (0, 0)
                self._rows.append(
                    (np.array(window.ids, dtype=np.int32), np.array(window.types, dtype=np.int32), start, end)
                )
            self.dropped += sum(1 for n, e in enumerate(block) if e.answers and n not in answered)

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
    """Pads a batch on the right to its longest window."""

    def __init__(self, padding: int, *, types: bool) -> None:
        self._padding, self._types = padding, types

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return tensors (windows, tokens) for a model, and the positions of the answers (windows)."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        def padded(key: str, padding: int) -> Any:
            return pad_sequence([torch.tensor(row[key]) for row in rows], batch_first=True, padding_value=padding)

        masks = [torch.ones(len(row["input_ids"]), dtype=torch.long) for row in rows]
        batch = {
            "input_ids": padded("input_ids", self._padding),
            "attention_mask": pad_sequence(masks, batch_first=True),
        }
        if self._types:
            batch["token_type_ids"] = padded("token_type_ids", 0)
        for key in ("start_positions", "end_positions"):
            batch[key] = torch.tensor([row[key] for row in rows])
        return batch
