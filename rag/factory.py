"""Factories: from a configuration to the parts of the application, on the indexing side and on the query side.

Only this module (and ``rag config show``) reads the configuration tree; each part gets its own values. The query side
is imported inside the functions, so that an ingestion does not pay for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from indexes import Index
from indexes.search.dense_faiss import FaissOptions
from indexes.system import closed_on_error
from rag.config import Config
from rag.embedding.base import Embedder, EmbedderSettings, fingerprint
from rag.embedding.fake import FakeEmbedder
from rag.embedding.sentence_transformers import SentenceTransformerEmbedder
from rag.errors import InputError, MissingPackageError, ModelError, UsageError
from rag.generation.registry import GENERATORS, GeneratorSettings
from rag.ingestion.chunker import CHUNKING_RULES, Chunker, ChunkerSettings
from rag.models.resolve import LATIN_ONLY, resolve_model
from rag.retrieval.rerankers import RERANKERS

if TYPE_CHECKING:
    from rag.answering.answerer import Answerer
    from rag.generation.base import Completer, Extractor
    from rag.generation.cached import CachedCompleter
    from rag.generation.prompt_builder import Packer
    from rag.ingestion.loaders.limits import OcrSettings
    from rag.ingestion.run import IngestParts
    from rag.ingestion.sandbox import ParserPool
    from rag.ingestion.web.fetch import PageFetcher
    from rag.retrieval.rerankers import Reranker
    from rag.retrieval.retriever import Retriever

__all__ = [
    "check_dense",
    "classifies_questions",
    "embedder_is_prepared",
    "forbid_downloads",
    "generator_identity",
    "index_settings",
    "least_confidence",
    "made_with",
    "make_answerer",
    "make_cached_generator",
    "make_chunker",
    "make_embedder",
    "make_generator",
    "make_ingest_parts",
    "make_packer",
    "make_page_fetcher",
    "make_parser_pool",
    "make_reranker",
    "make_retriever",
    "open_index",
    "open_or_create",
    "open_to_reembed",
    "open_unless_other",
    "query_settings",
    "through_graph",
]


def forbid_downloads(config: Config) -> None:
    """Set ``HF_HUB_OFFLINE`` where every model of the configuration is bundled or local: nothing is to be fetched."""
    names = [model for _, model, _ in config.models()]
    if all(name.startswith("bundled:") or name == "fake" or Path(name).expanduser().is_dir() for name in names):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")


def make_embedder(config: Config) -> Embedder:
    """Load the embedder. Raises :class:`~rag.errors.ModelError`."""
    forbid_downloads(config)
    part = config.embedding
    if part.model == "fake":
        return FakeEmbedder()
    settings = _embedder_settings(config)
    if through_graph(config):
        from rag.embedding.openvino_embedder import OpenVinoEmbedder

        try:
            return OpenVinoEmbedder(settings)
        except (OSError, ModelError):
            if part.engine == "openvino":
                raise
            # The cache folder cannot be written, for example: torch computes the same vectors, some seconds later.
    return SentenceTransformerEmbedder(settings)


def classifies_questions(config: Config) -> bool:
    """Return whether questions are classified. ``auto`` spares the fake embedder of tests from loading a model."""
    from rag.models.resolve import bundled_problem

    asked = config.answers.question_kinds
    return asked == "on" or (
        asked == "auto" and config.embedding.model != "fake" and bundled_problem("bundled:minilm") is None
    )


def _embedder_settings(config: Config) -> EmbedderSettings:
    part = config.embedding
    latin_only = part.model in LATIN_ONLY if part.latin_only is None else part.latin_only
    return EmbedderSettings(**part.model_dump(exclude={"engine", "latin_only"}), latin_only=latin_only)


def through_graph(config: Config) -> bool:
    """Return whether the embedder is to be read through OpenVINO. Raises :class:`~rag.errors.UsageError`."""
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
    """Return whether loading the embedder takes a second, and not the minute in which its graph is made."""
    from rag.embedding.openvino_embedder import graph_is_cached

    part = config.embedding
    return part.model == "fake" or not through_graph(config) or graph_is_cached(part.model, part.revision)


def make_parser_pool(config: Config) -> ParserPool:
    """Make the processes that read files; they start with the first file."""
    from rag.ingestion.loaders.limits import Bounds
    from rag.ingestion.sandbox import Limits, ParserPool

    part = {name: value for name, value in config.parsing.model_dump().items() if not name.startswith("ocr")}
    bounds = Bounds(embedded_files=part.pop("embedded_files"))
    return ParserPool(part.pop("workers"), Limits(**part, bounds=bounds, ocr=ocr_settings(config)))


def ocr_settings(config: Config) -> OcrSettings:
    """Return how scans and pictures are read."""
    from rag.ingestion.loaders.limits import OcrSettings

    part = config.parsing
    languages = tuple(dict.fromkeys(part.ocr_languages.split("+")))
    return OcrSettings(part.ocr, languages, part.ocr_pages, part.ocr_page_seconds, part.ocr_page_megapixels)


def ocr_is_usable(config: Config) -> bool:
    """Return whether scans and pictures are read. Raises :class:`~rag.errors.UsageError` if they must be and cannot."""
    from rag.ingestion.loaders.ocr_engine import ocr_command, ocr_is_ready

    settings = ocr_settings(config)
    if settings.mode == "on" and not ocr_is_ready(settings):
        message = "parsing.ocr is on, and the engine or its languages are not installed"
        raise UsageError(message, f"run `{ocr_command(settings)}`, or --set parsing.ocr=auto")
    return ocr_is_ready(settings)


def make_ingest_parts(
    config: Config, load_embedder: Callable[[], AbstractContextManager[Embedder]] | None = None
) -> IngestParts:
    """Return what an ingestion needs of the configuration.

    ``load_embedder`` replaces the loading of the embedder, for example by one that is loaded already.
    """
    from rag.ingestion.run import IngestParts

    return IngestParts(
        open_existing=lambda folder: open_unless_other(folder, config),
        open_or_create=lambda folder, embedder: open_or_create(folder, config, embedder),
        load_embedder=load_embedder or (lambda: closing(make_embedder(config))),
        make_chunker=lambda embedder: make_chunker(config, embedder),
        make_parser_pool=lambda: make_parser_pool(config),
        make_page_fetcher=lambda: make_page_fetcher(config),
        ocr_is_ready=ocr_is_usable(config),
    )


def make_page_fetcher(config: Config) -> PageFetcher:
    """Return what fetches single web pages."""
    from rag.ingestion.web.fetch import FetchLimits, PageFetcher

    return PageFetcher(FetchLimits(**config.web.model_dump()))


def make_chunker(config: Config, embedder: Embedder) -> Chunker:
    """Make the chunker. Raises :class:`~rag.errors.UsageError` where the embedder reads less than a chunk holds."""
    part = config.chunking
    try:
        return Chunker(embedder, ChunkerSettings(**part.model_dump()))
    except ValueError as error:
        key = "chunking.overlap" if part.overlap >= part.size else "chunking.size"
        raise UsageError(
            str(error), f"set a smaller {key}, for example --set {key}={32 if 'overlap' in key else 128}"
        ) from None


def index_settings(config: Config, embedder: Embedder) -> dict[str, Any]:
    """Return what an index records and refuses to differ from: what its vectors and its chunks depend on."""
    return _settings(config, embedder.fingerprint, embedder.dimension)


def query_settings(config: Config, embedder: Embedder, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that searching an index requires of those that it ``recorded``.

    An index whose chunks were made by an older version's rules can be searched, but not added to.
    """
    settings = index_settings(config, embedder)
    old = recorded.get("chunking.rules") != CHUNKING_RULES
    return settings | {name: recorded.get(name) for name in ("chunking.rules", "chunking.pack") if old}


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
        "chunking.pack": config.chunking.pack,
        "chunking.rules": CHUNKING_RULES,
        "chunking.embed_headings": config.chunking.embed_headings,
    }


