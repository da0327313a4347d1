"""Questions that are not answered from passages: about the documents as a whole, small talk, and summaries.

Only sure kinds come here (:mod:`rag.answering.question_kinds`). Every reply keeps to the documents that pass the
filter. Where there are none, the question takes the usual way, which says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from indexes import DocumentRow
from rag.answering.document_summary import choose_document, summarise
from rag.answering.replies import documents_reply, language_of, small_talk_reply
from rag.embedding.base import Float32
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved, Retriever
from rag.text import one_line
from rag.types import Answer, QuestionKind, Sentence

__all__ = ["SpecialReplies", "only_document"]

_UNRETRIEVED = ("collection", "small_talk")

_SUMMARY = {
    "en": "Sentences chosen from {title} (not rewritten):",
    "ru": "Предложения из документа {title} (без изменений):",
    "de": "Ausgewählte Sätze aus {title} (unverändert):",
}


class SpecialReplies:
    """Replies from one index. ``embed`` returns unit vectors (n, dimension) of texts, which a summary compares.

    ``extracts`` says that no language model can write the summary, so that sentences are chosen for it here.
    """

    def __init__(self, retriever: Retriever, embed: Callable[[Sequence[str]], Float32], *, extracts: bool) -> None:
        self._retriever = retriever
        self._store = retriever.reader.store
        self._embed = embed
        self._extracts = extracts

    def prepare(
        self, questions: Sequence[str], kinds: Sequence[QuestionKind], only: Filter | None
    ) -> list[Retrieved | Answer]:
        """Return for each question a reply, or what was retrieved for an answerer; for a summary, of one document."""
        prepared: dict[int, Retrieved | Answer] = {}
        generation = self._retriever.reader.snapshot().generation
        for n, (question, kind) in enumerate(zip(questions, kinds, strict=True)):
            reply = self.reply(Retrieved(question, (), 0.0, generation, kind=kind), only)
            if reply is not None:
                prepared[n] = reply
        left = [n for n in range(len(questions)) if n not in prepared]
        found = self._retriever.retrieve_batch([questions[n] for n in left], only=only)
        for n, retrieved in zip(left, found, strict=True):
            prepared[n] = self._summarised(replace(retrieved, kind=kinds[n]), only)
        return [prepared[n] for n in range(len(questions))]

    def _summarised(self, retrieved: Retrieved, only: Filter | None) -> Retrieved | Answer:
        if retrieved.kind != "summary":
            return retrieved
        if self._extracts:
            return self.summary(retrieved, only) or retrieved
        chosen = choose_document(retrieved.question, retrieved.passages, self.documents(only))
        if chosen is None:
            return retrieved
        return replace(self._retriever.retrieve(retrieved.question, only=only_document(chosen.source)), kind="summary")

    def documents(self, only: Filter | None) -> list[DocumentRow]:
        """Return the documents that can answer, by source; ``only`` restricts them."""
        found = self._store.documents(None if only is None else only.selection())
        return [document for document in found if document.chunks]

    def reply(self, retrieved: Retrieved, only: Filter | None) -> Answer | None:
        """Return the list of documents or a friendly reply; None for other kinds and where there is no document."""
        if retrieved.kind not in _UNRETRIEVED or not (documents := self.documents(only)):
            return None
        write = documents_reply if retrieved.kind == "collection" else small_talk_reply
        text = write(documents, language_of(retrieved.question))
        return _answer(retrieved, text, "documents")

    def summary(self, retrieved: Retrieved, only: Filter | None) -> Answer | None:
        """Return an extractive summary of the document that is meant, None if it has too few sentences."""
        started = time.monotonic()
        chosen = choose_document(retrieved.question, retrieved.passages, self.documents(only))
        chunks = [] if chosen is None else self._store.chunks_of(chosen.source)
        summary = summarise(retrieved.question, chunks, self._embed) if chunks else None
        if chosen is None or summary is None:
            return None
        title = one_line(chunks[0].title) or chosen.source
        text = _SUMMARY[language_of(retrieved.question)].format(title=title) + "\n"
        sentences = []
        for n, sentence in enumerate(summary.texts):
            text += "\n- "
            sentences.append(Sentence(len(text), len(text) + len(sentence), 1.0, n))
            text += sentence
        passages = tuple({citation.passage.id: citation.passage for citation in summary.citations}.values())
        answer = _answer(retrieved, text, "summary")
        return replace(
            answer,
            sentences=tuple(sentences),
            citations=summary.citations,
            passages=passages,
            notes=(*retrieved.notes, *summary.notes),
            timings={**retrieved.timings, "generate": time.monotonic() - started},
        )


def only_document(source: str) -> Filter:
    """Return the filter that lets one document pass, whatever characters its name has."""
    return Filter(sources=("".join(f"[{c}]" if c in "*?[" else c for c in source),))


def _answer(retrieved: Retrieved, text: str, generator: str) -> Answer:
    return Answer(
        question=retrieved.question,
        text=text,
        abstained=False,
        confidence=None,
        finish_reason="stop",
        notes=retrieved.notes,
        timings={**retrieved.timings, "prompt": 0.0, "generate": 0.0},
        generation=retrieved.generation,
        generator=generator,
        kind=retrieved.kind,
    )
