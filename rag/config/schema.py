"""The configuration: a small, strict, frozen tree of groups of settings, with the defaults.

The string below a field documents its key (docs/configuration.md). Components never see this tree:
:mod:`rag.factory` passes each of them its own group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from indexes.search.lexical_tantivy import LANGUAGES
from indexes.system import sha256_json
from rag.config.prompt_text import check_instruction, check_template
from rag.config.yaml_settings import SettingsModel
from rag.generation.registry import GENERATORS, GeneratorSettings
from rag.prompt_templates import FORMS
from rag.retrieval.fusion import FUSIONS
from rag.retrieval.rerankers import RERANKERS

__all__ = [
    "AnswersConfig", "ChunkingConfig", "CitationConfig", "Config", "DenseConfig", "EmbeddingConfig", "GeneratorConfig",
    "IndexConfig", "OneOf", "OpenAIConfig", "ParsingConfig", "PromptConfig", "ReaderModelConfig", "RetrievalConfig",
    "VllmConfig", "WebConfig",
]  # fmt: skip


def _yaml_off(value: object) -> object:
    """Undo YAML, which reads ``off`` as false."""
    return "off" if value is False else value


def _yaml_switch(value: object) -> object:
    """Undo YAML, which reads ``on`` and ``off`` as true and false."""
    return "on" if value is True else _yaml_off(value)


class EmbeddingConfig(SettingsModel):
    """How texts become vectors."""

    model: str = "bundled:minilm"
    """The model that turns text into vectors: `bundled:minilm`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """The commit of a Hugging Face model."""
    device: str = "auto"
    """Where to embed: `auto` uses every CUDA GPU, else the CPU; or names such as `cuda:0,cuda:1`."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """The precision of the weights; `auto` is int8 for passages on CPUs with VNNI or AMX, bf16 or fp16 on GPUs."""
    engine: Literal["auto", "torch", "openvino"] = "auto"
    """`auto` runs the bundled model in OpenVINO on a CPU and in torch on a GPU."""
    batch_size: int = Field(32, ge=1)
    """How many texts torch embeds at once."""
    query_prefix: str = ""
    """Text put before each question, as some models need."""
    passage_prefix: str = ""
    """Text put before each passage, as some models need."""
    latin_only: bool | None = None
    """Questions in other scripts are searched for by their words alone; null is true for `bundled:minilm`."""


class ParsingConfig(SettingsModel):
    """The processes that parse files, and the limits for one file."""

    workers: int = Field(2, ge=1)
    """How many processes parse files."""
    memory_mb: int = Field(1024, ge=64)
    """Most memory for one file, in MiB, above an idle worker's."""
    cpu_seconds: int = Field(60, ge=1)
    """Most processor time for one file, in seconds."""
    wall_seconds: float = Field(120.0, gt=0)
    """Most time for one file, in seconds."""
    file_mb: int = Field(256, ge=1)
    """Largest file that is read, in MiB."""
    ocr: Annotated[Literal["auto", "on", "off"], BeforeValidator(_yaml_switch)] = "auto"
    """Read text in scans and pictures: `auto` where the engine is installed; `on` demands it."""
    ocr_languages: str = Field("eng+rus", pattern=r"^\w+(\+\w+)*$")
    """The languages to read, as names of Tesseract's data, joined by `+`; those that are not installed are left out."""
    ocr_pages: int = Field(500, ge=1)
    """Most pages and pictures of one file that are read by OCR."""
    ocr_page_seconds: int = Field(20, ge=1)
    """Most time for one page or picture, in seconds."""
    ocr_page_megapixels: int = Field(50, ge=1)
    """Most pixels of one page or picture, in millions."""
    embedded_files: bool = False
    """Read files inside PDFs and Office files, too, each below a heading with its name."""


class WebConfig(SettingsModel):
    """The limits for one web page that `rag ingest` fetches."""

    page_mb: int = Field(32, ge=1)
    """Largest page that is fetched, in MiB, unpacked."""
    seconds: float = Field(60.0, gt=0)
    """Most time for one page, in seconds, with its `robots.txt` and redirections."""


class ChunkingConfig(SettingsModel):
    """How documents become chunks. Sizes are in the embedder's tokens."""

    size: int = Field(200, ge=16)
    """Most tokens in a chunk."""
    overlap: int = Field(32, ge=0)
    """Tokens that neighboring chunks share."""
    pack: int = Field(150, ge=0)
    """Merge small neighboring sections up to this many tokens; 0 merges none."""
    embed_headings: bool = True
    """Embed title, words of the file's name, and headings together with the text."""


@dataclass(frozen=True, eq=False)
class OneOf:
    """A validator that accepts the keys of a table and some others; the table is read when a value is checked."""

    table: Mapping[str, object]
    others: tuple[str, ...]

    def choices(self) -> list[str]:
        """Return the accepted values."""
        return [*self.others, *self.table]

    def __call__(self, value: str) -> str:
        """Return the value. Raises ``ValueError`` for one that is not accepted."""
        if value not in self.choices():
            raise ValueError(f"choose one of {', '.join(self.choices())}")
        return value


