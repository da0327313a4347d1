"""Ask questions over your own documents and get answers whose citations have been checked.

::

    import rag

    with rag.open(".rag") as kb:
        kb.ingest("docs")
        answer = kb.ask("What is the rent?", filter="type=pdf")
        print(answer.text, answer.confidence, answer.citations[0].source, answer.citations[0].page)

Importing this package is cheap: each name below is imported when it is first used, and models load when they are first
needed. The command line is ``rag`` (see ``rag --help``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.query_rewriting import Turn
    from rag.config import Config, load_config
    from rag.errors import (
        DocumentError,
        GeneratorError,
        InputError,
        MissingPackageError,
        ModelError,
        PromptRefusedError,
        PromptTooLongError,
        RagError,
        StorageError,
        UsageError,
    )
    from rag.knowledge_base import Chat, KnowledgeBase, QuestionStream, open  # noqa: A004 - see there
    from rag.model_pool import ModelPool
    from rag.retrieval.filters import Filter
    from rag.types import Answer, Citation, Claim, Document, Note, Passage, Sentence

__version__ = "0.1.0"

_MODULES = {
    "rag.answering.query_rewriting": ("Turn",),
    "rag.config": ("Config", "load_config"),
    "rag.errors": (
        "DocumentError", "GeneratorError", "InputError", "MissingPackageError", "ModelError", "PromptRefusedError",
        "PromptTooLongError", "RagError", "StorageError", "UsageError",
    ),
    "rag.knowledge_base": ("Chat", "KnowledgeBase", "QuestionStream", "open"),
    "rag.model_pool": ("ModelPool",),
    "rag.retrieval.filters": ("Filter",),
    "rag.types": ("Answer", "Citation", "Claim", "Document", "Note", "Passage", "Sentence"),
}  # fmt: skip
_LAZY = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Answer",
    "Chat",
    "Citation",
    "Claim",
    "Config",
    "Document",
    "DocumentError",
    "Filter",
    "GeneratorError",
    "InputError",
    "KnowledgeBase",
    "MissingPackageError",
    "ModelError",
    "ModelPool",
    "Note",
    "Passage",
    "PromptRefusedError",
    "PromptTooLongError",
    "QuestionStream",
    "RagError",
    "Sentence",
    "StorageError",
    "Turn",
    "UsageError",
    "__version__",
    "load_config",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
