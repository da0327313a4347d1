"""``rag documents rm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json

__all__ = ["rm"]


def rm(
    sources: Annotated[
        list[str], typer.Argument(help="Names of documents or folders, or patterns such as '*.tmp.md'.")
    ],
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Remove documents from the index. Their files stay where they are.

    Searches, also those of running processes, no longer find them. `rag index rollback` brings them back.
    """
    from rag.ops.index_folders import matching_documents, remove_documents

    removed, generation = remove_documents(
        index,
        resolve(config, settings).config,
        lambda known: matching_documents(sources, known, index),
        "rag documents rm",
    )
    if as_json:
        out_json({"removed": removed, "generation": generation, "index": str(index)})
        return
    for name in removed:
        out(f"removed {name}")
    note("The next `rag ingest` reads a file again that is still in its folder. To exclude it, use a .ragignore.")
