"""``rag why``: where an expected document was lost on its way to the answer, and which settings would show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, ConfigName, Filters, IndexFolder, Settings, open_knowledge_base, parse_filters
from rag.cli.output import out, out_json, place
from rag.cli.progress import status

if TYPE_CHECKING:
    from rag.config import Config
    from rag.ops.explain import Why

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
    """Show the rank of an expected document at every stage, and the smallest change that would show it.

    Every suggested change was tried. No answer is generated, so it takes seconds.
    """
    from rag.factory import make_packer
    from rag.ops.explain import why as explain
    from rag.retrieval.retriever import check_question

    with open_knowledge_base(index, config, settings) as knowledge_base:
        asked, only = check_question(question), parse_filters(filters)
        source, page = _expected(expect)
        knowledge_base.open_index()  # a missing index is reported before models are loaded
        tree = knowledge_base.config.config
        with status("loading the models"):
            result = explain(asked, source, page, tree, knowledge_base.retriever, make_packer, only)
    if as_json:
        out_json(_json(result))
    else:
        _print(result, tree)


def _expected(text: str) -> tuple[str, int | None]:
    source, colon, page = text.rpartition(":")
    if colon and page.isascii() and page.isdigit():
        return source, int(page)
    return text, None


def _print(result: Why, config: Config) -> None:
    standing, retrieval = result.standing, config.retrieval
    out(place(standing.passage))
    if result.lost_at == "filter":
        out("\nLost at: filter\nThe document does not match --filter.")
        return
    out(f"  dense       {_rank(standing.dense)}")
    out(f"  lexical     {_rank(standing.lexical)}")
    out(f"  candidate   {'yes' if standing.candidate else f'no: not among the first {retrieval.candidates} of either'}")
    out(f"  fused       {_rank(standing.fused)}, and retrieval.k is {retrieval.k}")
    out(f"  shown       {'yes' if standing.shown else f'no: {standing.dropped}' if standing.dropped else 'no'}")
    if result.lost_at is None:
        out("\nThe generator is shown it.")
        return
    out(f"\nLost at: {result.lost_at}")
    if not result.changes:
        out("No single change of k, weight, candidates or budget shows it.")
    for change in result.changes:
        out("  shown with " + " ".join(f"--set {key}={value}" for key, value in change.settings.items()))


def _rank(rank: int | None) -> str:
    return "not found" if rank is None else f"rank {rank}"


def _json(result: Why) -> dict[str, Any]:
    standing, passage = result.standing, result.standing.passage
    return {
        "question": result.question,
        "expected": {"chunk": passage.id, "source": passage.source, "page": passage.page,
            "headings": list(passage.headings), "text": passage.text},
        "dense_rank": standing.dense,
        "lexical_rank": standing.lexical,
        "candidate": standing.candidate,
        "fused_rank": standing.fused,
        "retrieved": standing.retrieved,
        "shown": standing.shown,
        "dropped": standing.dropped,
        "lost_at": result.lost_at,
        "changes": [change.settings for change in result.changes],
    }  # fmt: skip
