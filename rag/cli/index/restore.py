"""``rag index restore``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import documents_json, out, out_json
from rag.cli.progress import status
from rag.errors import InputError
from rag.text import documents_by_state

__all__ = ["restore"]


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `rag index snapshot` wrote.")],
    index: IndexFolder = Path(".rag"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing index.")] = False,
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Restore an index from a snapshot, completely or not at all."""
    from indexes.backup import check_snapshot, restore_snapshot
    from rag.factory import open_index
    from rag.ops.index_folders import holds_index

    resolved = resolve(config, settings)
    check_snapshot(file)
    if holds_index(index) and not force:
        raise InputError(f"{index} already contains an index", "name another folder with --index, or use --force")
    with status("restoring"):
        restored = restore_snapshot(file, index, replace=force)
        opened = open_index(index, resolved.config, write=True)
        with closing(opened.store), opened.writing("rag index restore"):
            opened.sync()
            counts = opened.store.counts()
    if as_json:
        out_json(
            {
                "index": str(index),
                "generation": restored.generation,
                **documents_json(counts),
                "made_at": restored.made_at,
            }
        )
    else:
        out(f"{documents_by_state(counts)} · generation {restored.generation}, copied {restored.made_at}, in {index}")
