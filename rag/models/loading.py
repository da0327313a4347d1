"""Loading models from a folder without running code that lies in it. All loaders of the project come here.

A folder may name code in three places: ``auto_map`` of a configuration (transformers asks on the terminal whether to
run it, unless it is forbidden; its own class for the model's type is used instead, if it has one), the classes of
sentence-transformers, and pickled weights. None is ever run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

__all__ = ["cross_encoder", "pretrained", "sentence_transformer"]

_SAFE = {"local_files_only": True, "trust_remote_code": False}
_OWN_CLASSES = ("sentence_transformers.", "torch.nn.")
_REMEDY = "choose a model that needs no code of its own"
_LARGEST_CONFIGURATION = 2**22  # bytes


def pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """Return ``kind.from_pretrained(folder)`` of an Auto class of transformers; nothing is downloaded.

    Raises :class:`~rag.errors.ModelError` for a model that needs code of its own, and what transformers raises.
    """
    with _without_code(folder):
        return kind.from_pretrained(folder, **_SAFE, **options)


def sentence_transformer(folder: Path, device: str, **model_options: Any) -> SentenceTransformer:
    """Return an embedder of sentence-transformers; raises as :func:`pretrained`."""
    from sentence_transformers import SentenceTransformer

    with _without_code(folder):
        options = {**model_options, "use_safetensors": True}
        return SentenceTransformer(str(folder), device=device, model_kwargs=options, **_SAFE)


def cross_encoder(folder: Path, device: str, **options: Any) -> CrossEncoder:
    """Return a cross-encoder of sentence-transformers; raises as :func:`pretrained`."""
    from sentence_transformers import CrossEncoder

    with _without_code(folder):
        return CrossEncoder(str(folder), device=device, model_kwargs={"use_safetensors": True}, **_SAFE, **options)


@contextmanager
def _without_code(folder: Path) -> Iterator[None]:
    """Raise ModelError where a folder names code, before and in the place of what loading it would do."""
    _refuse_classes(folder)
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(f"{folder} names code of its own in an auto_map", _REMEDY) from None


def _refuse_classes(folder: Path) -> None:
    """Raise ModelError if a configuration names a class that sentence-transformers would import from elsewhere."""
    for path in _configurations(folder):
        if path.stat().st_size > _LARGEST_CONFIGURATION:
            raise ModelError(f"{path} is too large for a configuration", "download the model again")
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):  # the library that needs it reports it
            continue
        for name in _classes(tree, path.name):
            if not name.startswith(_OWN_CLASSES):
                raise ModelError(f"{path} names code of its own: {name:.100}", _REMEDY)


def _configurations(folder: Path) -> Iterator[Path]:
    """Yield the files in which classes may be named, also behind links, each folder once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in sorted(files) if name == "modules.json" or "config" in name)


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
