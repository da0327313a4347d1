"""Factories: from a configuration to the parts of the application, on the indexing side and on the query side.

Only this module (and ``rag config show``) reads the configuration tree; each part gets its own values. The query side
is imported inside the functions, so that an ingestion does not pay for it.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexes import Index
from indexes.search.dense_faiss import FaissOptions
from rag.config import MARKING, Config
from rag.embedding.base import Embedder, FakeEmbedder, SentenceTransformerEmbedder, fingerprint
from rag.errors import InputError, MissingPackageError, ModelError, UsageError
from rag.ingestion.chunker import Chunker
from rag.models.resolve import resolve_model

if TYPE_CHECKING:
    from rag.answering.answerer import Reader
    from rag.answering.pipeline import Pipeline
    from rag.generation.base import Generator
    from rag.generation.extractive import ExtractiveGenerator
    from rag.generation.prompt_builder import Builder, PromptCounter
    from rag.ingestion.sandbox import ParserPool
    from rag.retrieval.rerankers import Reranker
    from rag.retrieval.retriever import Retriever

__all__ = [
    "check_dense",
    "embedder_is_prepared",
    "forbid_downloads",
    "index_settings",
    "least_confidence",
    "made_with",
    "make_builder",
    "make_chunker",
    "make_counter",
    "make_embedder",
    "make_generator",
    "make_marker",
    "make_parser_pool",
    "make_pipeline",
    "make_reader",
    "make_reranker",
    "make_retriever",
    "open_index",
    "open_or_create",
    "open_to_reembed",
    "open_unless_other",
    "through_graph",
    "vary_retriever",
    "writer_config",
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
        from rag.embedding.openvino_embedder import GraphEmbedder

        try:
            return GraphEmbedder(part.model, int8=part.dtype == "auto", **common)
        except (OSError, ModelError):
            if part.engine == "openvino":
                raise
            # No place to keep the graph, for example: torch gives the same vectors, some seconds later.
    return SentenceTransformerEmbedder(part.model, device=part.device, dtype=part.dtype, **common)


def through_graph(config: Config) -> bool:
    """Tell whether the embedder is to be read through OpenVINO. Raises :class:`~rag.errors.UsageError`."""
    from rag.embedding.openvino_embedder import suits_this_machine

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
    from rag.embedding.openvino_embedder import graph_is_made

    part = config.embedding
    return part.model == "fake" or not through_graph(config) or graph_is_made(part.model, part.revision)


def make_parser_pool(config: Config) -> ParserPool:
    """Make the processes that read files; they start with the first file."""
    from rag.ingestion.sandbox import Limits, ParserPool

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
    from indexes.store.store import Store

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
    from indexes.store.store import Store

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
    from indexes.store.store import Store

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


def make_retriever(index: Index, config: Config, embedder: Embedder) -> Retriever:
    """Make a retriever over an open index.

    Raises :class:`~rag.errors.MissingPackageError` where the configuration insists on GPUs and FAISS sees none.
    """
    from rag.retrieval.retriever import Retriever

    check_dense(config, embedder.dimension)
    dense, part = config.index.dense, config.retrieval
    if dense.gpu in ("replicate", "shard"):
        _require_faiss_gpu(dense.gpu)
    return Retriever(
        index.reader(gpu=dense.gpu, gpu_fp16=dense.gpu_fp16),
        embedder,
        k=part.k,
        candidates=part.candidates,
        fusion=part.fusion,
        dense_weight=part.dense_weight,
        rrf_k=part.rrf_k,
        reranker=make_reranker(config),
        rerank_candidates=part.rerank_candidates,
        collapse_duplicates=part.collapse_duplicates,
    )


def vary_retriever(retriever: Retriever, config: Config, reranker: Reranker | None) -> Retriever:
    """Make a retriever with another configuration's retrieval out of one that is there: no index or model is loaded.

    ``reranker`` is the one that the configuration asks for, None where it asks for none.
    """
    part = config.retrieval
    return retriever.varied(
        k=part.k,
        candidates=part.candidates,
        fusion=part.fusion,
        dense_weight=part.dense_weight,
        rrf_k=part.rrf_k,
        reranker=reranker,
        rerank_candidates=part.rerank_candidates,
    )


def make_reranker(config: Config) -> Reranker | None:
    """Load the reranker, if the configuration asks for one."""
    part = config.retrieval
    if part.rerank == "reader":
        from rag.retrieval.rerankers import ReaderReranker

        return ReaderReranker(make_marker(config).engine)
    if part.rerank == "cross-encoder":
        from rag.retrieval.rerankers import CrossEncoderReranker

        return CrossEncoderReranker(part.cross_encoder, weight=part.rerank_weight)
    return None


def _require_faiss_gpu(mode: str) -> None:
    from indexes.search.dense_faiss import load_faiss
    from indexes.search.dense_gpu import gpu_count

    if not gpu_count(load_faiss()):
        raise MissingPackageError(
            f"index.dense.gpu is {mode}, and this FAISS sees no GPU",
            "install it with `pip uninstall -y faiss-cpu && pip install faiss-gpu` on a machine with one, "
            "or --set index.dense.gpu=auto",
        )


def make_pipeline(
    index: Index, config: Config, *, embedder: Embedder | None = None, generator: Generator | None = None
) -> Pipeline:
    """Make everything that answers questions. The generator loads last, so that it sees what memory is left."""
    from rag.answering.pipeline import Pipeline

    embedder = embedder or make_embedder(config)
    retriever = make_retriever(index, config, embedder)
    retriever.reader.snapshot()
    return Pipeline(retriever, make_reader(config, generator or make_generator(config)))


def make_reader(config: Config, generator: Generator, *, whole: bool = False) -> Reader:
    """Make what answers from passages; with ``whole``, a passage may fill all that the generator reads."""
    from rag.answering.answerer import Reader

    return Reader(
        make_builder(config, generator, whole=whole),
        generator,
        min_relevance=config.least_relevance(),
        min_support=config.citations.min_support,
        min_confidence=least_confidence(config),
        answered_by=_answered_by(config),
    )


def _answered_by(config: Config) -> str:
    part = config.generator
    models = [config.reader.model] if part.type in MARKING else []
    if part.type in ("vllm", "openai", "hybrid"):
        models.append(part.model)
    return f"{part.type} ({', '.join(models)})" if models else part.type


def make_builder(config: Config, counter: PromptCounter, *, whole: bool = False) -> Builder:
    """Make the prompt builder; with ``whole``, passages may fill all that the generator reads."""
    from rag.generation.prompt_builder import PromptBuilder, ReadingBuilder

    if config.generator.type in MARKING:
        return ReadingBuilder()
    part = config.prompt
    return PromptBuilder(
        counter,
        form=part.form,
        context_tokens=None if whole else part.context_tokens,
        max_tokens=part.max_tokens,
        temperature=part.temperature,
    )


def make_generator(config: Config, *, writer: Generator | None = None) -> Generator:
    """Start the generator a configuration names; a hybrid one takes ``writer`` if it is given.

    Raises :class:`~rag.errors.RagError`.
    """
    part = config.generator
    if part.type == "fake":
        from rag.generation.fake import FakeGenerator

        return FakeGenerator.named(part.model)
    if part.type == "openai":
        from rag.generation.openai import OpenAIGenerator

        return OpenAIGenerator(part.model, **part.openai.model_dump())
    if part.type == "extractive":
        return make_marker(config)
    if part.type == "hybrid":
        from rag.generation.hybrid import HybridGenerator

        least = least_confidence(config)
        return HybridGenerator(
            make_marker(config), writer or make_generator(writer_config(config)), min_confidence=least
        )
    from rag.generation.vllm import VllmGenerator

    return VllmGenerator(part.model, revision=part.revision, **part.vllm.model_dump())


def make_marker(config: Config) -> ExtractiveGenerator:
    """Return the reader a configuration names, as what marks answers; its model is loaded once a process."""
    from rag.extractive_qa.engine import shared_engine
    from rag.generation.extractive import ExtractiveGenerator

    return ExtractiveGenerator(shared_engine(**config.reader.model_dump()))


def least_confidence(config: Config) -> float:
    """Return the confidence below which the configuration abstains: as set, else the generator's own threshold."""
    if config.answers.min_confidence is not None:
        return config.answers.min_confidence
    return make_marker(config).threshold if config.generator.type in MARKING else 0.0


def writer_config(config: Config) -> Config:
    """Return the configuration of a hybrid generator's writer alone."""
    part = config.generator
    return config.model_copy(update={"generator": part.model_copy(update={"type": part.writer})})


def make_counter(config: Config) -> PromptCounter:
    """Return the cheapest thing that counts as the configured generator does."""
    part = config.generator
    if part.type == "vllm":
        from rag.generation.token_counter import TokenizerCounter

        return TokenizerCounter(part.model, revision=part.revision, most=part.vllm.max_model_len)
    if part.type in MARKING:
        return make_marker(config)
    return make_generator(config)
