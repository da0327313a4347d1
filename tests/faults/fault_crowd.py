"""What several processes and threads do to one index at once: tasks of :mod:`fault_server`.

Each commit puts the documents ``left`` and ``right`` of one version together, so that a reader can tell an answer made
of two generations.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fault_script import open_or_make, put_vectors
from index_samples import document, vector_of

from indexes import Index, IndexReader

FILLER = 40


def write_versions(folder: Path, first: int = 0, versions: int = 20, **_: Any) -> None:
    index = open_or_make(folder)
    with index.writing("crowd"):
        for version in range(first, first + versions):
            documents = [document(side, f"{side} is of version v{version} now") for side in ("left", "right")]
            documents += [document(f"filler{n % FILLER}", f"filler {n} v{version}") for n in range(version % 3)]
            put_vectors(index.store, documents)
            index.store.commit(documents)
            if version % 2:
                index.sync()
        index.sync()
    index.store.close()


def answer_is_consistent(reader: IndexReader) -> bool:
    """Search both indexes; every document found must be of one version, and both indexes of one generation."""
    snapshot = reader.snapshot()
    lexical = snapshot.lexical.search(["left right version"], 10)[0].ids
    dense = snapshot.dense.search(vector_of("left is of version v0 now")[None, :], 10)[0].ids
    if snapshot.dense.ids().tolist() != snapshot.lexical.ids().tolist():
        return False
    rows = reader.store.chunks([*lexical.tolist(), *dense.tolist()])
    seen = {row.text.split()[-2] for row in rows.values() if row.source in ("left", "right")}
    return len(seen) <= 1


def read_on(folder: Path, seconds: float = 3.0, **_: Any) -> None:
    reader = Index.open(folder).reader()
    until, answers = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        if not answer_is_consistent(reader):
            raise AssertionError("an answer of two generations")
        answers += 1
    reader.close()
    with Path(f"{folder}.answers").open("a", encoding="utf-8") as told:
        told.write(f"{answers}\n")


def search_while_writing(folder: Path, threads: int = 32, versions: int = 20, **_: Any) -> None:
    write_versions(folder, versions=1)
    reader = Index.open(folder).reader()
    stop, wrong = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            try:
                if not answer_is_consistent(reader):
                    wrong.append("an answer of two generations")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test is to see it
                wrong.append(repr(error))
        reader.store.close()

    crowd = [threading.Thread(target=search) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    write_versions(folder, first=1, versions=versions)
    stop.set()
    for thread in crowd:
        thread.join()
    if wrong:
        raise AssertionError(wrong[:3])


CROWD: dict[str, Callable[..., None]] = {
    "write": write_versions,
    "read": read_on,
    "search": search_while_writing,
}
