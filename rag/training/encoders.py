"""An encoder as sentence-transformers' CrossEncoder with one output: loaded, checked, and written for reranking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.errors import ModelError, UsageError
from rag.extractive_qa.model import encoder_config
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.models.quiet import quiet_libraries

__all__ = ["load_cross_encoder", "save_cross_encoder"]

_REMEDY = "name an encoder such as BERT, RoBERTa or MiniLM, with its weights as safetensors"


def load_cross_encoder(folder: Path, name: str, *, length: int, dropout: float | None = None) -> Any:
    """Load an encoder whose head is then new, or a cross-encoder with one output, to be trained on.

    ``length`` is what it reads at once, in tokens; ``dropout`` replaces all of its own. Raises
    :class:`~rag.errors.ModelError` for what is no encoder, is not whole, or has no safetensors or fast tokenizer.
    """
    config = encoder_config(folder, name, dropout)
    tokenizer = load_tokenizer(folder, name)
    if not tokenizer.is_fast:
        raise ModelError(f"{name} has no fast tokenizer", "choose an encoder whose folder has a tokenizer.json")
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"the tokenizer of {name} has {len(tokenizer):,} tokens and its encoder knows {config.vocab_size:,}",
            "choose a folder in which the two belong together",
        )
    longest = getattr(config, "max_position_embeddings", None) or length
    if length > longest:
        raise UsageError(f"length = {length} is more than {name} reads, which is {longest}", "lower it")
    changed = {key: value for key, value in config.to_dict().items() if "dropout" in key} if dropout is not None else {}
    try:
        with quiet_libraries():
            _check_whole(folder, name)
            from sentence_transformers import CrossEncoder

            return CrossEncoder(
                str(folder),
                num_labels=1,
                max_length=length,
                device="cpu",  # the Trainer moves it
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
                config_kwargs=changed,
            )
    except ModelError:
        raise
    except Exception as error:  # whatever kind the libraries choose, the folder is what is wrong
        told = " ".join(str(error).split())[:200]
        raise ModelError(f"{name} cannot be read as an encoder with a head for ranking: {told}", _REMEDY) from error


def save_cross_encoder(model: Any, folder: Path) -> None:
    """Write what :class:`rag.retrieval.rerankers.CrossEncoderReranker` reads, without a model card."""
    with quiet_libraries():
        model.cpu().save_pretrained(str(folder), create_model_card=False)


def _check_whole(folder: Path, name: str) -> None:
    """Refuse an encoder that lacks weights: transformers fills them with noise, and says so only in a warning."""
    from transformers import AutoModelForSequenceClassification

    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=1, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    prefix = f"{model.base_model_prefix}."
    # The pooler belongs to the head: an encoder that was trained for something else has none.
    lost = sorted(key for key in report["missing_keys"] if key.startswith(prefix) and ".pooler." not in key)
    if lost:
        raise ModelError(f"{name} lacks {len(lost)} of its encoder's weights, such as {lost[0]}", _REMEDY)
