"""A column is added as CONTRIBUTING.md says, in a copy of the package, and goes everywhere: two files are edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from index_samples import document, new_index, put

from indexes.store.schema import CHUNKS, COMMITS, DOCUMENTS, RETIRED, SECTIONS, SIGNATURES, STAMPS, TEXTS, VECTORS

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from index_samples import document, put
from indexes import Index

index = Index.open(Path(sys.argv[1]), write=True)
store = index.store

def languages():
    return {row.source: row.language for row in store.documents()}

def marks(source):
    return [chunk.mark for chunk in store.chunks_of(source)]

assert store.meta("format_version") == 7
assert index.verify(deep=True) == [], "what was sealed before is sealed with the new columns"
assert languages() == {"a": None, "b": None}
new = document("a", "un", "deux")
new = replace(
    new,
    language="fr",
    sections=tuple(replace(section, mark="s") for section in new.sections),
    chunks=tuple(replace(chunk, mark=chunk.text) for chunk in new.chunks),
)
put(store, new)
assert (languages(), marks("a")) == ({"a": "fr", "b": None}, ["un", "deux"])
[stored] = [d for d in store.stored_documents() if d.source == "a"]
assert (stored.language, [section.mark for section in stored.sections]) == ("fr", ["s"])
store.commit(removals=["a"])
store.roll_back(3)
assert (languages(), marks("a")) == ({"a": "fr", "b": None}, ["un", "deux"])
store.roll_back(2)
assert (languages(), marks("a")) == ({"a": None, "b": None}, [None]), "a record of the format before has no language"
store.roll_back(3)
index.sync()
assert index.verify(deep=True) == []
for change in ("documents SET language = 'en'", "sections SET mark = 'x'", "chunks SET mark = 'x'"):
    db = store._db
    db.execute("BEGIN")
    db.execute(f"UPDATE {change}")
    db.execute("COMMIT")
    assert index.verify() != [], change
"""


def example() -> tuple[str, str, str]:
    """Return the three lines of CONTRIBUTING.md's example."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [block] = re.findall(r"### Add a database column\n.*?```python\n(.*?)```", text, re.DOTALL)
    version, column, field = (line.partition("  #")[0] for line in block.strip().splitlines())
    return version, column, field


def insert_after(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for anchor, line in changes:
        assert text.count(anchor) == 1, anchor
        text = text.replace(anchor, anchor + line)
    path.write_text(text, encoding="utf-8")


def test_a_new_column_needs_two_files(tmp_path: Path) -> None:
    index = new_index(tmp_path / "index")
    put(index.store, document("a", "one"))
    put(index.store, document("b", "two"))
    index.sync()
    index.close()
    shutil.copytree(ROOT / "indexes", tmp_path / "indexes", ignore=shutil.ignore_patterns("__pycache__"))
    version, column, field = example()
    store = tmp_path / "indexes" / "store"
    insert_after(
        store / "schema.py",
        ("FORMAT_VERSION = 6\n", f"{version}\n"),
        ('        Column("boxes", "BLOB", since=6),\n', f"        {column},\n"),
    )
    mark = '        Column("mark", "TEXT", since=7),\n'
    schema = (store / "schema.py").read_text(encoding="utf-8")
    schema = schema.replace('"headings", "TEXT NOT NULL"),\n', f'"headings", "TEXT NOT NULL"),\n{mark}')
    (store / "schema.py").write_text(schema, encoding="utf-8")
    insert_after(
        store / "rows.py",
        (
            "    notes: tuple[ReadingNote, ...] = ()\n    boxes: bytes | None = None\n",
            f"    {field}\n",
        ),
        ("    modified_ns: int\n    notes: tuple[ReadingNote, ...] = ()\n", f"    {field}\n"),
        ("    text: str\n\n", "    mark: str | None = None\n\n"),
    )
    rows = (store / "rows.py").read_text(encoding="utf-8")
    headings = "    headings: tuple[str, ...] = ()\n"
    (store / "rows.py").write_text(rows.replace(headings, f"{headings}    mark: str | None = None\n"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "index")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(__file__).parent)))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_checksums_cover_the_columns_of_their_format_in_their_order() -> None:
    first = ("source", "content_sha256", "media_type", "title", "size", "modified_ns", "pages")
    assert DOCUMENTS.sealed(2) == first
    assert DOCUMENTS.sealed(4) == (
        *first, "state", "generation", "failed_sha256", "reason", "message", "remedy",
    )  # fmt: skip
    assert DOCUMENTS.sealed(5) == (*DOCUMENTS.sealed(4), "notes")
    assert COMMITS.sealed(2) == ()
    assert COMMITS.covered(4) == (
        ("generation", "nonce", "committed_at", "added", "changed", "removed", "failed", "run", "milliseconds",
         "bytes"),
        ("chunk_id",),
    )  # fmt: skip
    assert TEXTS.covered(4) == (("document_id", "chunks", "text"), ("ordinal", "start", "end", "page", "headings"))
    assert SECTIONS.covered(4) == ((), ())
    assert CHUNKS.sealed(4) == ("document_id", "ordinal", "start", "end", "page", "headings", "text", "vector_key")
    assert VECTORS.sealed(4) == ("embedder", "key", "vector")
    assert RETIRED.sealed(4) == ("generation", "source", "record")
    assert STAMPS.sealed(4) == ("source", "stamp", "content_sha256")
    assert SIGNATURES.sealed(4) == ("document_id", "method", "words", "minima")