def open_index(folder: Path, config: Config, embedder: Embedder | None = None, *, write: bool = False) -> Index:
    """Open an index; with an embedder, refuse one that was built with other settings.

    Raises :class:`~rag.errors.UsageError` where the dense index that is asked for cannot hold its vectors.
    """
    settings = None
    if embedder is not None:
        settings = index_settings(config, embedder) if write else query_settings(config, embedder, made_with(folder))
    return _open(folder, config, settings, write=write)


def _open(folder: Path, config: Config, settings: dict[str, Any] | None, *, write: bool) -> Index:
    with closed_on_error(Index.open(folder, settings, write=write, **_index_options(config))) as index:
        check_dense(config, index.store.meta("dimension"))
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
    fingerprint_now = FakeEmbedder.fingerprint
    if part.model != "fake":
        local = resolve_model(part.model, part.revision, weights=False)
        fingerprint_now = fingerprint(_embedder_settings(config), local.fingerprint)
    recorded = made_with(folder)
    settings = _settings(config, fingerprint_now, recorded.get("embedding.dimension"))
    if settings != recorded:
        return None
    return _open(folder, config, settings, write=True)


def made_with(folder: Path) -> dict[str, Any]:
    """Return the settings that an index was made with. Raises :class:`~indexes.errors.StoreError`."""
    from indexes.store.store import Store

    with Store.open(folder) as store:
        return store.settings


