"""Options that commands share, and what they stand for: a configuration, a knowledge base, a filter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import UsageError

if TYPE_CHECKING:
    from rag.config import Resolved
    from rag.knowledge_base import KnowledgeBase
    from rag.retrieval.filters import Filter

__all__ = [
    "AsJson",
    "Collapse",
    "ConfigName",
    "Filters",
    "IndexFolder",
    "Settings",
    "open_knowledge_base",
    "parse_filters",
    "path",
    "resolve",
]


def path(text: str) -> Path:
    """Parse a path. Raises :class:`~rag.errors.UsageError` for an empty one, which would be the current folder."""
    if text == "":
        raise UsageError("a path is empty", "name a path; the current folder is .")
    return Path(text)


IndexFolder = Annotated[
    Path,
    typer.Option(
        "--index", envvar="RAG_INDEX", help="The index folder.", show_default=True, parser=path, metavar="<path>"
    ),
]
ConfigName = Annotated[
    str,
    typer.Option("--config", envvar="RAG_CONFIG", help="A preset (cpu, gpu, cluster, test) or a YAML file."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set one value, for example --set retrieval.k=8. Repeatable.", metavar="KEY=VALUE"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        help="Only some documents: source=NAME (a document, folder or pattern), type=pdf, since=2024-01-31, until=…, "
        "ingested-since=…, ingested-until=…. Repeatable: one of the sources and one of the types must match.",
        metavar="KEY=VALUE",
    ),
]
Collapse = Annotated[
    str | None,
    typer.Option(
        "--collapse",
        help="Merge passages with the same text: off, exact or near; short for --set retrieval.collapse_duplicates=….",
        metavar="HOW",
    ),
]


def resolve(config: str, settings: list[str] | None) -> Resolved:
    """Return the configuration. Raises :class:`~rag.errors.UsageError`."""
    from rag.config import load_config

    return load_config(config, settings or ())


def open_knowledge_base(
    index: Path, config: str, settings: list[str] | None, *, collapse: str | None = None
) -> KnowledgeBase:
    """Return the knowledge base in a folder. Raises :class:`~rag.errors.UsageError`. No file is opened yet."""
    from rag.knowledge_base import KnowledgeBase

    more = [] if collapse is None else [f"retrieval.collapse_duplicates={collapse}"]
    return KnowledgeBase(index, resolve(config, [*(settings or []), *more]))


def parse_filters(texts: list[str] | None) -> Filter | None:
    """Return the filter of --filter, or None without it. Raises :class:`~rag.errors.UsageError`."""
    from rag.retrieval.filters import Filter

    return Filter.parse(texts) if texts else None
