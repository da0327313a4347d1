"""What --filter says: its texts, its days, and which documents pass."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rag_project import Project

from rag.errors import UsageError
from rag.ingestion.loaders import FORMATS, sniff
from rag.ingestion.loaders.formats import filter_of, filter_types
from rag.retrieval.filters import Filter

MANY_TYPES = {
    "a.md": "# Lamp\n\nThe lamp is green.\n",
    "b.txt": "The lamp is red.\n",
    "c.csv": "lamp,colour\nsmall,blue\nlarge,grey\n",
    "d.json": '{"lamp": "white", "place": "cellar"}\n',
}


def passing(project: Project, *texts: str) -> list[str]:
    found = project.retriever().retrieve("lamp", only=Filter.parse(texts), k=50)
    listed = [row.source for row in project.index.store.documents(Filter.parse(texts).selection(project.index.store))]
    assert sorted({p.source for p in found.passages}) == listed  # search and list agree
    return listed


@pytest.fixture
def lamps(project: Project) -> Project:
    """Four kinds of documents, each a year older than the one before it."""
    project.write(dict(MANY_TYPES))
    for n, name in enumerate(sorted(MANY_TYPES)):
        noon = dt.datetime(2024 - n, 6, 15, 12).astimezone().timestamp()
        os.utime(project.folder / name, (noon, noon))
    project.ingest()
    return project


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], "abcd"),
        (["type=markdown"], "a"),
        (["type=.MD"], "a"),
        (["type=csv", "type=json"], "cd"),
        (["type=text/*"], "abc"),
        (["type=pdf"], ""),
        (["source=*.txt", "source=*.csv", "type=csv"], "c"),
        (["since=2024-06-15"], "a"),
        (["since=2024-06-16"], ""),
        (["until=2022-06-15"], "cd"),
        (["since=2022-01-01", "until=2023-12-31"], "bc"),
        (["ingested-since=2024-12-31"], "abcd"),
        (["ingested-until=2024-12-31"], ""),
        (["since=0001-01-01", "until=9999-12-31"], "abcd"),
    ],
    ids=str,
)
def test_which_documents_pass(lamps: Project, texts: list[str], expected: str) -> None:
    assert "".join(source[0] for source in passing(lamps, *texts)) == expected


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["docs/*"], "is not one of source=NAME"),
        (["page=3"], "is not one of source=NAME"),
        (["type="], "is not one of source=NAME"),
        (["type=elephant"], "there is no type"),
        (["type=made/" + "up" * 200], "there is no type"),
        (["since=yesterday"], "has no valid date"),
        (["until=2024-02-30"], "has no valid date"),
        (["since=2024-01-01", "since=2024-01-02"], "given twice"),
    ],
    ids=str,
)
def test_what_is_no_filter_is_said(texts: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        Filter.parse(texts)
    assert caught.value.remedy


class _Nothing:
    """A store without documents."""

    folder = Path("/nowhere/at/all/.rag")

    def sources(self) -> list[str]:
        return []

    def head(self) -> tuple[int, str]:
        return (0, "")


NOTHING = _Nothing()
globs = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text == text.strip())
filters = st.builds(
    Filter,
    sources=st.lists(globs, max_size=3).map(tuple),
    types=st.lists(st.sampled_from(sorted(filter_types())), max_size=3).map(tuple),
    since=st.none() | st.dates(),
    until=st.none() | st.dates(),
    ingested_since=st.none() | st.dates(),
    ingested_until=st.none() | st.dates(),
)


@given(filters)
def test_a_filter_is_read_from_its_own_texts(one: Filter) -> None:
    assert Filter.parse(one.texts()) == one
    assert one.empty == (not one.texts())


@given(filters)
def test_every_filter_can_be_looked_up(one: Filter) -> None:
    one.selection(NOTHING)  # type: ignore[arg-type]  # whatever its days and names
    one.unmatched(NOTHING)  # type: ignore[arg-type]


def test_thousands_of_names_and_types(lamps: Project) -> None:
    many = [f"source=nothing-{n}.md" for n in range(3000)] + [f"type=made/up{n}" for n in range(3000)]
    assert passing(lamps, *many) == []
    assert passing(lamps, *many, "source=a.md", "source=b.txt", "type=markdown") == ["a.md"]
    found = lamps.retriever().retrieve("lamp", only=Filter.parse([*many, "source=a.md"]))
    assert [note.kind for note in found.notes] == [*["source_unmatched"] * 3, "more_unmatched"]
    assert found.notes[-1].text == "2,997 more sources of the filter match no document."


def test_a_source_that_matches_nothing_is_named_with_similar_names(lamps: Project) -> None:
    retriever = lamps.retriever()
    [note] = retriever.retrieve("lamp", only=Filter.parse(["source=a.mdx", "source=b.txt"])).notes
    assert note.text == "No document matches the filter source=a.mdx. Similar names: a.md."
    assert (note.kind, note.values) == ("source_unmatched_near", {"source": "a.mdx", "names": "a.md"})
    [note] = retriever.retrieve("lamp", only=Filter.parse(["source=a.md", "type=csv"])).notes
    assert note.text == "No document matches the filter source=a.md and type=csv. `rag documents list` shows the names."
    [note] = retriever.retrieve("lamp", only=Filter.parse(["source=" + "elephant" * 100])).notes
    assert len(note.text) < 300


def test_every_format_has_a_filter() -> None:
    assert [media_type for media_type in FORMATS if filter_of(media_type) == media_type] == []
    assert filter_of(sniff(b"plain words", "a.txt")) == "text"
    assert filter_of("application/x-unheard-of") == "application/x-unheard-of"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("md", "markdown"), (".EML", "mail"), ("excel", "xlsx"), ("jsonl", "json"), ("py", "code"), ("TEXT", "text")],
)
def test_a_type_may_be_named_by_extension_or_program(name: str, expected: str) -> None:
    assert Filter.parse([f"type={name}"]).types == (expected,)


def test_the_filter_for_code_accepts_every_language(project: Project) -> None:
    project.write(
        {"lamp.py": "# The lamp is green.\n", "lamp.sh": "echo lamp\n", "lamp.rst": "The lamp is red.\n"}
    ).ingest()
    assert passing(project, "type=code") == ["lamp.py", "lamp.sh"]
