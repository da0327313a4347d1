"""Configuration: a small, strict, frozen tree, and where each of its values came from.

Values are laid over each other in this order: the defaults below, a preset or a file, ``--set key=value``. A file or
preset may begin with ``extends: NAME``. An unknown key anywhere is an error that names the nearest known one.

Components never see this tree: :mod:`rag.factory` and :mod:`rag.factory` hand each of them its own values.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from indexes.search.lexical_tantivy import LANGUAGES
from rag.errors import UsageError
from rag.generation.registry import GENERATORS, GeneratorSettings
from rag.prompt_templates import FORMS
from rag.retrieval.fusion import FUSIONS
from rag.retrieval.rerankers import RERANKERS
from rag.text import error_line, without_userinfo

__all__ = ["Config", "Resolved", "load_config", "preset_names"]

DEFAULT_PRESET = "cpu"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EmbeddingConfig(_Part):
    """How texts become vectors.

    ``engine: auto`` reads the bundled model through OpenVINO where there is no GPU, else torch. ``dtype: auto`` is
    int8 for passages in OpenVINO where the processor is made for it, else fp32; bf16 or fp16 on a GPU.
    """

    model: str = "bundled:minilm"
    revision: str | None = None
    device: str = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    engine: Literal["auto", "torch", "openvino"] = "auto"
    batch_size: int = Field(32, ge=1)
    query_prefix: str = ""
    passage_prefix: str = ""


class ParsingConfig(_Part):
    """The processes that read files, and what one file may cost them (docs/formats.md)."""

    workers: int = Field(2, ge=1)
    memory_mb: int = Field(1024, ge=64)
    cpu_seconds: int = Field(60, ge=1)
    wall_seconds: float = Field(120.0, gt=0)
    file_mb: int = Field(256, ge=1)


class ChunkingConfig(_Part):
    """How documents become chunks; sizes in the embedder's tokens."""

    size: int = Field(200, ge=16)
    overlap: int = Field(32, ge=0)
    embed_headings: bool = True


def _yaml_off(value: object) -> object:
    """Take YAML's reading of ``off``, which is false, back."""
    return "off" if value is False else value


def _one_of(table: Mapping[str, object], *others: str) -> AfterValidator:
    """Return a validator that accepts the keys of a table; they are looked up when a value is checked."""

    def check(value: str) -> str:
        if value not in table and value not in others:
            raise ValueError(f"choose one of {', '.join([*others, *table])}")
        return value

    return AfterValidator(check)


class DenseConfig(_Part):
    """The FAISS index and where it lives."""

    type: Literal["flat", "hnsw", "ivf", "sq", "pq", "ivfpq"] = "flat"
    hnsw_m: int = Field(32, ge=4)
    ef_construction: int = Field(200, ge=8)
    ef_search: int = Field(96, ge=8)
    nlist: int = Field(0, ge=0)
    nprobe: int = Field(16, ge=1)
    sq_bits: Literal[4, 6, 8, 16] = 8
    pq_m: int = Field(48, ge=1)
    gpu: Annotated[Literal["auto", "off", "replicate", "shard"], BeforeValidator(_yaml_off)] = "auto"
    gpu_fp16: bool = True


class IndexConfig(_Part):
    """The two derived indexes."""

    dense: DenseConfig = DenseConfig()
    languages: tuple[Literal[LANGUAGES], ...] = ("english", "russian")  # type: ignore[valid-type]  # pydantic reads it


class RetrievalConfig(_Part):
    """How passages are found, fused and reranked. See :meth:`Config.least_relevance` for ``min_relevance``."""

    k: int = Field(5, ge=1, le=1000)
    candidates: int = Field(100, ge=1, le=2000)
    fusion: Annotated[str, _one_of(FUSIONS)] = "zscore"
    dense_weight: float = Field(0.5, ge=0, le=1)
    rrf_k: int = Field(60, ge=1)
    collapse_duplicates: Annotated[Literal["off", "exact", "near"], BeforeValidator(_yaml_off)] = "exact"
    rerank: Annotated[str, _one_of(RERANKERS, "off"), BeforeValidator(_yaml_off)] = "off"
    rerank_candidates: int = Field(20, ge=1, le=1000)
    rerank_weight: float = Field(1.0, ge=0)
    cross_encoder: str = "cross-encoder/ms-marco-MiniLM-L6-v2"
    min_relevance: float | None = Field(None, ge=-1, le=1)


