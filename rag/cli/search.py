"""``rag search``: passages without an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import (
    AsJson,
    Collapse,
    ConfigName,
    Filters,
    IndexFolder,
    Settings,
    open_knowledge_base,
    parse_filters,
)
from rag.cli.output import note, out, out_json, print_passage
from rag.cli.progress import loading

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
    """Find the passages nearest to a question, with their scores and ranks."""
    from rag.ops.serialize import passage_json
    from rag.retrieval.retriever import check_question

    with open_knowledge_base(index, config, settings, collapse=collapse) as knowledge_base:
        only = parse_filters(filters)
        question = check_question(question)
        knowledge_base.open_index()  # a missing index is reported before a model is loaded
        with loading(knowledge_base.config.config):
            knowledge_base.retriever  # noqa: B018 - loads the embedder
        found = knowledge_base.retrieve(question, k=k, filter=only)
        digest = knowledge_base.config.config.digest()
    for remark in found.notes:
        note(f"note: {remark.text}")
    if as_json:
        out_json(
            {
                "question": found.question,
                "relevance": found.relevance,
                "generation": found.generation,
                "passages": [passage_json(p) for p in found.passages],
                "config_digest": digest,
            }
        )
    elif not found.passages:
        out("Nothing found" + (f" among the documents with {only}." if only else "."))
    else:
        for number, passage in enumerate(found.passages, start=1):
            print_passage(number, passage)