def _one_of(table: Mapping[str, object], *others: str) -> AfterValidator:
    return AfterValidator(OneOf(table, others))


class DenseConfig(SettingsModel):
    """The FAISS index of vectors."""

    type: Literal["flat", "hnsw", "ivf", "sq", "pq", "ivfpq"] = "flat"
    """The kind of FAISS index: exact (`flat`), graph (`hnsw`), lists (`ivf`), or compressed (`sq`, `pq`, `ivfpq`)."""
    hnsw_m: int = Field(32, ge=4)
    """Links of each node in an HNSW graph."""
    ef_construction: int = Field(200, ge=8)
    """Candidates considered while building an HNSW graph."""
    ef_search: int = Field(96, ge=8)
    """Candidates considered while searching an HNSW graph."""
    nlist: int = Field(0, ge=0)
    """Lists of an IVF index; 0 takes 4·√n."""
    nprobe: int = Field(16, ge=1)
    """Lists that a search visits."""
    sq_bits: Literal[4, 6, 8, 16] = 8
    """Bits for each dimension of an `sq` index."""
    pq_m: int = Field(48, ge=1)
    """Parts of each vector in a `pq` index; must divide the embedder's dimension."""
    gpu: Annotated[Literal["auto", "off", "replicate", "shard"], BeforeValidator(_yaml_off)] = "auto"
    """Search on GPUs: `auto` if FAISS sees one, a full copy on each (`replicate`), or a part on each (`shard`)."""
    gpu_fp16: bool = True
    """Store vectors in half precision on a GPU."""


class IndexConfig(SettingsModel):
    """The two search indexes."""

    dense: DenseConfig = DenseConfig()
    languages: tuple[Literal[LANGUAGES], ...] = ("english", "russian")  # type: ignore[valid-type]  # pydantic reads it
    """Languages whose stems the lexical index uses."""


class RetrievalConfig(SettingsModel):
    """How passages are found, fused and reranked."""

    k: int = Field(5, ge=1, le=1000)
    """How many passages are retrieved."""
    candidates: int = Field(100, ge=1, le=2000)
    """How many candidates each index returns before fusion."""
    fusion: Annotated[str, _one_of(FUSIONS)] = "zscore"
    """How dense and lexical scores become one."""
    dense_weight: float = Field(0.45, ge=0, le=1)
    """Weight of the dense scores; the lexical ones have the rest."""
    rrf_k: int = Field(60, ge=1)
    """The constant of reciprocal rank fusion."""
    collapse_duplicates: Annotated[Literal["off", "exact", "near"], BeforeValidator(_yaml_off)] = "exact"
    """Collapse passages with the same text (`exact`), or nearly the same text and equal numbers (`near`)."""
    rerank: Annotated[str, _one_of(RERANKERS, "off"), BeforeValidator(_yaml_off)] = "off"
    """The model that reorders the best candidates."""
    rerank_candidates: int = Field(20, ge=1, le=1000)
    """How many candidates are reranked, at least `retrieval.k`."""
    rerank_weight: float = Field(1.0, ge=0)
    """Weight of the cross-encoder's score."""
    cross_encoder: str = "cross-encoder/ms-marco-MiniLM-L6-v2"
    """The model for `retrieval.rerank: cross-encoder`: a Hugging Face id or a folder."""
    min_relevance: float | None = Field(None, ge=-1, le=1)
    """Lowest cosine of the best passage for an answer; null is 0.3 for language models and no limit otherwise."""


class VllmConfig(SettingsModel):
    """The vLLM engine in this process. For several keys, null means: chosen for this machine."""

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """The precision of the weights; `auto` is bf16 on CPUs that support it, else fp32, and the model's own on a GPU."""
    max_model_len: int | None = Field(2048, ge=128)
    """Most tokens of prompt and answer; null takes the model's own limit."""
    max_num_seqs: int = Field(64, ge=1)
    """How many answers are written at once."""
    tensor_parallel_size: int = Field(1, ge=1)
    """How many GPUs share one model."""
    quantization: str | None = None
    """vLLM's name of a quantization method."""
    memory_share: float | None = Field(None, gt=0, le=1)
    """Share of GPU memory for vLLM; null takes what the embedder and FAISS leave free."""
    cpu_cache_gib: int = Field(1, ge=1)
    """Memory for the key-value cache on a CPU, in GiB."""
    enforce_eager: bool | None = None
    """Skip compilation, which starts faster and runs slower; null skips it on a CPU."""
    prefix_caching: bool = True
    """Reuse computation for beginnings that prompts share."""
    seed: int = 0
    """The seed for sampling."""


