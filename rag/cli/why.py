"""``rag why``: where an expected document was lost on its way to the answer, and what would bring it in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, ConfigName, Filters, IndexFolder, Settings, parse_filters, resolve
from rag.cli.output import out, out_json, place, status

if TYPE_CHECKING:
    from rag.config import Config, Resolved
    from rag.ops.explain import Why
    from rag.retrieval.filters import Filter

__all__ = ["why"]


def why(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    expect: Annotated[
        str, typer.Option("--expect", help="The document that should answer it.", metavar="SOURCE[:PAGE]")
    ],
    filters: Filters = None,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show the rank of an expected document at every stage, and the smallest change that would show it to the reader.

    Every change that is named was tried. No answer is generated, so it takes seconds.
    """
    from rag.retrieval.retriever import check_question

    resolved = resolve(config, settings)
    asked = check_question(question)
    only = parse_filters(filters)
    source, page = _expected(expect)
    with status("loading the models"):
        found = _explain(asked, source, page, index, resolved, only)
    if as_json:
        out_json(_json(found))
    else:
        _print(found, resolved.config)


def _explain(question: str, source: str, page: int | None, index: Path, resolved: Resolved, only: Filter | None) -> Why:
    from rag.factory import make_packer
    from rag.knowledge_base import KnowledgeBase
    from rag.ops.explain import why as explain

    with KnowledgeBase(index, resolved) as knowledge_base:
        knowledge_base.check()  # a missing index is reported before models are loaded
        return explain(question, source, page, resolved.config, knowledge_base.retriever, make_packer, only)


def _expected(text: str) -> tuple[str, int | None]:
    source, colon, page = text.rpartition(":")
    if colon and page.isascii() and page.isdigit():
        return source, int(page)
    return text, None


def _print(found: Why, config: Config) -> None:
    at = found.standing
    part = config.retrieval
    out(place(at.passage))
    if found.lost_at == "filter":
        out("\nLost at: filter\nThe document does not pass --filter.")
        return
    out(f"  dense       {_rank(at.dense)}")
    out(f"  lexical     {_rank(at.lexical)}")
    out(f"  candidate   {'yes' if at.candidate else f'no: beyond the first {part.candidates} of both'}")
    out(f"  fused       {_rank(at.fused)}, and retrieval.k is {part.k}")
    out(f"  shown       {'yes' if at.shown else f'no: {at.dropped}' if at.dropped else 'no'}")
    if found.lost_at is None:
        out("\nThe reader is shown it.")
        return
    out(f"\nLost at: {found.lost_at}")
    if not found.changes:
        out("No single change of k, weight, candidates or budget shows it.")
    for change in found.changes:
        out("  it is shown with " + " ".join(f"--set {key}={value}" for key, value in change.settings.items()))


def _rank(rank: int | None) -> str:
    return "not found" if rank is None else f"rank {rank}"


def _json(found: Why) -> dict[str, Any]:
    at = found.standing
    return {
        "question": found.question,
        "expected": {"chunk": at.passage.id, "source": at.passage.source, "page": at.passage.page,
            "headings": list(at.passage.headings), "text": at.passage.text},
        "dense_rank": at.dense,
        "lexical_rank": at.lexical,
        "candidate": at.candidate,
        "fused_rank": at.fused,
        "retrieved": at.retrieved,
        "shown": at.shown,
        "dropped": at.dropped,
        "lost_at": found.lost_at,
        "changes": [change.settings for change in found.changes],
    }  # fmt: skip
