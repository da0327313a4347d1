"""The protocol with one of its guards taken out. The harness is worth something only if it notices each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from fault_script import acknowledge, open_or_make, put_vectors
from index_samples import document

from indexes.derived import publish as derived
from indexes.fail_points import fail_point
from indexes.store import database
from indexes.store import store as store_module
from indexes.store.store import Store
from indexes.system import sha256_json

__all__ = ["MUTANTS", "check", "put_one"]


class _Anything(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def no_transaction() -> None:
    """Every statement is its own transaction."""

    @contextmanager
    def transaction(self: Store) -> Iterator[Any]:
        yield self._db

    Store.transaction = transaction  # type: ignore[method-assign]


def acknowledged_too_early() -> None:
    """A step counts as done before it is committed."""
    committed = Store.commit

    def commit(self: Store, *arguments: Any, **options: Any) -> int:
        acknowledge(self.folder, self.generation + 1)
        return committed(self, *arguments, **options)

    Store.commit = commit  # type: ignore[method-assign]


def no_tombstones() -> None:
    """Removed chunks leave no trace for derived indexes to replay."""

    def remove(db: Any, document_id: int, generation: int) -> None:
        del generation
        for table in ("chunks", "sections", "texts"):
            db.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))

    store_module._remove_content = remove


def manifest_first() -> None:
    """A derived index is named before it is filled."""

    def publish(root: Path, store_id: str, head: Any, options: Any, fill: Callable[[Path], None]) -> Any:
        folder = root / f"{head[0]:012d}-00000000"
        folder.mkdir(parents=True)
        manifest = {"version": 1, "store_id": store_id, "generation": head[0], "commit": head[1],
                    "options": dict(options), "files": {}}  # fmt: skip
        manifest["self"] = sha256_json(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        fail_point("publish.made")
        fill(folder)
        fail_point("publish.filled")
        return derived.Published(folder, head[0])

    derived.publish = publish


def derived_first() -> None:
    """Derived indexes are published before the commit they reflect, and one of a commit that never was is believed."""
    Store.nonce = lambda self, generation: _Anything()  # type: ignore[method-assign, assignment]


def no_hash() -> None:
    """Derived indexes are believed whatever their bytes are."""
    derived.verify = lambda folder: None


def no_sync() -> None:
    """Nobody waits for the disk."""
    connect = database.connect

    def careless(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    database.connect = careless
    derived.fsync = lambda path: None


def put_one(folder: Path, text: str, mutant: str = "", **_: Any) -> None:
    """Put one document; under the mutant, with the derived indexes published inside the transaction."""
    if mutant:
        MUTANTS[mutant]()
    index = open_or_make(folder)
    store, transaction = index.store, index.store.transaction
    documents = [document("d1", text)]
    with index.writing("mutant"):
        put_vectors(store, documents)
        if not mutant:
            store.commit(documents)
            index.sync()
            return
        with transaction() as db:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "transaction", lambda: nullcontext(db))
                store.commit(documents)
            index.sync()


def check(folder: Path, mutant: str = "", **_: Any) -> None:
    """Fail where a reader that lacks the guard sees something wrong."""
    if mutant:
        MUTANTS[mutant]()
    if open_or_make(folder).verify(deep=True):
        raise OSError("noticed")


MUTANTS: dict[str, Callable[[], None]] = {
    "no transaction": no_transaction,
    "acknowledged too early": acknowledged_too_early,
    "no tombstones": no_tombstones,
    "manifest first": manifest_first,
    "derived first": derived_first,
    "no hash": no_hash,
    "no sync": no_sync,
}
