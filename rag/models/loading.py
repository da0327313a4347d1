"""Loading models from a folder without running code that lies in it. All loaders of the project come here.

A folder may name code in three places: ``auto_map`` of a configuration (transformers asks on the terminal whether to
run it, if it is not told; its own class for the model's type is used instead, if it has one), the classes of
sentence-transformers, and pickled weights. None is ever run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

__all__ = ["cross_encoder", "pretrained", "sentence_transformer"]

_OWN_CLASSES = ("sentence_transformers.", "torch.nn.")
_REMEDY = "choose a model that needs no code of its own"
_LARGEST_JSON = 2**24  # bytes


def pretrained(kind: Any, folder: Path | str, **options: Any) -> Any:
    """Return ``kind.from_pretrained(folder)`` of an Auto class of transformers; nothing is downloaded.

    Raises :class:`~rag.errors.ModelError` for a model that needs code of its own, and what transformers raises.
    """
    refuse_code(Path(folder))
    with _code_refused(folder):
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)


@contextmanager
def _code_refused(folder: Path | str) -> Iterator[None]:
    """Raise ModelError where transformers refuses ``auto_map``: no class of its own has the model's type."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(f"{folder} names code of its own in an auto_map", _REMEDY) from None


def sentence_transformer(folder: Path, device: str, **model_options: Any) -> SentenceTransformer:
    """Return an embedder of sentence-transformers; raises as :func:`pretrained`."""
    from sentence_transformers import SentenceTransformer

    refuse_code(folder)
    with _code_refused(folder):
        return SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={**model_options, "use_safetensors": True},
        )


def cross_encoder(folder: Path, device: str, **options: Any) -> CrossEncoder:
    """Return a cross-encoder of sentence-transformers; raises as :func:`pretrained`."""
    from sentence_transformers import CrossEncoder

    refuse_code(folder)
    with _code_refused(folder):
        return CrossEncoder(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
            **options,
        )


def refuse_code(folder: Path) -> None:
    """Raise :class:`~rag.errors.ModelError` if a file of a model's folder names code that would be imported."""
    for path in sorted(folder.rglob("*.json")):
        if path.name in ("tokenizer.json", "vocab.json") or not path.is_file() or path.stat().st_size > _LARGEST_JSON:
            continue
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):  # said where it is needed
            continue
        for name in _classes(tree, path.name):
            if not name.startswith(_OWN_CLASSES):
                raise ModelError(f"{path} names code of its own: {name:.100}", _REMEDY)


def _classes(tree: Any, file: str) -> list[str]:
    """Return the names of classes that a configuration asks to import."""
    if file == "modules.json" and isinstance(tree, list):
        return [str(module.get("type", "")) for module in tree if isinstance(module, dict)]
    if not isinstance(tree, dict):
        return []
    keys = ("activation_function", "activation_fn", "sbert_ce_default_activation_function")
    named = [tree.get(key) for key in keys]
    nested = tree.get("sentence_transformers")
    named.append(nested.get("activation_fn") if isinstance(nested, dict) else None)
    return [name for name in named if isinstance(name, str) and "." in name]
