"""The options that commands share, and how they become a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.config import Resolved, load_config

__all__ = ["AsJson", "Collapse", "ConfigName", "Filter", "IndexFolder", "Settings", "parse_filter", "resolve"]

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
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        help="Only documents whose source matches, for example --filter 'source=docs/*'.",
        metavar="source=GLOB",
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


def parse_filter(text: str | None) -> str | None:
    """Return the glob of ``source=GLOB``. Raises :class:`~rag.errors.UsageError` for any other key."""
    from rag.errors import UsageError

    if text is None:
        return None
    key, equals, glob = text.partition("=")
    if key.strip() != "source" or not equals or not glob or any("\ud800" <= c <= "\udfff" for c in glob):
        raise UsageError(
            f"--filter {text!r} is not of the form source=GLOB", "for example: --filter 'source=docs/*.md'"
        )
    return glob
