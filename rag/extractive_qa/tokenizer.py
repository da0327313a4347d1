"""A reader's tokenizer: read by the tokenizers library alone where it answers, by transformers where it is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rag.errors import ModelError, model_errors
from rag.models.loading import pretrained
from rag.models.quiet import quiet_libraries

__all__ = ["TOKENIZER_FILE", "load_plain", "load_tokenizer"]

TOKENIZER_FILE = "tokenizer.json"
_REMEDY = f"choose a folder with a {TOKENIZER_FILE}"


def load_plain(folder: Path, name: str) -> tuple[Any, int]:
    """Return a ``tokenizers.Tokenizer`` and the number of its padding token, in a hundredth of transformers' time.

    Raises :class:`~rag.errors.ModelError`.
    """
    from tokenizers import Tokenizer

    with model_errors(f"the tokenizer of {name} cannot be loaded", _REMEDY):
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        padding = int(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("pad_token_id") or 0)
    return tokenizer, padding


def load_tokenizer(folder: Path, name: str) -> Any:
    """Return a fast tokenizer of transformers. Raises :class:`~rag.errors.ModelError`."""
    with model_errors(f"the tokenizer of {name} cannot be loaded", _REMEDY), quiet_libraries():
        from transformers import AutoTokenizer

        tokenizer = pretrained(AutoTokenizer, folder, use_fast=True)
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # made of nothing, where its files are missing
        raise ModelError(f"{name} has no tokenizer that knows a word", _REMEDY)
    return tokenizer
