"""A scripted history of an index, and what it holds after each step: the measure of every fault test.

Step ``n`` makes generation ``n``, so that an index says itself how far it came. A step is acknowledged, by a line in a
file, once its commit returned; whatever happens, the index must then be as it was after the last acknowledged step, or
after the one that was under way, wholly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "indexes"))

from index_samples import DIMENSION, EMBEDDER, SETTINGS, document, key_of, nearest, temporary_folder, vector_of

from indexes import FailedDocument, Index, NewDocument
from indexes.store.store import Store

__all__ = [
    "LOCKED",
    "STEPS",
    "State",
    "acknowledge",
    "acknowledged",
    "contents",
    "faults_of",
    "open_or_make",
    "put_vectors",
    "run_script",
    "states",
    "temporary_folder",
    "texts_of",
]

State = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Step:
    """What one generation changes; ``compact`` alone is a step of its own."""

    put: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()
    compact: bool = False
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)


LOCKED = 75  # the exit status of a writer that was refused

STEPS = (
    Step(put=("d0", "d1", "d2", "d3", "d4", "d5")),
    Step(put=("d1", "d2", "d6")),
    Step(removed=("d0",)),
    Step(moved=(("d3", "m3"), ("d6", "m6"))),
    Step(put=("d4",), removed=("d5",), failed=("f1", "d1")),
    Step(compact=True),
    Step(put=("d7", "d8", "d1")),
    Step(put=("d1", "d2", "m3", "d4", "m6"), removed=("f1",), moved=(("d7", "m7"),)),
)


def texts_of(source: str, step: int) -> tuple[str, ...]:
    """The chunks of a document that was put in a step: unlike those of any other."""
    return tuple(f"{source} of step {step} says part{n} number {hash_of(source, step, n)}" for n in range(3))


def hash_of(*values: object) -> int:
    return int.from_bytes(key_of(repr(values))[:4], "big")


def states() -> list[State]:
    """What the index holds after each step, the empty one first; a document that only failed holds no text."""
    state: State = {}
    all_of_them = [state]
    for number, step in enumerate(STEPS, start=1):
        state = dict(state)
        for old, new in step.moved:
            state[new] = state.pop(old)
        for source in step.removed:
            del state[source]
        for source in step.put:
            state[source] = texts_of(source, number)
        for source in step.failed:
            state.setdefault(source, ())
        all_of_them.append(state)
    return all_of_them


def open_or_make(folder: Path) -> Index:
    if Store.exists(folder):
        return Index.open(folder, write=True)
    return Index.create(folder, SETTINGS, embedder=EMBEDDER, dimension=DIMENSION)


def acknowledge(folder: Path, step: int) -> None:
    with Path(f"{folder}.acknowledged").open("a", encoding="utf-8") as handle:
        handle.write(f"{step}\n")


def acknowledged(folder: Path) -> int:
    path = Path(f"{folder}.acknowledged")
    steps = path.read_text(encoding="utf-8").split() if path.exists() else []
    return int(steps[-1]) if steps else 0  # a kill can come when the file is open and nothing is written yet


def run_script(folder: Path, *, until: int = len(STEPS), told: Callable[[Path, int], None] = acknowledge) -> None:
    """Do the steps that are not done yet."""
    index = open_or_make(folder)
    store = index.store
    for number in range(store.generation + 1, until + 1):
        step = STEPS[number - 1]
        with index.writing(f"step {number}"):
            if step.compact:
                index.compact()
                told(folder, number)
                continue
            documents = [document(source, *texts_of(source, number)) for source in step.put]
            put_vectors(store, documents)
            failures = [FailedDocument(source, "broken", "it is broken", "mend it", b"x") for source in step.failed]
            store.commit(documents, failures=failures, removals=step.removed, moves=step.moved, seconds=0.1)
            told(folder, number)
            store.put_stamps({d.source: ("a stamp", d.content_sha256) for d in documents})
            index.sync()
    index.sync()  # what a run that was killed after its last commit left undone
    store.close()


def put_vectors(store: Store, documents: list[NewDocument]) -> None:
    texts = {chunk.vector_key: chunk.text for new in documents for chunk in new.chunks}
    store.put_vectors(EMBEDDER, {key: vector_of(text) for key, text in texts.items()})


def contents(store: Store) -> State:
    """What the index holds, by source."""
    with store.reading():
        found: State = {row.source: () for row in store.documents()}
        for source in found:
            found[source] = tuple(chunk.text for chunk in store.chunks_of(source))
    return found


def faults_of(folder: Path, at_least: int, at_most: int, expected: list[State]) -> list[str]:
    """Everything that is wrong with an index that should be in one of the expected states; nothing if all is well."""
    if not Store.exists(folder):
        return ["there is no index"] if at_least else []
    index = Index.open(folder)
    faults = [f"verify: {problem.part}: {problem.message}" for problem in index.verify(deep=True)]
    generation = index.store.generation
    if not at_least <= generation <= at_most:
        return [*faults, f"generation {generation}, not from {at_least} to {at_most}"]
    found = contents(index.store)
    if found != expected[generation]:
        faults.append(f"generation {generation} holds {found}")
    reader = index.reader()
    snapshot = reader.snapshot()
    for chunk_id, row in reader.store.chunks(index.store.chunk_ids()).items():
        if nearest(snapshot.dense, row.text).ids.tolist() != [chunk_id]:
            faults.append(f"dense search does not find {row.text}")
        if snapshot.lexical.search([row.text], 1)[0].ids.tolist() != [chunk_id]:
            faults.append(f"lexical search does not find {row.text}")
    if len(snapshot.dense) != len(snapshot.lexical) or len(snapshot.dense) != sum(map(len, found.values())):
        faults.append(f"{len(snapshot.dense)} and {len(snapshot.lexical)} chunks can be found")
    reader.close()
    return faults