class OpenAIConfig(SettingsModel):
    """An OpenAI-compatible endpoint. The key is read from an environment variable, never from the configuration."""

    base_url: str = "http://127.0.0.1:8000/v1"
    """The address of the endpoint, which usually ends in `/v1`."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    concurrency: int = Field(32, ge=1)
    """How many requests run at once."""
    timeout_s: float = Field(60.0, gt=0)
    """Seconds to wait for a response."""
    retries: int = Field(2, ge=0)
    """How often a failed request is repeated."""
    context_length: int | None = Field(None, ge=128)
    """How many tokens the model reads; null asks the endpoint, else takes 4096."""


class ReaderModelConfig(SettingsModel):
    """The extractive model, which answers and reranks."""

    model: str = "bundled:reader"
    """The extractive model: `bundled:reader`, a folder, or a Hugging Face question-answering model."""
    revision: str | None = None
    """The commit of a Hugging Face model."""
    engine: Literal["auto", "openvino", "torch"] = "auto"
    """`auto` runs the int8 graph in OpenVINO on a CPU if the model has one, else torch."""
    device: str = "auto"
    """Where torch runs the model."""


class GeneratorConfig(SettingsModel):
    """What answers a question."""

    type: Annotated[str, _one_of(GENERATORS)] = "vllm"
    """`extractive` takes spans from passages with `reader.model`; the others write with `generator.model`."""
    model: str = "bundled:smollm2"
    """The language model: `bundled:smollm2`, a Hugging Face id, a folder, or the name that an endpoint uses."""
    revision: str | None = None
    """The commit of a Hugging Face model."""
    vllm: VllmConfig = VllmConfig()
    openai: OpenAIConfig = OpenAIConfig()


class PromptConfig(SettingsModel):
    """The prompt of a language model and its budget."""

    form: Annotated[str, _one_of(FORMS)] = "completion"
    """The prompt template for language models."""
    instruction: Annotated[str | None, AfterValidator(check_instruction)] = None
    """Instructions in place of the form's own, at most 4,000 characters; null takes those of the form."""
    template: Annotated[str | None, AfterValidator(check_template)] = None
    """Text around `{passages}` and `{question}`, at most 4,000 characters; null takes that of the form."""
    context_tokens: int = Field(256, ge=64)
    """Budget for passages in a prompt, in tokens."""
    max_tokens: int | None = Field(None, ge=1)
    """Most tokens of an answer; null is 512 where the model reads 8,000 or more, else 256 (`chat`) or 48."""
    temperature: float = Field(0.0, ge=0)
    """Randomness of the answer; 0 always takes the likeliest token."""


class CitationConfig(SettingsModel):
    """When a claim of a written answer counts as found in a passage."""

    min_support: float = Field(0.5, gt=0, le=1)
    """Share of a claim's words that its place in a passage must hold. Numbers, dates, and names must all be there."""


class AnswersConfig(SettingsModel):
    """When not to answer, and in which form. ``rag eval calibrate`` fits a threshold to your questions."""

    min_confidence: float | None = Field(None, ge=0, le=1)
    """Lowest confidence of an answer; null takes the generator's own threshold, which is 0 for language models."""
    question_kinds: Annotated[Literal["auto", "on", "off"], BeforeValidator(_yaml_switch)] = "auto"
    """Classify questions (a date, a list, a summary, small talk …); `auto` does if `bundled:minilm` is installed."""


class Config(SettingsModel):
    """The whole tree."""

    parsing: ParsingConfig = ParsingConfig()
    web: WebConfig = WebConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    chunking: ChunkingConfig = ChunkingConfig()
    index: IndexConfig = IndexConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    generator: GeneratorConfig = GeneratorConfig()
    prompt: PromptConfig = PromptConfig()
    citations: CitationConfig = CitationConfig()
    answers: AnswersConfig = AnswersConfig()
    reader: ReaderModelConfig = ReaderModelConfig()

    def models(self) -> list[tuple[str, str, str | None]]:
        """Return (role, name, revision) of every model that is loaded on this machine."""
        generator = GENERATORS[self.generator.type]
        found = [("embedder", self.embedding.model, self.embedding.revision)]
        if generator.make_extractor or self.retrieval.rerank == "reader":
            found.append(("reader", self.reader.model, self.reader.revision))
        if generator.loads_model:
            found.append(("writer", self.generator.model, self.generator.revision))
        if self.retrieval.rerank == "cross-encoder":
            found.append(("reranker", self.retrieval.cross_encoder, None))
        return found

    def generator_settings(self) -> GeneratorSettings:
        """Return the parts that generators are made from."""
        return GeneratorSettings(self.generator, self.reader)

    def least_relevance(self) -> float:
        """Return the best cosine below which no question is answered: as set, else 0.3 for language models.

        An extractor judges what it reads, so it is asked wherever there are passages.
        """
        if self.retrieval.min_relevance is not None:
            return self.retrieval.min_relevance
        return -1.0 if GENERATORS[self.generator.type].make_extractor else 0.3

    def digest(self) -> str:
        """Return 16 hex digits that change when any value does."""
        return sha256_json(self.model_dump(mode="json"))[:16]
