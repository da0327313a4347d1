"""Question to answer: retrieve, then read (:mod:`rag.retrieval.retriever`, :mod:`rag.answering.answerer`)."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering.answerer import AnswerStream, Reader
from rag.generation.base import Generator
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retriever, check_question
from rag.types import Answer

__all__ = ["Pipeline"]


class Pipeline:
    """Answers questions over one index. Safe to call from many threads."""

    def __init__(self, retriever: Retriever, reader: Reader) -> None:
        self.retriever = retriever
        self.reader = reader

    @property
    def generator(self) -> Generator:
        """What writes the answers."""
        return self.reader.generator

    def ask(self, question: str, *, only: Filter | None = None) -> Answer:
        """Answer one question; see :meth:`ask_batch`."""
        return self.ask_batch([question], only=only)[0]

    def ask_batch(self, questions: Sequence[str], *, only: Filter | None = None) -> list[Answer]:
        """Answer all questions, the generator working on all of them at once.

        Raises :class:`~rag.errors.InputError` for an empty or too long question, and what the generator raises.
        """
        checked = [check_question(q) for q in questions]
        return self.reader.answer_batch(self.retriever.retrieve_batch(checked, only=only))

    def stream(self, question: str, *, only: Filter | None = None) -> AnswerStream:
        """Answer one question piece by piece; the checked answer is there at the end."""
        return self.reader.stream(self.retriever.retrieve(check_question(question), only=only))

    def close(self) -> None:
        """Stop the generator and let go of the index."""
        self.generator.close()
        self.retriever.reader.close()
