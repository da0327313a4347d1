"""The span reader as a torch model: any encoder with a question-answering head, and beside it a head for relevance.

The first is what transformers calls ``AutoModelForQuestionAnswering``, saved in its own format, so that any such
checkpoint can be read and ours can be used elsewhere. The second is one linear unit on the first token, which says
whether the passage answers the question; a checkpoint without it says so by its spans alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from rag.errors import ModelError
from rag.models.quiet import quiet_libraries
from rag.text import error_line

__all__ = ["RELEVANCE_FILE", "Scores", "SpanReader", "encoder_config"]

RELEVANCE_FILE = "relevance.safetensors"
_RECORD = "reader.json"
_REMEDY = "name an encoder such as BERT, RoBERTa or MiniLM, with its weights as safetensors"


class Scores(NamedTuple):
    """Logits: ``start`` and ``end`` (windows, tokens), ``relevance`` (windows)."""

    start: torch.Tensor
    end: torch.Tensor
    relevance: torch.Tensor


class SpanReader(nn.Module):  # type: ignore[misc]  # torch is not looked into
    """Scores every token as a start and as an end, the first token standing for "no answer"."""

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
        """Load from a folder: a reader, or an encoder whose heads are then new. ``dropout`` replaces all of its own.

        Raises :class:`~rag.errors.ModelError` for what is no encoder, is not whole, or has no safetensors, and with
        ``trained`` for an encoder that has not learned to mark spans: its answers would be noise.
        """
        named = name or str(folder)
        qa = _load_encoder(folder, named, dropout, trained)
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

    def freeze_embeddings(self) -> None:
        """Leave the embeddings as they are: of tokens, and of places and kinds where they stand together with them."""
        base = self.qa.base_model
        (getattr(base, "embeddings", None) or base.get_input_embeddings()).requires_grad_(False)

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
    """Return the configuration of an encoder, every dropout in it replaced by ``dropout`` if that is given.

    Raises :class:`~rag.errors.ModelError` for what is no encoder, or has no safetensors.
    """
    from transformers import AutoConfig
    from transformers.utils import logging as hf_logging

    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{name} holds no safetensors file",
            "convert its weights to safetensors: pickled weights are never loaded, because they can run code",
        )
    hf_logging.disable_progress_bar()
    try:
        with quiet_libraries():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever kind the library chooses, the folder is what is wrong
        raise ModelError(f"{name} has no configuration that can be read: {error_line(error, 200)}", _REMEDY) from error
    if not _is_encoder(config):
        raise ModelError(f"{name} is a {config.model_type} model, which is no encoder", _REMEDY)
    if dropout is not None:
        _set_dropout(config, dropout)
    return config


def _load_encoder(folder: Path, name: str, dropout: float | None, trained: bool) -> nn.Module:
    from transformers import AutoModelForQuestionAnswering

    config = encoder_config(folder, name, dropout)
    try:
        with quiet_libraries():
            qa, report = AutoModelForQuestionAnswering.from_pretrained(
                folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except Exception as error:  # as above
        raise ModelError(
            f"{name} cannot be read as an encoder with a question-answering head: {error_line(error, 200)}", _REMEDY
        ) from error
    lost = sorted(key for key in report["missing_keys"] if key.startswith(f"{qa.base_model_prefix}."))
    if lost:  # transformers fills them with noise, and says so only in a warning
        raise ModelError(f"{name} lacks {len(lost)} of its encoder's weights, such as {lost[0]}", _REMEDY)
    if trained and report["missing_keys"]:
        raise ModelError(
            f"{name} is an encoder that has not learned to mark answers",
            "train a reader from it: `rag train reader`, or choose bundled:reader",
        )
    return qa


def _is_encoder(config: Any) -> bool:
    """Return whether an architecture reads a text from both sides: it is one that masked words are guessed with.

    The question-answering classes alone do not decide: there are some for decoders, which see what is left of a token.
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
    """Load the head for relevance, or begin a new one."""
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
            f"the head for relevance of {name} cannot be read: {error_line(error, 200)}",
            "train it again, or copy it again",
        ) from error
