"""Token counts from a model's tokenizer alone, for commands that build prompts and generate nothing.

The counts equal those of :class:`rag.generation.vllm.VllmCompleter`; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.generation.base import Prompt
from rag.models.quiet import quiet_libraries
from rag.models.resolve import resolve_model

__all__ = ["TokenizerCounter"]


class TokenizerCounter:
    """Counts with a model's own tokenizer. ``limit`` is the configured context length, None for the model's."""

    def __init__(self, model: str, *, revision: str | None = None, limit: int | None = None) -> None:
        path = resolve_model(model, revision).path
        with quiet_libraries():
            from transformers import AutoConfig, AutoTokenizer

            self._tokenizer: Any = AutoTokenizer.from_pretrained(path)
            model_length = int(AutoConfig.from_pretrained(path).max_position_embeddings)
        self.context_length = min(limit or model_length, model_length)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count plain texts, without special tokens."""
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count prompts as the engine sees them."""
        return [self._count(prompt) for prompt in prompts]

    def _count(self, prompt: Prompt) -> int:
        if not prompt.messages:
            return len(self._tokenizer(prompt.text)["input_ids"])
        turns = [{"role": m.role, "content": m.content} for m in prompt.messages]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])
