"""What writes the answers, behind one Protocol: vLLM in process, an OpenAI-compatible endpoint, and a fake."""

from __future__ import annotations

from rag.config import GeneratorConfig
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


def make_generator(config: GeneratorConfig) -> Generator:
    """Start the generator a configuration names. Raises :class:`~rag.errors.RagError`."""
    if config.type == "fake":
        return FakeGenerator()
    if config.type == "openai":
        from rag.generators.openai_endpoint import OpenAIGenerator

        return OpenAIGenerator(config.model, **config.openai.model_dump())
    from rag.generators.vllm_engine import VllmGenerator

    return VllmGenerator(config.model, revision=config.revision, **config.vllm.model_dump())
