"""``rag documents``: which documents the index holds, what it knows of one, and taking some out."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note, out, out_json, page_of, status
from rag.errors import InputError, UsageError
from rag.text import counted

if TYPE_CHECKING:
    from indexes import DocumentRow

__all__ = ["app"]

_MOST_SHOWN = 10

app = typer.Typer(no_args_is_help=True, help="List the documents of an index, look into one, take some out.")


@app.command("list")
def list_documents(
    index: IndexFolder = Path(".rag"),
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose file could not be read.")] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Only those with the same or nearly the same text, in groups.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List every document with its state, pages, chunks and size.

    Duplicates are told by the words of their texts: how alike they are is the share of runs of five words that both
    have, of all that either has (Jaccard), from 0.8 on.
    """
    from indexes.store.store import Store

    if duplicates:
        if failed:
            raise UsageError("--failed and --duplicates do not go together", "give one of them")
        _list_duplicates(index, as_json)
        return
    with closing(Store.open(index)) as store:
        rows = [row for row in store.documents() if not failed or row.state != "ready"]
    if as_json:
        out_json([_json(row) for row in rows])
        return
    for row in rows:
        why = f" · {row.message}; {row.remedy}" if row.message else ""
        pages = "" if row.pages is None else f"{counted(row.pages, 'page')}, "
        out(f"{row.state:<6} {row.source} · {pages}{counted(row.chunks, 'chunk')}, {counted(row.size, 'byte')}{why}")
    if not rows:
        note("no document has failed" if failed else "the index holds no document")


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
            out(f"  {'the same' if similarity == 1.0 else f'{similarity:.3f} alike'}  {name}")
    if not groups:
        note("no document says what another one says")


@app.command()
def show(
    source: Annotated[str, typer.Argument(help="A document's name, as `rag documents list` shows it, or its end.")],
    index: IndexFolder = Path(".rag"),
    chunks: Annotated[bool, typer.Option("--chunks", help="Also where each chunk begins and ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the index knows of one document."""
    from indexes.store.store import Store

    with closing(Store.open(index)) as store, store.reading():
        row = store.document(source) or store.document(_named(source, list(store.content_hashes())))
        rows = store.chunks_of(row.source) if chunks and row else []
    if row is None:
        raise InputError(f"the index holds no document {source}", "`rag documents list` shows their names")
    if as_json:
        value = _json(row)
        if chunks:
            value["borders"] = [
                {"id": c.id, "start": c.start, "end": c.end, "page": c.page, "headings": list(c.headings)} for c in rows
            ]
        out_json(value)
        return
    out(f"source      {row.source}")
    out(f"title       {row.title}")
    out(f"state       {row.state}")
    out(f"type        {row.media_type}, {counted(row.size, 'byte')}")
    if row.pages is not None:
        out(f"pages       {row.pages}")
    out(f"chunks      {row.chunks}")
    out(f"sha-256     {row.content_sha256.hex() if row.content_sha256 else 'never read'}")
    out(f"committed   {row.committed_at or 'unknown'} as generation {row.generation}")
    if row.message:
        out(f"problem     {row.message}; {row.remedy}")
    for chunk in rows:
        page = "" if chunk.page is None else f" {page_of(row.source, chunk.page)}"
        begins = " ".join(chunk.text[:60].split())
        out(f"  {chunk.start}-{chunk.end}{page} {' > '.join(chunk.headings)} “{begins}…”")


def _named(told: str, sources: list[str]) -> str:
    """Return the one source that ends like this. Raises :class:`~rag.errors.InputError` where several do."""
    ending = told.removeprefix("./")
    at_a_slash = [source for source in sources if source.endswith(f"/{ending}")]
    found = at_a_slash or [source for source in sources if source.endswith(ending)]
    if len(found) > 1:
        names = ", ".join(sorted(found)[:_MOST_SHOWN])
        more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise InputError(f"{len(found)} documents end in {told}: {names}{more}", "give more of the name")
    return found[0] if found else told


@app.command()
def rm(
    sources: Annotated[list[str], typer.Argument(help="Documents' names, or patterns such as 'drafts/*'.")],
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Take documents out of the index. Their files stay where they are.

    They are gone from every search at once, also in processes that run. `rag index rollback` brings them back.
    """
    from rag.ops.index_folders import remove_documents

    removed, generation = remove_documents(
        index, resolve(config, settings).config, partial(_matching, sources), "rag documents rm"
    )
    if as_json:
        out_json({"removed": removed, "generation": generation, "index": str(index)})
        return
    for name in removed:
        out(f"removed {name}")
    note("a file that is still in its folder is read again by the next `rag ingest`; a .ragignore keeps it out")


def _matching(patterns: list[str], known: list[str]) -> list[str]:
    """Return the documents that are named, each once. Raises :class:`~rag.errors.InputError` for a name of none."""
    matching: dict[str, None] = {}
    for pattern in patterns:
        found = [pattern] if pattern in known else [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            raise InputError(
                f"the index holds no document {pattern}", "`rag documents list` shows their names; nothing was removed"
            )
        matching |= dict.fromkeys(found)
    return list(matching)


def _json(row: DocumentRow) -> dict[str, Any]:
    value = asdict(row)
    value["content_sha256"] = row.content_sha256.hex() if row.content_sha256 else None
    return value
