"""The configuration: its keys and defaults (schema), and how presets, files and ``--set`` give them values (load)."""

from rag.config.load import Resolved, Settings, load_config, preset_names
from rag.config.schema import (
    Config,
    GeneratorConfig,
    OneOf,
    OpenAIConfig,
    PromptConfig,
    ReaderModelConfig,
    RetrievalConfig,
    VllmConfig,
)

__all__ = [
    "Config", "GeneratorConfig", "OneOf", "OpenAIConfig", "PromptConfig", "ReaderModelConfig", "Resolved",
    "RetrievalConfig", "Settings", "VllmConfig", "load_config", "preset_names",
]  # fmt: skip
