"""Any sequence of additions, replacements, moves, removals, failures, compactions, snapshots and reopenings, against a
dictionary."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from fault_script import State, contents, open_or_make, put_vectors, temporary_folder
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from index_samples import document, nearest

from indexes import FailedDocument
from indexes.backup import restore_snapshot, write_snapshot

SOURCES = st.sampled_from(["a", "b", "c", "d/e"])


class Machine(RuleBasedStateMachine):
    """An index beside a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = temporary_folder()
        self.place = self.stack.__enter__()
        self.index = open_or_make(self.place / "index")
        self.model: State = {}
        self.past: list[State] = [{}]
        self.kept: State | None = None
        self.number = 0

    def teardown(self) -> None:
        self.index.store.close()
        self.stack.__exit__(None, None, None)

    def commit(self, *, sync: bool, **changes: object) -> None:
        with self.index.writing("test"):
            self.index.store.commit(**changes)  # type: ignore[arg-type]
            if sync:
                self.index.sync()
        self.past.append(dict(self.model))

    @rule(sources=st.sets(SOURCES, min_size=1), chunks=st.integers(1, 4), sync=st.booleans())
    def put(self, sources: set[str], chunks: int, sync: bool) -> None:
        self.number += 1
        texts = {s: tuple(f"{s} number {self.number} part{n}" for n in range(chunks)) for s in sources}
        documents = [document(source, *texts[source]) for source in sorted(sources)]
        put_vectors(self.index.store, documents)
        self.model |= texts
        self.commit(sync=sync, documents=documents)

    @rule(source=SOURCES, sync=st.booleans())
    def remove(self, source: str, sync: bool) -> None:
        self.model.pop(source, None)
        self.commit(sync=sync, removals=[source])

    @rule(old=SOURCES, new=SOURCES, sync=st.booleans())
    def move(self, old: str, new: str, sync: bool) -> None:
        if old != new and old in self.model and not self.model.get(new):
            self.model.pop(new, None)
            self.model[new] = self.model.pop(old)
            self.commit(sync=sync, moves=[(old, new)])

    @rule(source=SOURCES)
    def fail(self, source: str) -> None:
        self.model.setdefault(source, ())
        self.commit(sync=False, failures=[FailedDocument(source, "broken", "it is broken", "mend it")])

    @rule()
    def compact(self) -> None:
        with self.index.writing("test"):
            self.index.compact()
        self.past.append(dict(self.model))

    @rule(choice=st.randoms(use_true_random=False))
    def roll_back(self, choice: object) -> None:
        goals = self.index.store.runs()
        if goals:
            goal = choice.choice(goals)  # type: ignore[attr-defined]
            with self.index.writing("test"):
                self.index.store.roll_back(goal)
            self.model = dict(self.past[goal])
            self.past.append(dict(self.model))

    @rule()
    def snapshot(self) -> None:
        write_snapshot(self.index.store, self.place / "snapshot", replace=True)
        self.kept, self.kept_past = dict(self.model), list(self.past)

    @precondition(lambda self: self.kept is not None)
    @rule()
    def restore(self) -> None:
        assert self.kept is not None
        restore_snapshot(self.place / "snapshot", self.place / "index", replace=True)
        self.model, self.past = dict(self.kept), list(self.kept_past)

    @rule()
    def reopen(self) -> None:
        self.index.store.close()
        self.index = open_or_make(self.place / "index")

    @rule()
    def move_the_folder(self) -> None:
        self.index.store.close()
        target = Path(tempfile.mkdtemp(dir=self.place))
        shutil.move(self.place / "index", target)
        shutil.move(target / "index", self.place / "index")
        self.index = open_or_make(self.place / "index")

    @invariant()
    def the_index_is_the_dictionary(self) -> None:
        assert contents(self.index.store) == self.model
        assert self.index.store.generation == len(self.past) - 1
        reader = self.index.reader()
        snapshot = reader.snapshot()
        for chunk_id, row in reader.store.chunks(self.index.store.chunk_ids()).items():
            assert nearest(snapshot.dense, row.text).ids.tolist() == [chunk_id]
        assert len(snapshot.dense) == len(snapshot.lexical) == sum(map(len, self.model.values()))
        for scratch in reader._scratch:
            scratch.cleanup()
        assert self.index.verify(deep=True) == []


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],  # shrinking a failure takes minutes: add Phase.shrink to look into one
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_of_changes() -> None:
    run(examples=8, steps=12)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_many_sequences_of_changes() -> None:
    run(examples=100, steps=30)
