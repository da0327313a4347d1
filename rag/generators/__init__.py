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
]


def make_generator(config: Config) -> Generator:
    """Start the generator a configuration names. Raises :class:`~rag.errors.RagError`."""
    part = config.generator
    if part.type == "fake":
        return FakeGenerator()
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

        writer = config.model_copy(update={"generator": part.model_copy(update={"type": part.writer})})
        least = config.answers.min_confidence
        return HybridGenerator(
            reader, make_generator(writer), min_confidence=reader.threshold if least is None else least
        )
    from rag.generators.vllm_engine import VllmGenerator

    return VllmGenerator(part.model, revision=part.revision, **part.vllm.model_dump())
