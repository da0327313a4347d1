"""What answers, behind one Protocol: vLLM, an OpenAI-compatible endpoint, a span reader, both, a fake."""

from __future__ import annotations

from rag.config import Config
from rag.generators.base import Completion, Generator, Message, Prompt, Sampling, TextStream
from rag.generators.fake import FakeGenerator

__all__ = [
    "Completion",
    "FakeGenerator",
    "Generator",
    "Message",
    "Prompt",
    "Sampling",
    "TextStream",
    "make_generator",
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
    if part.type in ("extractive", "hybrid"):
        from rag.generators.extractive import ExtractiveGenerator
        from rag.spans.engine import shared_engine

        reader = ExtractiveGenerator(shared_engine(**config.reader.model_dump()))
        if part.type == "extractive":
            return reader
        from rag.generators.hybrid import HybridGenerator

        least = config.answers.min_confidence
        return HybridGenerator(
            reader,
            writer or make_generator(writer_config(config)),
            min_confidence=reader.threshold if least is None else least,
        )
    from rag.generators.vllm_engine import VllmGenerator

    return VllmGenerator(part.model, revision=part.revision, **part.vllm.model_dump())


def writer_config(config: Config) -> Config:
    """Return the configuration of a hybrid generator's writer alone."""
    part = config.generator
    return config.model_copy(update={"generator": part.model_copy(update={"type": part.writer})})
