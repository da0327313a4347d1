"""Answers and passages as plain JSON values: the shapes that ``--json``, batch files and the application share.

What :func:`answer_json` writes, :func:`answer_from_json` reads: the same answer, but for scores rounded to six digits,
and support and timings to four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rag.types import Answer, Citation, DroppedPassage, Note, Passage, Sentence, Usage

if TYPE_CHECKING:
    from rag.ops.explain import Attribution

__all__ = [
    "answer_from_json",
    "answer_json",
    "attribution_json",
    "citation_json",
    "notes_from_json",
    "notes_json",
    "passage_json",
]


def answer_json(answer: Answer, config_digest: str) -> dict[str, Any]:
    """Return an answer with its citations, passages, timings in seconds and token usage."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "generator": answer.generator,
        "citations": [citation_json(c) for c in answer.citations],
        "sentences": [
            {
                "text": answer.text[s.start : s.end],
                "start": s.start,
                "end": s.end,
                "supported": s.supported,
                "support": round(s.support, 4),
                "citation": s.citation,
            }
            for s in answer.sentences
        ],
        "passages": [passage_json(p) for p in answer.passages],
        "dropped": [
            {**passage_json(d.passage), "reason": d.reason.text, "reason_kind": _kind(d.reason)} for d in answer.dropped
        ],
        "finish_reason": answer.finish_reason,
        **notes_json(answer.notes),
        "timings": {stage: round(seconds, 4) for stage, seconds in answer.timings.items()},
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "cached_tokens": answer.usage.cached_tokens,
        },
        "generation": answer.generation,
        "config_digest": config_digest,
    }


def answer_from_json(value: Mapping[str, Any]) -> Answer:
    """Return the answer that :func:`answer_json` was given.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is none.
    """
    passages = {p["id"]: _passage(p) for p in value["passages"]}
    return Answer(
        question=value["question"],
        text=value["answer"],
        abstained=value["abstained"],
        confidence=value["confidence"],
        sentences=tuple(Sentence(s["start"], s["end"], s["support"], s["citation"]) for s in value["sentences"]),
        citations=tuple(
            Citation(passages[c["passage"]], c["start"], c["end"], c["quote"], c["around"]) for c in value["citations"]
        ),
        passages=tuple(passages.values()),
        dropped=tuple(DroppedPassage(_passage(d), _note(d["reason"], d.get("reason_kind"))) for d in value["dropped"]),
        finish_reason=value["finish_reason"],
        notes=notes_from_json(value["notes"], value.get("note_kinds", ())),
        usage=Usage(**value["usage"]),
        timings=dict(value["timings"]),
        generation=value["generation"],
        generator=value["generator"],
    )


def notes_json(notes: Sequence[Note]) -> dict[str, Any]:
    """Return notes as ``notes``, their sentences, and ``note_kinds``, what each says without its sentence."""
    return {"notes": [note.text for note in notes], "note_kinds": [_kind(note) for note in notes]}


def notes_from_json(texts: Sequence[Any], kinds: Any) -> tuple[Note, ...]:
    """Return notes; one whose kind is missing, as before notes had kinds, or broken is its sentence alone."""
    known = list(kinds) if isinstance(kinds, list | tuple) else []
    return tuple(_note(*told) for told in zip_longest(texts, known[: len(texts)]))


def _kind(note: Note) -> dict[str, Any]:
    return {"kind": note.kind, "values": dict(note.values)}


def _note(text: Any, kind: Any) -> Note:
    match kind:
        case {"kind": str(name), "values": dict(values)}:
            return Note(str(text), name, values)  # type: ignore[arg-type]  # one that is unknown is told by its sentence
    return Note(str(text))


def citation_json(citation: Citation) -> dict[str, Any]:
    """Return a citation; ``passage`` is the id of one of the answer's passages."""
    return {
        "passage": citation.passage.id,
        "source": citation.passage.source,
        "page": citation.passage.page,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "around": citation.around,
    }


def passage_json(passage: Passage) -> dict[str, Any]:
    """Return a passage with its scores and ranks; offsets are characters of the document's text."""
    return {
        "id": passage.id,
        "source": passage.source,
        "title": passage.title,
        "page": passage.page,
        "headings": list(passage.headings),
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
        "score": round(passage.score, 6),
        "dense": passage.dense,
        "lexical": passage.lexical,
        "dense_rank": passage.dense_rank,
        "lexical_rank": passage.lexical_rank,
        "reranked": passage.reranked,
        "fused_rank": passage.fused_rank,
        "duplicates": [
            {
                "id": copy.id,
                "source": copy.source,
                "page": copy.page,
                "start": copy.start,
                "end": copy.end,
                "similarity": round(copy.similarity, 4),
            }
            for copy in passage.duplicates
        ],
    }


def _passage(value: Mapping[str, Any]) -> Passage:
    return Passage(
        id=value["id"],
        source=value["source"],
        title=value["title"],
        page=value["page"],
        headings=tuple(value["headings"]),
        start=value["start"],
        end=value["end"],
        text=value["text"],
        score=value["score"],
        dense=value["dense"],
        lexical=value["lexical"],
        dense_rank=value["dense_rank"],
        lexical_rank=value["lexical_rank"],
        reranked=value["reranked"],
        fused_rank=value["fused_rank"],
    )


def attribution_json(attributions: Sequence[Attribution]) -> list[dict[str, Any]]:
    """Return what the answer becomes without each passage."""
    return [
        {
            "passage": a.passage.id,
            "source": a.passage.source,
            "without": a.without,
            "abstained": a.abstained,
            "similarity": round(a.similarity, 4),
        }
        for a in attributions
    ]