class VllmConfig(_Part):
    """The in-process vLLM engine. ``None`` means: chosen by looking at the machine."""

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    max_model_len: int | None = Field(2048, ge=128)
    max_num_seqs: int = Field(64, ge=1)
    tensor_parallel_size: int = Field(1, ge=1)
    quantization: str | None = None
    memory_share: float | None = Field(None, gt=0, le=1)
    cpu_cache_gib: int = Field(1, ge=1)
    enforce_eager: bool | None = None
    prefix_caching: bool = True
    seed: int = 0


class OpenAIConfig(_Part):
    """An OpenAI-compatible endpoint. The key is read from the environment variable that is named, never from here."""

    base_url: str = "http://127.0.0.1:8000/v1"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(32, ge=1)
    timeout_s: float = Field(60.0, gt=0)
    retries: int = Field(2, ge=0)
    context_length: int | None = Field(None, ge=128)


class ReaderModelConfig(_Part):
    """The span reader: ``auto`` takes its int8 graph on a CPU where it has one, else its weights through torch."""

    model: str = "bundled:reader"
    revision: str | None = None
    engine: Literal["auto", "openvino", "torch"] = "auto"
    device: str = "auto"


class GeneratorConfig(_Part):
    """What answers: ``extractive`` marks spans with the ``reader``, the others write with ``generator.model``."""

    type: Annotated[str, _one_of(GENERATORS)] = "vllm"
    model: str = "bundled:smollm2"
    revision: str | None = None
    vllm: VllmConfig = VllmConfig()
    openai: OpenAIConfig = OpenAIConfig()


class PromptConfig(_Part):
    """The form of the prompt and its budget."""

    form: Annotated[str, _one_of(FORMS)] = "completion"
    context_tokens: int = Field(256, ge=64)
    max_tokens: int = Field(48, ge=1)
    temperature: float = Field(0.0, ge=0)


class CitationConfig(_Part):
    """When a sentence counts as supported: the share of its content words found in one span."""

    min_support: float = Field(0.6, gt=0, le=1)


class AnswersConfig(_Part):
    """When to say nothing: an answer of less confidence than this becomes an abstention (`rag eval calibrate`).

    ``None``: the generator's own threshold, which is 0 for all that write.
    """

    min_confidence: float | None = Field(None, ge=0, le=1)


