"""Questions that are not answered from passages: about the documents as a whole, small talk, and summaries.

Only sure kinds come here (:mod:`rag.answering.question_kinds`). Every reply keeps to the documents that pass the
filter. Where there are none, the question takes the usual way, which says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from indexes import DocumentRow
from rag.answering.document_summary import Line, summarise
from rag.answering.replies import Language, documents_reply, language_of, small_talk_reply
from rag.answering.summary_choice import Chosen, choose_document
from rag.embedding.base import Float32
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retrieved, Retriever
from rag.text import one_line
from rag.types import Answer, Citation, Note, QuestionKind, Sentence

__all__ = [
    "SpecialReplies",
]

_UNRETRIEVED = ("collection", "small_talk")

_SUMMARY = {
    "en": "Sentences chosen from {title} (not rewritten):",
    "ru": "Предложения из документа {title} (без изменений):",
    "de": "Ausgewählte Sätze aus {title} (unverändert):",
}
_TABLE = {
    "en": "From a table (rows: {n}):",
    "ru": "Из таблицы (строк: {n}):",
    "de": "Aus einer Tabelle (Zeilen: {n}):",
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
        chosen = self._chosen(retrieved, only)
        if chosen is None:
            return retrieved
        found = self._retriever.retrieve(retrieved.question, only=Filter(sources=(chosen.source,)))
        return replace(found, kind="summary", notes=(*found.notes, *_also(chosen)))

    def _chosen(self, retrieved: Retrieved, only: Filter | None) -> Chosen | None:
        return choose_document(
            retrieved.question, retrieved.passages, self.documents(only), self._store.text, self._embed
        )

    def documents(self, only: Filter | None) -> list[DocumentRow]:
        """Return the documents that can answer, by source; ``only`` restricts them."""
        found = self._store.documents(None if only is None else only.selection(self._store))
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
        chosen = self._chosen(retrieved, only)
        chunks = [] if chosen is None else self._store.chunks_of(chosen.source)
        if chosen is None or not chunks:
            return None
        summary = summarise(retrieved.question, self._store.text(chosen.source), chunks, self._embed)
        if summary is None:
            return None
        language = language_of(retrieved.question)
        text = _SUMMARY[language].format(title=one_line(chunks[0].title) or chosen.source) + "\n"
        sentences: list[Sentence] = []
        citations: list[Citation] = []
        for line in summary.lines:
            lead = _lead(line, language)
            text = text.rstrip("\n") + lead if lead.startswith("\n\n") else text + lead
            if line.citation is not None:
                sentences.append(Sentence(len(text), len(text) + len(line.text), 1.0, len(citations)))
                citations.append(line.citation)
                text += line.text
        return replace(
            _answer(retrieved, text, "summary"),
            sentences=tuple(sentences),
            citations=tuple(citations),
            passages=tuple({citation.passage.id: citation.passage for citation in citations}.values()),
            notes=(*retrieved.notes, *_also(chosen), *summary.notes),
            timings={**retrieved.timings, "generate": time.monotonic() - started},
        )


def _lead(line: Line, language: Language) -> str:
    """Return what is written before a line's words: the mark of a list, a heading, or that a table follows."""
    if line.citation is not None:
        return "\n- "
    return "\n\n" + (_TABLE[language].format(n=line.rows) if line.rows else line.text)


def _also(chosen: Chosen) -> tuple[Note, ...]:
    """Return the note that names the document which fits nearly as well."""
    if not chosen.other:
        return ()
    return (Note(f"Also fits: {chosen.other}.", "also_fits", {"source": chosen.other}),)


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
