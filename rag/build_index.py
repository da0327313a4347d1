"""From a configuration to what fills an index: embedder, parsers, chunker, and the index itself.

What answers from one is :mod:`rag.build`'s. These two read the tree and hand each part its own values.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexes import Index
from indexes.dense_faiss import FaissOptions
from rag.chunking import Chunker
from rag.config import MARKING, Config
from rag.embedding import Embedder, FakeEmbedder, SentenceTransformerEmbedder, fingerprint
from rag.errors import InputError, ModelError, UsageError
from rag.models import resolve_model

if TYPE_CHECKING:
    from rag.parsing import ParserPool

__all__ = [
    "check_dense",
    "embedder_is_prepared",
    "forbid_downloads",
    "index_settings",
    "made_with",
    "make_chunker",
    "make_embedder",
    "make_parser_pool",
    "open_index",
    "open_or_create",
    "open_to_reembed",
    "open_unless_other",
    "through_graph",
]


def forbid_downloads(config: Config) -> None:
    """Set ``HF_HUB_OFFLINE`` where every model of the configuration is bundled or local: nothing is to be fetched."""
    names = [config.embedding.model]
    if config.generator.type in ("vllm", "hybrid"):
        names.append(config.generator.model)
    if config.generator.type in MARKING or config.retrieval.rerank == "reader":
        names.append(config.reader.model)
    if config.retrieval.rerank == "cross-encoder":
        names.append(config.retrieval.cross_encoder)
    if all(name.startswith("bundled:") or name == "fake" or Path(name).expanduser().is_dir() for name in names):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")


def make_embedder(config: Config) -> Embedder:
    """Load the embedder. Raises :class:`~rag.errors.ModelError`."""
    forbid_downloads(config)
    part = config.embedding
    if part.model == "fake":
        return FakeEmbedder()
    common = part.model_dump(include={"revision", "batch_size", "query_prefix", "passage_prefix"})
    if through_graph(config):
        from rag.embedding_graph import GraphEmbedder

        try:
            return GraphEmbedder(part.model, int8=part.dtype == "auto", **common)
        except (OSError, ModelError):
            if part.engine == "openvino":
                raise
            # No place to keep the graph, for example: torch gives the same vectors, some seconds later.
    return SentenceTransformerEmbedder(part.model, device=part.device, dtype=part.dtype, **common)


def through_graph(config: Config) -> bool:
    """Tell whether the embedder is to be read through OpenVINO. Raises :class:`~rag.errors.UsageError`."""
    from rag.embedding_graph import suits_this_machine

    part = config.embedding
    if part.engine == "openvino":
        if part.device not in ("auto", "cpu") or part.dtype not in ("auto", "float32"):
            raise UsageError(
                f"embedding.engine is openvino, which cannot read on {part.device} in {part.dtype}",
                "leave embedding.device and embedding.dtype at auto, or --set embedding.engine=torch",
            )
        return True
    asked = (part.engine, part.model) == ("auto", "bundled:minilm") and part.dtype in ("auto", "float32")
    return asked and part.device in ("auto", "cpu") and suits_this_machine()


def embedder_is_prepared(config: Config) -> bool:
    """Tell whether loading the embedder takes a second, and not the minute in which its graph is made."""
    from rag.embedding_graph import graph_is_made

    part = config.embedding
    return part.model == "fake" or not through_graph(config) or graph_is_made(part.model, part.revision)


def make_parser_pool(config: Config) -> ParserPool:
    """Make the processes that read files; they start with the first file."""
    from rag.parsing import Limits, ParserPool

    part = config.parsing.model_dump()
    return ParserPool(part.pop("workers"), Limits(**part))


def make_chunker(config: Config, embedder: Embedder) -> Chunker:
    """Make the chunker. Raises :class:`~rag.errors.UsageError` where the embedder reads less than a chunk holds."""
    part = config.chunking
    try:
        return Chunker(embedder, size=part.size, overlap=part.overlap, embed_headings=part.embed_headings)
    except ValueError as error:
        key = "chunking.overlap" if part.overlap >= part.size else "chunking.size"
        raise UsageError(
            str(error), f"set a smaller {key}, for example --set {key}={32 if 'overlap' in key else 128}"
        ) from None


def index_settings(config: Config, embedder: Embedder) -> dict[str, Any]:
    """Return what an index records and refuses to differ from: what its vectors and its chunks depend on."""
    return _settings(config, embedder.fingerprint, embedder.dimension)


def _settings(config: Config, fingerprint: str, dimension: object) -> dict[str, Any]:
    return {
        "embedding.model": config.embedding.model,
        "embedding.fingerprint": fingerprint,
        "embedding.dimension": dimension,
        "embedding.normalised": True,
        "embedding.query_prefix": config.embedding.query_prefix,
        "embedding.passage_prefix": config.embedding.passage_prefix,
        "chunking.size": config.chunking.size,
        "chunking.overlap": config.chunking.overlap,
        "chunking.embed_headings": config.chunking.embed_headings,
    }


def open_index(folder: Path, config: Config, embedder: Embedder | None = None, *, write: bool = False) -> Index:
    """Open an index; with an embedder, refuse one that was made with other settings.

    Raises :class:`~rag.errors.UsageError` where the dense index that is asked for cannot hold its vectors.
    """
    settings = None if embedder is None else index_settings(config, embedder)
    index = Index.open(folder, settings, write=write, **_index_options(config))
    check_dense(config, int(index.store.meta("dimension")))
    return index


def open_unless_other(folder: Path, config: Config) -> Index | None:
    """Open an index for writing without loading the embedder; None where there is none, or one of other settings.

    What is compared instead of the embedder is the fingerprint of its files, which also decides its dimension.
    """
    from indexes.store import Store

    if not Store.exists(folder):
        return None
    forbid_downloads(config)
    part = config.embedding
    told = FakeEmbedder.fingerprint
    if part.model != "fake":
        local = resolve_model(part.model, part.revision, weights=False)
        told = fingerprint(part.model, local.fingerprint, part.query_prefix, part.passage_prefix)
    recorded = made_with(folder)
    settings = _settings(config, told, recorded.get("embedding.dimension"))
    if settings != recorded:
        return None
    index = Index.open(folder, settings, write=True, **_index_options(config))
    check_dense(config, int(index.store.meta("dimension")))
    return index


def made_with(folder: Path) -> dict[str, Any]:
    """Return the settings that an index was made with. Raises :class:`~indexes.errors.StoreError`."""
    from indexes.store import Store

    with closing(Store.open(folder)) as store:
        return dict(store.settings)


def open_to_reembed(folder: Path, config: Config, embedder: Embedder) -> Index:
    """Open an index for writing whatever it was made with.

    Raises :class:`~rag.errors.UsageError` where the dense index that is asked for cannot hold this embedder's vectors.
    """
    check_dense(config, embedder.dimension)
    return Index.open(folder, write=True, **_index_options(config))


def open_or_create(folder: Path, config: Config, embedder: Embedder) -> Index:
    """Open an index for writing, or make it."""
    from indexes.lock import writer_lock
    from indexes.store import Store

    check_dense(config, embedder.dimension)
    if not Store.exists(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, and an index is a folder", "name a folder with --index")
        folder.mkdir(parents=True, exist_ok=True)
        with writer_lock(folder, "making the index"):
            if not Store.exists(folder):
                settings = index_settings(config, embedder)
                Store.create(folder, settings, embedder=embedder.fingerprint, dimension=embedder.dimension).close()
    return open_index(folder, config, embedder, write=True)


def _index_options(config: Config) -> dict[str, Any]:
    dense = config.index.dense.model_dump(exclude={"gpu", "gpu_fp16"})
    return {"options": FaissOptions(**dense), "languages": config.index.languages}


def check_dense(config: Config, dimension: int) -> None:
    """Raise :class:`~rag.errors.UsageError` where a dense index of this type cannot hold vectors of this length."""
    dense = config.index.dense
    if dense.type in ("pq", "ivfpq") and dimension % dense.pq_m:
        raise UsageError(
            f"index.dense.pq_m is {dense.pq_m}, which does not divide the embedder's dimension, {dimension}",
            "for example: --set index.dense.pq_m=16",
        )
