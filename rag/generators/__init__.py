"""What answers, behind one Protocol: vLLM, an OpenAI-compatible endpoint, a span reader, both, a fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.config import MARKING, Config
from rag.generators.base import Completion, Generator, Message, Prompt, Sampling, TextStream
from rag.generators.fake import FakeGenerator

if TYPE_CHECKING:
    from rag.generators.extractive import ExtractiveGenerator

__all__ = [
    "Completion",
    "FakeGenerator",
    "Generator",
    "Message",
    "Prompt",
    "Sampling",
    "TextStream",
    "least_confidence",
    "make_generator",
    "make_marker",
    "writer_config",
]


def make_generator(config: Config, *, writer: Generator | None = None) -> Generator:
    """Start the generator a configuration names; a hybrid one takes ``writer`` if it is given.

    Raises :class:`~rag.errors.RagError`.
    """
    part = config.generator
    if part.type == "fake":
        return FakeGenerator.named(part.model)
    if part.type == "openai":
        from rag.generators.openai_endpoint import OpenAIGenerator

        return OpenAIGenerator(part.model, **part.openai.model_dump())
    if part.type == "extractive":
        return make_marker(config)
    if part.type == "hybrid":
        from rag.generators.hybrid import HybridGenerator

        least = least_confidence(config)
        return HybridGenerator(
            make_marker(config), writer or make_generator(writer_config(config)), min_confidence=least
        )
    from rag.generators.vllm_engine import VllmGenerator

    return VllmGenerator(part.model, revision=part.revision, **part.vllm.model_dump())


def make_marker(config: Config) -> ExtractiveGenerator:
    """Return the reader a configuration names, as what marks answers; its model is loaded once a process."""
    from rag.generators.extractive import ExtractiveGenerator
    from rag.spans.engine import shared_engine

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