def open_to_reembed(folder: Path, config: Config, embedder: Embedder) -> Index:
    """Open an index for writing, with whatever settings it was built.

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
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds the documents' texts
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


def make_retriever(index: Index, config: Config, embedder: Embedder, *, reranker: Reranker | None = None) -> Retriever:
    """Return a retriever over an open index; ``reranker`` is loaded if it is needed and not given.

    Raises :class:`~rag.errors.MissingPackageError` if the configuration requires GPUs and FAISS sees none.
    """
    from rag.retrieval.retriever import Retriever

    check_dense(config, embedder.dimension)
    dense = config.index.dense
    if dense.gpu in ("replicate", "shard"):
        _require_faiss_gpu(dense.gpu)
    reader = index.reader(gpu=dense.gpu, gpu_fp16=dense.gpu_fp16)
    return Retriever(reader, embedder, config.retrieval, reranker or make_reranker(config))


def make_reranker(config: Config) -> Reranker | None:
    """Load the reranker, None if the configuration asks for none."""
    name = config.retrieval.rerank
    return None if name == "off" else RERANKERS[name](config.retrieval, config.reader)


def _require_faiss_gpu(mode: str) -> None:
    from indexes.search.dense_faiss import gpu_count, load_faiss

    if not gpu_count(load_faiss()):
        raise MissingPackageError(
            f"index.dense.gpu is {mode}, and this FAISS sees no GPU",
            "install it with `pip uninstall -y faiss-cpu && pip install faiss-gpu` on a machine with one, "
            "or --set index.dense.gpu=auto",
        )


def make_generator(config: Config) -> Completer | Extractor:
    """Start the generator that a configuration names. Raises :class:`~rag.errors.RagError`."""
    settings = config.generator_settings()
    spec = GENERATORS[config.generator.type]
    make: Callable[[GeneratorSettings], Completer | Extractor] | None = spec.make_extractor or spec.make_completer
    if make is None:
        raise ValueError(f"GENERATORS[{config.generator.type!r}] makes nothing")
    return make(settings)


def make_cached_generator(config: Config, file: Path, window: int) -> CachedCompleter | Extractor:
    """Return the configured completer, which starts when it is needed, with its completions cached in ``file``.

    An extractor is returned as it is.
    """
    from rag.generation.cached import CachedCompleter

    forbid_downloads(config)
    if (make_extractor := GENERATORS[config.generator.type].make_extractor) is not None:
        return make_extractor(config.generator_settings())
    identity = generator_identity(config, window)
    return CachedCompleter(lambda: cast("Completer", make_generator(config)), file, identity)


def generator_identity(config: Config, window: int | None = None) -> str:
    """Return everything that an answer's text depends on besides its prompt: the model and how it runs.

    ``window``, the number of questions in flight, is part of it because cached timings depend on it.
    """
    return f"{GENERATORS[config.generator.type].identity(config.generator_settings())} window={window}"


def make_answerer(
    config: Config, generator: Completer | Extractor | None = None, *, whole_context: bool = False
) -> Answerer:
    """Return what answers from passages. ``generator`` is started if it is not given.

    With ``whole_context``, passages may fill all that the model reads.
    """
    from rag.answering.answerer import AnswererSettings, ExtractingAnswerer, WritingAnswerer
    from rag.generation.prompt_builder import PromptBuilder
    from rag.prompt_templates import NO_SURE_ANSWER, NOT_IN_PASSAGES

    generator = generator or make_generator(config)
    extracts = GENERATORS[config.generator.type].make_extractor is not None
    model = config.reader.model if extracts else config.generator.model
    settings = AnswererSettings(
        min_relevance=config.least_relevance(),
        min_support=config.citations.min_support,
        min_confidence=least_confidence(config, generator),
        answered_by=config.generator.type if model == "fake" else f"{config.generator.type} ({model})",
        abstention=NO_SURE_ANSWER if extracts else NOT_IN_PASSAGES,
    )
    if extracts:
        return ExtractingAnswerer(cast("Extractor", generator), settings)
    completer = cast("Completer", generator)
    return WritingAnswerer(PromptBuilder(completer, config.prompt, whole_context=whole_context), completer, settings)


def make_packer(config: Config) -> Packer:
    """Return what chooses the passages that the configured generator is shown, without starting an engine."""
    from rag.generation.prompt_builder import PromptBuilder, pack_all

    spec = GENERATORS[config.generator.type]
    make_counter = spec.make_counter or spec.make_completer
    if make_counter is None:
        return pack_all
    return PromptBuilder(make_counter(config.generator_settings()), config.prompt).build


def least_confidence(config: Config, generator: Completer | Extractor | None = None) -> float:
    """Return the confidence below which the configuration abstains: as set, else the extractor's own threshold."""
    if config.answers.min_confidence is not None:
        return config.answers.min_confidence
    if GENERATORS[config.generator.type].make_extractor is None:
        return 0.0
    return cast("Extractor", generator or make_generator(config)).threshold
