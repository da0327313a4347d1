"""Reads files in worker processes: a parser that crashes, hangs or takes too much memory costs only its own file.

:class:`ParserPool` gives each worker one file at a time and kills it when it exceeds :class:`Limits`. This package
knows loaders and documents, and nothing of chunks, models and the index. It relies on Linux.
"""

from rag.ingestion.sandbox.pool import ParserPool
from rag.ingestion.sandbox.protocol import Limits

__all__ = ["Limits", "ParserPool"]
