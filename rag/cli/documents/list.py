"""``rag documents list``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, IndexFolder
from rag.cli.output import document_json, note, out, out_json
from rag.cli.progress import status
from rag.cli.reading_notes import note_lines
from rag.errors import UsageError
from rag.text import counted

__all__ = ["list_documents"]


def list_documents(
    index: IndexFolder = Path(".rag"),
    failed: Annotated[bool, typer.Option("--failed", help="Only documents whose file could not be read.")] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="Only documents that were not read in full, each with its notes.")
    ] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Only documents with the same or nearly the same text, in groups.")
    ] = False,
    versions: Annotated[
        bool, typer.Option("--versions", help="Only documents of which there are several versions, newest first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List every document with its state, pages, chunks and size, and how many notes say what was not read of it.

    The similarity of duplicates is the share of five-word sequences that both texts have (Jaccard), from 0.8.
    """
    from indexes.store.store import Store

    options = {"failed": failed, "notes": notes, "duplicates": duplicates, "versions": versions}
    chosen = [f"--{name}" for name, on in options.items() if on]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} cannot be combined", "use one of them")
    if duplicates:
        _list_duplicates(index, as_json)
        return
    if versions:
        _list_versions(index, as_json)
        return
    with closing(Store.open(index)) as store:
        rows = [row for row in store.documents() if (not failed or row.state != "ready") and (not notes or row.notes)]
    if as_json:
        out_json([document_json(row) for row in rows])
        return
    for row in rows:
        problem = f" · {row.message}; {row.remedy}" if row.message else ""
        pages = "" if row.pages is None else f"{counted(row.pages, 'page')}, "
        # The size of a file that was never read is unknown.
        size = "" if row.state == "failed" else f" · {pages}{counted(row.chunks, 'chunk')}, {counted(row.size, 'byte')}"
        count = f" · {counted(len(row.notes), 'note')}" if row.notes else ""
        out(f"{row.state:<6} {row.source}{size}{count}{problem}")
        for line in note_lines(row.notes) if notes else ():
            out(f"         {line}")
    if not rows:
        note("No document has failed." if failed else "No document has notes." if notes else "The index is empty.")


def _list_versions(index: Path, as_json: bool) -> None:
    from indexes.store.store import Store
    from rag.ingestion.versions import find_families

    with closing(Store.open(index)) as store, status("comparing"):
        families = find_families(store)
    if as_json:
        out_json([{"versions": [{"source": m.source, "why": m.why} for m in family.members]} for family in families])
        return
    for family in families:
        newest, *older = family.members
        out(f"{newest.source}  (newest: {newest.why})")
        for member in older:
            out(f"  older  {member.source}  ({member.why})")
    if not families:
        note("No document has several versions.")


def _list_duplicates(index: Path, as_json: bool) -> None:
    from indexes.derived.signatures import duplicate_groups
    from indexes.store.store import Store

    with closing(Store.open(index)) as store, status("comparing"):
        groups = duplicate_groups(store)
    if as_json:
        out_json(
            [
                {"exact": g.exact, "documents": [{"source": name, "similarity": round(s, 4)} for name, s in g.members]}
                for g in groups
            ]
        )
        return
    for group in groups:
        (first, _), *others = group.members
        out(first)
        for name, similarity in others:
            out(f"  {'the same' if similarity == 1.0 else f'{similarity:.3f} similar'}  {name}")
    if not groups:
        note("No duplicates.")
