"""Token counts from a model's own tokenizer, with its engine or without, for commands that generate nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from rag.generation.base import Prompt
from rag.models.loading import pretrained
from rag.models.quiet import quiet_libraries
from rag.models.resolve import resolve_model

__all__ = ["TokenizerCounter"]


class TokenizerCounter:
    """Counts with a tokenizer of transformers."""

    def __init__(self, tokenizer: Any, context_length: int) -> None:
        self._tokenizer = tokenizer
        self.context_length = context_length

    @classmethod
    def load(cls, model: str, *, revision: str | None = None, limit: int | None = None) -> Self:
        """Load a model's tokenizer. ``limit`` is the configured context length, None for the model's."""
        path = resolve_model(model, revision).path
        with quiet_libraries():
            from transformers import AutoConfig, AutoTokenizer

            tokenizer: Any = pretrained(AutoTokenizer, path)
            model_length = int(pretrained(AutoConfig, path).max_position_embeddings)
        return cls(tokenizer, min(limit or model_length, model_length))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count plain texts, without special tokens."""
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count prompts as the model sees them, chat template and special tokens included."""
        return [len(self.token_ids(prompt)) for prompt in prompts]

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Return a prompt as the model reads it."""
        if not prompt.messages:
            return list(self._tokenizer(prompt.text)["input_ids"])
        turns = [{"role": m.role, "content": m.content} for m in prompt.messages]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
