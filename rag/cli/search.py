"""``rag search``: passages, without an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, Collapse, ConfigName, Filters, IndexFolder, Settings, parse_filters, resolve
from rag.cli.output import note, out, out_json, print_passage

__all__ = ["search"]


def search(
    question: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    k: Annotated[int | None, typer.Option("-k", min=1, max=1000, help="How many passages.")] = None,
    filters: Filters = None,
    collapse: Collapse = None,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Find the passages nearest to a question, with their scores in both indexes."""
    chosen = [] if collapse is None else [f"retrieval.collapse_duplicates={collapse}"]
    resolved = resolve(config, [*(settings or []), *chosen])
    only = parse_filters(filters)
    from rag.errors import InputError
    from rag.retrieval.retriever import check_question

    if not question.strip():
        raise InputError("the question is empty", 'ask something: rag search "…"')
    question = check_question(question)
    from rag.cli.loading import loading
    from rag.knowledge_base import KnowledgeBase
    from rag.ops.serialize import passage_json

    with KnowledgeBase(index, resolved) as knowledge_base:
        knowledge_base.check()  # a missing index is reported before a model is loaded
        with loading(resolved.config):
            knowledge_base.retriever  # noqa: B018 - loads the embedder
        found = knowledge_base.retrieve(question, k=k, filter=only)
    for told in found.notes:
        note(f"note: {told.text}")
    if as_json:
        out_json(
            {
                "question": found.question,
                "relevance": found.relevance,
                "generation": found.generation,
                "passages": [passage_json(p) for p in found.passages],
                "config_digest": resolved.config.digest(),
            }
        )
    elif not found.passages:
        out("nothing found" + (f" among the documents with {only}" if only else ""))
    else:
        for number, passage in enumerate(found.passages, start=1):
            print_passage(number, passage)
