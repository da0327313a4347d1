"""The span reader as a torch model: any encoder with a question-answering head and a relevance head.

The first is an ``AutoModelForQuestionAnswering`` of transformers, saved in its own format, so that any such checkpoint
can be read and ours can be used elsewhere. The second is one linear unit on the first token: whether the passage
answers the question. A checkpoint without it relies on its spans.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from rag.errors import ModelError, UsageError, model_errors
from rag.models.loading import pretrained
from rag.models.quiet import quiet_libraries
from rag.text import error_line

__all__ = [
    "RELEVANCE_FILE", "Scores", "SpanReader", "check_fits", "encoder_config", "freeze_embeddings", "load_whole",
]  # fmt: skip

RELEVANCE_FILE = "relevance.safetensors"
_RECORD = "reader.json"
_REMEDY = "name an encoder such as BERT, RoBERTa or MiniLM, with its weights as safetensors"


class Scores(NamedTuple):
    """Logits: ``start`` and ``end`` (windows, tokens), ``relevance`` (windows)."""

    start: torch.Tensor
    end: torch.Tensor
    relevance: torch.Tensor


class SpanReader(nn.Module):  # type: ignore[misc]  # mypy does not follow torch
    """Scores every token as a start and as an end; the first token means "no answer"."""

    def __init__(self, qa: nn.Module, relevance: nn.Linear | None) -> None:
        super().__init__()
        self.qa = qa
        self.relevance = relevance

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        with_relevance: bool = True,
        name: str | None = None,
        dropout: float | None = None,
        trained: bool = False,
    ) -> SpanReader:
        """Load a reader, or an encoder, which gets new heads. ``dropout`` replaces all of its own.

        Raises :class:`~rag.errors.ModelError` for anything but a whole encoder with safetensors, and with ``trained``
        for an encoder that has not learned to mark spans: its answers would be noise.
        """
        named = name or str(folder)
        from transformers import AutoModelForQuestionAnswering

        config = encoder_config(folder, named, dropout)
        qa, missing = load_whole(
            AutoModelForQuestionAnswering, folder, named, "a question-answering head", config=config
        )
        if trained and missing:
            raise ModelError(
                f"{named} is an encoder that has not learned to mark answers",
                "train a reader from it: `rag train reader`, or choose bundled:reader",
            )
        head = nn.Linear(qa.config.hidden_size, 1) if with_relevance else None
        if head is not None:
            _fill(head, folder / RELEVANCE_FILE, named)
        return cls(qa, head)

    def forward(self, **inputs: torch.Tensor) -> Scores:
        """Score windows: ``input_ids``, ``attention_mask`` and, where the encoder has them, ``token_type_ids``."""
        output = self.qa(**inputs, output_hidden_states=self.relevance is not None)
        if self.relevance is None:
            return Scores(
                output.start_logits, output.end_logits, output.start_logits.new_zeros(len(output.start_logits))
            )
        first = output.hidden_states[-1][:, 0]
        return Scores(output.start_logits, output.end_logits, self.relevance(first).squeeze(-1))

    def save(self, folder: Path, tokenizer: Any, record: dict[str, Any]) -> None:
        """Write weights, tokenizer and ``record`` (sizes of windows, calibration) into a folder, the record last."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        with quiet_libraries():
            self.qa.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        if self.relevance is not None:
            save_file({k: v.contiguous() for k, v in self.relevance.state_dict().items()}, folder / RELEVANCE_FILE)
        (folder / _RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def encoder_config(folder: Path, name: str, dropout: float | None = None) -> Any:
    """Return the configuration of an encoder; ``dropout`` replaces every dropout in it.

    Raises :class:`~rag.errors.ModelError` for anything but an encoder with safetensors.
    """
    from transformers import AutoConfig
    from transformers.utils import logging as hf_logging

    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{name} holds no safetensors file",
            "convert its weights to safetensors: pickled weights are never loaded, because they can run code",
        )
    hf_logging.disable_progress_bar()
    with model_errors(f"{name} has no configuration that can be read", _REMEDY), quiet_libraries():
        config = pretrained(AutoConfig, folder)
    if not _is_encoder(config):
        raise ModelError(f"{name} is a {config.model_type} model, which is no encoder", _REMEDY)
    if dropout is not None:
        _set_dropout(config, dropout)
    return config


def load_whole(kind: Any, folder: Path, name: str, head: str, **options: Any) -> tuple[Any, list[str]]:
    """Load a model by an Auto class. Return it and the names of the weights of its head that are missing.

    transformers fills missing weights with noise and only warns. Raises :class:`~rag.errors.ModelError` if weights of
    the encoder are missing, or the folder cannot be read.
    """
    with model_errors(f"{name} cannot be read as an encoder with {head}", _REMEDY), quiet_libraries():
        model, report = pretrained(kind, folder, use_safetensors=True, output_loading_info=True, **options)
    missing = sorted(report["missing_keys"])
    # The pooler belongs to the head: an encoder that was trained for another purpose has none.
    lost = [key for key in missing if key.startswith(f"{model.base_model_prefix}.") and ".pooler." not in key]
    if lost:
        raise ModelError(f"{name} lacks {len(lost)} of its encoder's weights, such as {lost[0]}", _REMEDY)
    return model, missing


def check_fits(config: Any, tokenizer: Any, name: str, key: str, length: int) -> None:
    """Check that an encoder knows all tokens and reads ``length`` of them; ``key`` is the setting of the length.

    Raises :class:`~rag.errors.ModelError`, :class:`~rag.errors.UsageError`.
    """
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"the tokenizer of {name} has {len(tokenizer):,} tokens and its encoder knows {config.vocab_size:,}",
            "choose a folder in which the two belong together",
        )
    positions = getattr(config, "max_position_embeddings", None)  # not every architecture has a limit
    if positions and length > positions:
        raise UsageError(
            f"{key} = {length} is more than {name} reads, which is {positions}", f"--set {key}={min(positions, 320)}"
        )


def freeze_embeddings(model: Any) -> None:
    """Exclude the embeddings of a transformers model from training, those of positions and types included."""
    base = model.base_model
    (getattr(base, "embeddings", None) or base.get_input_embeddings()).requires_grad_(False)


def _is_encoder(config: Any) -> bool:
    """Return whether an architecture reads a text in both directions: transformers has a masked language model of it.

    Its question-answering classes do not decide this, because some are for decoders.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    masked = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return masked and not config.is_encoder_decoder and not getattr(config, "is_decoder", False)


def _set_dropout(config: Any, share: float) -> None:
    """Set every dropout that a configuration names, whatever the architecture calls it."""
    for key, value in config.to_dict().items():
        if "dropout" in key and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, key, share)


def _fill(head: nn.Linear, saved: Path, name: str) -> None:
    """Load the relevance head, or initialize a new one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not saved.is_file():
        nn.init.zeros_(head.bias)
        nn.init.normal_(head.weight, std=0.02)
        return
    try:
        head.load_state_dict(load_file(saved))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the relevance head of {name} cannot be read: {error_line(error, 200)}",
            "train it again, or copy it again",
        ) from error
