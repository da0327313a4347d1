"""``rag index reembed``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import out, out_json
from rag.text import counted

__all__ = ["reembed"]


def reembed(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Chunk and embed the stored texts again with the given configuration. The documents' files are not needed."""
    from indexes.store.store import Store
    from rag.cli.ingest_report import report_json, show_ingestion
    from rag.cli.progress import loading
    from rag.factory import index_settings, make_chunker, make_embedder, open_to_reembed
    from rag.ingestion.reembed import reembed as reembed_index

    resolved = resolve(config, settings)
    Store.open(index).close()  # reports a missing index before a model is loaded
    with loading(resolved.config):
        embedder = make_embedder(resolved.config)
    with closing(embedder):
        chunker = make_chunker(resolved.config, embedder)
        opened = open_to_reembed(index, resolved.config, embedder)
        with closing(opened.store), opened.writing("rag index reembed"), show_ingestion() as show:
            report = reembed_index(opened, embedder, chunker, index_settings(resolved.config, embedder), show)
    if as_json:
        out_json(report_json(report, str(index)))
    else:
        out(
            f"{counted(report.changed, 'document')}, {counted(report.chunks, 'chunk')}, {report.embedded:,} embedded"
            f" · {report.seconds:.1f} s · generation {report.generation} in {index}"
        )