class Config(_Part):
    """The whole tree."""

    parsing: ParsingConfig = ParsingConfig()
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
        if generator.extracts or self.retrieval.rerank == "reader":
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
        return -1.0 if GENERATORS[self.generator.type].extracts else 0.3

    def digest(self) -> str:
        """Return 16 hex digits that change when any value does."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Resolved:
    """A configuration, the name it was asked for by, and the origin of every value by dotted key."""

    config: Config
    name: str
    origins: Mapping[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (dotted key, value, origin), in the tree's order."""
        values = _flatten(self.config.model_dump(mode="json"))
        return [(key, value, self.origins.get(key, "default")) for key, value in values.items()]


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the project."""
    return sorted(Path(str(p)).stem for p in files("configs").iterdir() if str(p).endswith(".yaml"))


def load_config(name: str = DEFAULT_PRESET, assignments: Sequence[str] = ()) -> Resolved:
    """Resolve a preset name or a YAML file, then ``key=value`` assignments.

    Raises :class:`~rag.errors.UsageError` for an unknown preset or key, a missing file, or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in [*_layers(name, ()), *(_assignment(text) for text in assignments)]:
        known = _flatten(Config().model_dump())
        for key, value in _flatten(layer).items():
            if value is None and any(name.startswith(f"{key}.") for name in known):
                continue  # a group with nothing in it
            if key not in known:
                raise _unknown_key(key, known, origin)
            if isinstance(value, bool) and isinstance(known[key], int | float) and not isinstance(known[key], bool):
                raise UsageError(f"{key} = {value!r} ({origin}): a number is wanted", "run `rag config show`")
            values[key] = value
            origins[key] = origin
    try:
        config = Config.model_validate(_nest(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        raise UsageError(
            f"{key} = {_short(first['input'])} ({origins.get(key, name)}): {first['msg']}",
            "run `rag config show` for every key and its value",
        ) from None
    return Resolved(config, name, origins)


def _layers(name: str, seen: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Return the layers of a preset or file, its ancestors first."""
    itself = name if name in preset_names() else str(Path(name).resolve())  # however the path is spelt
    if itself in seen:
        raise UsageError(
            f"{' -> '.join((*seen, itself))}: configurations extend each other in a circle", "remove one `extends`"
        )
    origin, text = _read(name)
    layer = _parse_file(origin, text)
    parent = layer.pop("extends", None)
    if parent and origin.startswith("file") and str(parent).endswith((".yaml", ".yml")):
        parent = Path(name).parent / str(parent)  # relative to the file that names it
    return [*(_layers(str(parent), (*seen, itself)) if parent else []), (origin, layer)]


def _parse_file(origin: str, text: str) -> dict[str, Any]:
    try:
        layer = yaml.safe_load(text) or {}
        if isinstance(layer, dict):
            _flatten(layer)  # raises for a tree that holds itself
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what looks like a date and is none
        raise UsageError(
            f"{origin} is not valid YAML: {error_line(error)}", "fix the file; `rag config show` shows the form"
        ) from None
    except RecursionError:
        raise UsageError(
            f"{origin} is nested too deeply, or within itself", "fix the file; `rag config show` shows the form"
        ) from None
    if not isinstance(layer, dict):
        raise UsageError(
            f"{origin} holds a {type(layer).__name__}, not keys and values", "`rag config show` shows every key"
        )
    return layer


def _read(name: str) -> tuple[str, str]:
    if name in preset_names():
        return f"preset {name}", files("configs").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(
            f"there is no preset {name!r}", f"choose one of {', '.join(preset_names())}, or name a .yaml file"
        )
    try:
        return f"file {name}", path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"the configuration file {name} cannot be read: {why}", "check its path and encoding"
        ) from None


def _assignment(text: str) -> tuple[str, dict[str, Any]]:
    key, equals, raw = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {text!r} is not of the form key=value", "for example: --set retrieval.k=8")
    return "--set", _nest({key.strip(): _parse(key.strip(), raw)})


def _parse(key: str, raw: str) -> Any:
    """Read a value as its key needs it: text stays text, also ``off``, ``12345678`` and ``query: ``."""
    node: type[BaseModel] | None = Config
    annotation: Any = None
    for part in key.split("."):
        field = node.model_fields.get(part) if node else None
        annotation = field.annotation if field else None
        node = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    try:
        value = yaml.safe_load(raw)
        if isinstance(value, dict):
            _flatten(value)  # raises for a tree that holds itself
    except (yaml.YAMLError, ValueError, RecursionError):
        return raw  # such as `query: `, 2001-13-45 or [[[[…; the validation rejects it if no text is expected
    kinds = get_args(annotation)
    wants_text = annotation is str or (str in kinds and get_origin(annotation) is not tuple)
    if get_origin(annotation) is Literal:
        wants_text = isinstance(kinds[0], str)
    if wants_text and not isinstance(value, str):
        return None if raw == "null" and type(None) in kinds else raw
    return value


def _short(value: object) -> str:
    """Return a value as an error shows it: cut, and without a password."""
    text = without_userinfo(repr(value))
    return text if len(text) <= 100 else text[:99] + "…"


def _unknown_key(key: str, known: Mapping[str, Any], origin: str) -> UsageError:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    leaf = [k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
    hint = (leaf or near or [None])[0]
    remedy = f"did you mean {hint}?" if hint else "run `rag config show` for every key"
    return UsageError(f"there is no configuration key {key!r} ({origin})", remedy)


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, leaf = dotted.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree
