"""Answers and passages as JSON values: the shape that ``--json``, batch files, the page and chat exports share.

:func:`answer_from_json` reads what :func:`answer_json` writes: the same answer, with scores rounded to six digits,
support and timings to four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rag.types import Answer, Citation, Claim, DroppedPassage, Duplicate, Note, Passage, Sentence, Usage

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
        "kind": answer.kind,
        "band": answer.band,
        "answer": answer.text,
        "short": answer.short,
        "short_start": answer.short_start,
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
        "claims": [
            {
                "text": answer.text[c.start : c.end],
                "start": c.start,
                "end": c.end,
                "outcome": c.outcome,
                "citations": list(c.citations),
                "reason": c.reason,
                "instead": c.instead,
            }
            for c in answer.claims
        ],
        "passages": [passage_json(p) for p in answer.passages],
        "dropped": [
            {**passage_json(d.passage), "reason": d.reason.text, "reason_kind": _kind(d.reason)} for d in answer.dropped
        ],
        "finish_reason": answer.finish_reason,
        **notes_json(answer.notes),
        "timings": {stage: round(seconds, 4) for stage, seconds in answer.timings.items()},
        "usage": asdict(answer.usage),
        "generation": answer.generation,
        "config_digest": config_digest,
    }


def answer_from_json(value: Mapping[str, Any]) -> Answer:
    """Return the answer that :func:`answer_json` wrote.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for a value that is not one.
    """
    passages = {p["id"]: _passage(p) for p in value["passages"]}
    return Answer(
        question=value["question"],
        text=value["answer"],
        abstained=value["abstained"],
        confidence=value["confidence"],
        sentences=tuple(Sentence(s["start"], s["end"], s["support"], s["citation"]) for s in value["sentences"]),
        citations=tuple(_citation(c, passages[c["passage"]]) for c in value["citations"]),
        passages=tuple(passages.values()),
        dropped=tuple(DroppedPassage(_passage(d), _note(d["reason"], d.get("reason_kind"))) for d in value["dropped"]),
        finish_reason=value["finish_reason"],
        notes=notes_from_json(value["notes"], value.get("note_kinds", ())),
        usage=Usage(**value["usage"]),
        timings=dict(value["timings"]),
        generation=value["generation"],
        generator=value["generator"],
        claims=tuple(
            Claim(c["start"], c["end"], c["outcome"], tuple(c["citations"]), c["reason"], c["instead"])
            for c in value.get("claims", ())
        ),
        short=value.get("short", ""),
        short_start=value.get("short_start", 0),
        kind=value.get("kind", ""),
        band=value.get("band", ""),
    )


def notes_json(notes: Sequence[Note]) -> dict[str, Any]:
    """Return notes as ``notes`` (their sentences) and ``note_kinds`` (kind and values of each)."""
    return {"notes": [note.text for note in notes], "note_kinds": [_kind(note) for note in notes]}


def notes_from_json(texts: Sequence[Any], kinds: Any) -> tuple[Note, ...]:
    """Return notes. A note without a valid kind, as in older files, is its sentence alone."""
    known = list(kinds) if isinstance(kinds, list | tuple) else []
    return tuple(_note(*pair) for pair in zip_longest(texts, known[: len(texts)]))


def _kind(note: Note) -> dict[str, Any]:
    return {"kind": note.kind, "values": dict(note.values)}


def _note(text: Any, kind: Any) -> Note:
    match kind:
        case {"kind": str(name), "values": dict(values)}:
            return Note(str(text), name, values)  # type: ignore[arg-type]  # an unknown kind falls back to the sentence
    return Note(str(text))


def citation_json(citation: Citation) -> dict[str, Any]:
    """Return a citation; ``passage`` is the id of one of the answer's passages."""
    return {
        "passage": citation.passage.id,
        "source": citation.source,
        "page": citation.page,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "around": citation.around,
    }


def _citation(value: Mapping[str, Any], passage: Passage) -> Citation:
    page = value.get("page", passage.page)
    own_page = None if page == passage.page else page
    return Citation(passage, value["start"], value["end"], value["quote"], value["around"], own_page)


def passage_json(passage: Passage) -> dict[str, Any]:
    """Return a passage with every field of its record; offsets are characters of the document's text."""
    value = _rounded(asdict(passage))
    value["duplicates"] = [_rounded(duplicate) for duplicate in value["duplicates"]]
    return value


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record's fields with six digits of each score, tuples as lists."""
    return {
        name: round(value, 6) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value
        for name, value in record.items()
    }


def _passage(value: Mapping[str, Any]) -> Passage:
    known = {name: value[name] for name in _PASSAGE_FIELDS if name in value}
    duplicates = tuple(
        Duplicate(**{"headings": (), **d} | {"headings": tuple(d.get("headings", ()))})
        for d in value.get("duplicates", ())
    )
    return Passage(**known | {"headings": tuple(value["headings"]), "duplicates": duplicates})


_PASSAGE_FIELDS = [field.name for field in fields(Passage)]


def attribution_json(attributions: Sequence[Attribution]) -> list[dict[str, Any]]:
    """Return how the answer changes without each passage."""
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
