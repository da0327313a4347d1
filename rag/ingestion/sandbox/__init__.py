"""Reading files in processes that may die: a parser that crashes, hangs or swells costs its file and nothing else.

:class:`ParserPool` keeps worker processes, hands each one file at a time and kills it when it exceeds
:class:`Limits`. It knows loaders and documents, and nothing of chunks, models and the index.
"""

from rag.ingestion.sandbox.limits import Limits
from rag.ingestion.sandbox.pool import ParserPool

__all__ = ["Limits", "ParserPool"]
