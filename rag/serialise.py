"""Answers and passages as plain JSON values: the shapes that ``--json``, batch files and the application share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.records import Answer, Citation, Passage

if TYPE_CHECKING:
    from rag.explain import Attribution

__all__ = ["answer_json", "attribution_json", "citation_json", "passage_json"]


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
        "dropped": [{"id": d.passage.id, "source": d.passage.source, "reason": d.reason} for d in answer.dropped],
        "finish_reason": answer.finish_reason,
        "notes": list(answer.notes),
        "timings": {stage: round(seconds, 4) for stage, seconds in answer.timings.items()},
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "cached_tokens": answer.usage.cached_tokens,
        },
        "config_digest": config_digest,
    }


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
