"""From a configuration to what answers: retriever, reranker, prompts, generator, and all of them together.

What fills an index is :mod:`rag.build_index`'s. These two read the tree and hand each part its own values.
"""

from __future__ import annotations

from indexes import Index
from rag.build_index import check_dense, make_embedder
from rag.config import MARKING, Config
from rag.embedding import Embedder
from rag.errors import MissingPackageError
from rag.generators import Generator, least_confidence, make_generator, make_marker
from rag.pipeline import Pipeline
from rag.prompting import Builder, PromptBuilder, PromptCounter, ReadingBuilder
from rag.reader import Reader
from rag.reranking import Reranker
from rag.retrieval import Retriever

__all__ = [
    "make_builder",
    "make_pipeline",
    "make_reader",
    "make_reranker",
    "make_retriever",
    "vary_retriever",
]


def make_retriever(index: Index, config: Config, embedder: Embedder) -> Retriever:
    """Make a retriever over an open index.

    Raises :class:`~rag.errors.MissingPackageError` where the configuration insists on GPUs and FAISS sees none.
    """
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
        from rag.reranking import ReaderReranker

        return ReaderReranker(make_marker(config).engine)
    if part.rerank == "cross-encoder":
        from rag.reranking import CrossEncoderReranker

        return CrossEncoderReranker(part.cross_encoder, weight=part.rerank_weight)
    return None


def _require_faiss_gpu(mode: str) -> None:
    from indexes.dense_faiss import load_faiss
    from indexes.dense_gpu import gpu_count

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
    embedder = embedder or make_embedder(config)
    retriever = make_retriever(index, config, embedder)
    retriever.reader.snapshot()
    return Pipeline(retriever, make_reader(config, generator or make_generator(config)))


def make_reader(config: Config, generator: Generator, *, whole: bool = False) -> Reader:
    """Make what answers from passages; with ``whole``, a passage may fill all that the generator reads."""
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
