"""``rag index snapshot``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, IndexFolder
from rag.cli.output import out, out_json
from rag.cli.progress import status
from rag.errors import InputError

__all__ = ["snapshot"]


def snapshot(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    index: IndexFolder = Path(".rag"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the index into one file with a checksum. Safe while another process writes."""
    from indexes.backup import write_snapshot
    from indexes.store.store import Store

    if file.is_dir() or not file.absolute().parent.is_dir():
        raise InputError(f"{file} cannot be written: it is a folder, or its folder does not exist", "name a new file")
    if file.exists() and not force:
        raise InputError(f"{file} already exists", "name another file, or replace it with --force")
    with closing(Store.open(index)) as store, status("copying"):
        written = write_snapshot(store, file, replace=force)
    if as_json:
        out_json({"file": str(file), "generation": written.generation, "bytes": written.size, "sha256": written.sha256})
    else:
        out(f"{file}: generation {written.generation}, {written.size / 1e6:.1f} MB, SHA-256 {written.sha256}")
