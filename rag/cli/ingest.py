"""``rag ingest``: read files into the index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, path, resolve
from rag.cli.output import out_json
from rag.errors import EXIT_SOME_FAILED, UsageError
from rag.ingestion.web.urls import is_url

__all__ = ["ingest"]


def ingest(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files and folders to read, and addresses of single web pages.", show_default=False),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove documents whose files are gone or ignored.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --prune: even if a folder is empty or missing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read every file, even if its times did not change.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Read files again that failed before; without paths, all of them."),
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read files outside of the folders, too, where links lead to them.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read all files again, also unchanged ones, as after an update.")
    ] = False,
    embedded: Annotated[
        bool,
        typer.Option(
            "--embedded",
            help="Also read files inside PDFs and Office files; short for --set parsing.embedded_files=true.",
        ),
    ] = False,
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Read documents into the index: texts, office files, tables, data, mail and source code.

    In folders, files with the extensions of docs/formats.md are read (.pdf .docx .xlsx .html .md .csv .json .eml .py
    and some seventy more). Hidden files, lock files (~$name), links to folders and files matched by a .ragignore are
    skipped. A file that you name is read whatever its extension: formats are detected from content.

    An address (https://…) is fetched: that page alone, if its site's robots.txt allows it and its address is public.

    Unchanged files are skipped, changed ones replaced, moved ones renamed; --prune removes those that are gone. A
    file that cannot be read is reported, and the others are read (exit code 7, until it is fixed or gone).
    """
    urls = [text for text in paths or () if is_url(text)]
    files = [path(text) for text in paths or () if not is_url(text)]
    if not paths and not retry_failed:
        raise UsageError("no path is given", "for example: rag ingest docs")
    if force and not prune:
        raise UsageError("--force has no effect without --prune", "use both, or neither")
    more = ["parsing.embedded_files=true"] if embedded else []
    resolved = resolve(config, [*(settings or []), *more])
    from rag.cli.ingest_report import (
        plan_json,
        print_plan,
        print_problems,
        print_report,
        report_json,
        shown_on_stderr,
    )
    from rag.factory import ocr_is_usable
    from rag.ingestion.run import IngestOptions, plan_ingest
    from rag.knowledge_base import KnowledgeBase

    options = IngestOptions(
        prune=prune,
        force=force,
        rehash=rehash,
        retry_failed=retry_failed,
        reread=reread,
        follow_links=follow_links,
        embedded=resolved.config.parsing.embedded_files,
    )
    if dry_run:
        plan = plan_ingest(index, files, options, urls=urls, ocr_is_ready=ocr_is_usable(resolved.config))
        if as_json:
            out_json(plan_json(plan, str(index)))
        else:
            print_plan(plan)
        return
    with KnowledgeBase(index, resolved) as knowledge_base, shown_on_stderr(resolved.config) as observer:
        report = knowledge_base.ingest([*files, *urls], options=options, observer=observer, purpose="rag ingest")
    print_problems(report)
    if as_json:
        out_json(report_json(report, str(index)))
    else:
        print_report(report, str(index))
    if report.failed:
        raise typer.Exit(EXIT_SOME_FAILED)
