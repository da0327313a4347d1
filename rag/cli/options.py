"""The options that commands share, and how they become a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.config import Resolved, load_config

if TYPE_CHECKING:
    from rag.retrieval.filters import Filter

__all__ = ["AsJson", "Collapse", "ConfigName", "Filters", "IndexFolder", "Settings", "parse_filters", "resolve"]

IndexFolder = Annotated[Path, typer.Option("--index", envvar="RAG_INDEX", help="The index folder.", show_default=True)]
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
        help="Only some documents: source=GLOB, type=pdf, since=2024-01-31, until=…, ingested-since=…, "
        "ingested-until=…. Repeatable: of sources and of types one must match.",
        metavar="KEY=VALUE",
    ),
]


Collapse = Annotated[
    str | None,
    typer.Option(
        "--collapse",
        help="Fold passages that say the same into one: off, exact or near; short for --set "
        "retrieval.collapse_duplicates=….",
        metavar="HOW",
    ),
]


def resolve(config: str, settings: list[str] | None) -> Resolved:
    """Resolve the configuration options. Raises :class:`~rag.errors.UsageError`."""
    return load_config(config, settings or ())


def parse_filters(texts: list[str] | None) -> Filter | None:
    """Return what --filter says, None where it was not given. Raises :class:`~rag.errors.UsageError`."""
    from rag.retrieval.filters import Filter

    return Filter.parse(texts) if texts else None
