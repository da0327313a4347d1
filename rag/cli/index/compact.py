"""``rag index compact``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import out, out_json
from rag.cli.progress import status

__all__ = ["compact"]


def compact(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Delete unused vectors, traces of removed chunks and earlier versions, and free their space.

    After that, `rag index rollback` cannot go back further than this.
    """
    from rag.factory import open_index
    from rag.ops.index_stats import bytes_below

    before = bytes_below(index)
    opened = open_index(index, resolve(config, settings).config, write=True)
    with closing(opened.store), opened.writing("rag index compact"), status("compacting"):
        generation = opened.compact()
    after = bytes_below(index)
    if as_json:
        out_json({"generation": generation, "bytes_before": before, "bytes_after": after, "index": str(index)})
    else:
        out(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now · generation {generation} in {index}")
