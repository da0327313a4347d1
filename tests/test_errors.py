"""The error trees: every error survives the way back from a worker process."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import indexes.errors
import rag.errors
from indexes.errors import StoreError
from rag.errors import RagError

FOLDER = Path("folder")
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "DocumentError": ("damaged", "the file is damaged", "save it again"),
    "StorageError": (rag.errors.Failure("no index", "run `rag ingest`", 4, "IndexMissingError"),),
    "IndexMissingError": (FOLDER,),
    "IndexLockedError": (FOLDER, "rag ingest"),
    "IndexWriteError": (FOLDER, "the disk is full"),
    "FormatTooNewError": (FOLDER, 9, 4),
    "FormatTooOldError": (FOLDER, 1, 4),
    "HistoryForgottenError": (FOLDER, 1, 2, 3),
    "SettingsMismatchError": (FOLDER, {"model": ("a", "b")}),
}
CLASSES = [
    cls
    for module in (rag.errors, indexes.errors)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, RagError | StoreError) and cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_an_error_survives_pickling(cls: type[RagError | StoreError], protocol: int) -> None:
    default = ("what happened", "what to do") if issubclass(cls, RagError) else ("what happened",)
    error = cls(*ARGUMENTS.get(cls.__name__, default))  # type: ignore[arg-type]
    error.add_note("in docs/a.md")
    copy = pickle.loads(pickle.dumps(error, protocol))
    assert type(copy) is cls
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))
    assert rag.errors.explain(copy) == rag.errors.explain(error)
