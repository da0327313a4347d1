"""Passages that say the same are one passage, and what was folded stays on record."""

from __future__ import annotations

import pytest
from rag_project import CountingEmbedder, Project

from rag.config import load_config
from rag.embedding.fake import FakeEmbedder
from rag.generation.prompt_builder import pack_all
from rag.ops.explain import why
from rag.retrieval.retriever import Retriever

SAME = "The net hangs still on the quay, and nobody mends it before the spring.\n"
OTHER = "The net of the fog horn is mended on the quay every second Friday.\n"
LONG = " ".join(f"The keeper of house {name} lights the lamp at dusk." for name in "abcdefghijklmn")


@pytest.fixture
def copies(project: Project) -> Project:
    project.write(
        {f"copy-{n}/net.txt": SAME for n in range(6)} | {"other.txt": OTHER, "soup.txt": "Soup on Mondays.\n"}
    )
    project.ingest()
    return project


def test_the_best_k_are_not_one_passage_k_times(copies: Project) -> None:
    first, second, *_ = copies.retriever().retrieve("net on the quay", k=3).passages
    assert {first.text, second.text} == {SAME.strip(), OTHER.strip()}
    kept = first if first.text == SAME.strip() else second
    assert sorted([kept.source, *(copy.source for copy in kept.duplicates)]) == [f"copy-{n}/net.txt" for n in range(6)]
    assert {copy.similarity for copy in kept.duplicates} == {1.0}
    assert kept.stands_for({kept.duplicates[-1].id})
    assert not second.stands_for({-1})


def test_off_means_off(copies: Project) -> None:
    found = copies.retriever("retrieval.collapse_duplicates=off").retrieve("net on the quay", k=5).passages
    assert len(found) == 5
    assert len({passage.text for passage in found}) < 3
    assert all(not passage.duplicates for passage in found)


@pytest.mark.parametrize("how", ["off", "exact", "near"])
def test_without_duplicates_nothing_changes(fog: Project, how: str) -> None:
    found = fog.retriever(f"retrieval.collapse_duplicates={how}").retrieve("fog sensor", k=10)
    assert found.passages == fog.retriever("retrieval.collapse_duplicates=off").retrieve("fog sensor", k=10).passages


def near(project: Project, text: str, how: str) -> int:
    project.write({"a.txt": LONG, "b.txt": text}).ingest()
    return len(project.retriever(f"retrieval.collapse_duplicates={how}").retrieve("keeper lamp", k=5).passages)


@pytest.mark.parametrize(
    ("text", "how", "left"),
    [
        (LONG.replace(" ", "\n"), "exact", 1),
        (LONG + " Always.", "exact", 2),
        (LONG + " Always.", "near", 1),
        (LONG + " From 1850 on.", "near", 2),
        (LONG.replace("lights", "puts out"), "near", 2),
    ],
    ids=["white space", "a word more, exact", "a word more, near", "another number", "another meaning"],
)
def test_how_alike_passages_must_be(tmp_path_factory: pytest.TempPathFactory, text: str, how: str, left: int) -> None:
    project = Project(tmp_path_factory.mktemp("near"), "chunking.size=250", "chunking.embed_headings=false")
    assert near(project, text, how) == left
    project.close()


def test_a_reranker_reads_each_passage_once(copies: Project) -> None:
    class Recording:
        weight = 1.0

        def __init__(self) -> None:
            self.read: list[str] = []

        def scores(self, pairs):  # type: ignore[no-untyped-def]
            self.read += [pair.passage for pair in pairs]
            return [0.0] * len(pairs)

    reranker = Recording()
    plain = copies.retriever()
    Retriever(plain.reader, FakeEmbedder(), plain.settings, reranker).retrieve("net on the quay", k=2)
    assert len(reranker.read) == len(set(reranker.read)) == 3


def test_a_document_that_was_folded_into_another_is_not_lost(copies: Project) -> None:
    config = load_config("test").config
    found = why("net on the quay", "copy-5/net.txt", None, config, copies.retriever(), lambda c: pack_all)
    assert found.lost_at is None


# Embedded once ----------------------------------------------------------------------------------------------


def test_a_text_is_embedded_once_across_documents_batches_and_runs(project: Project) -> None:
    """One vector for each text, whatever the number of documents, batches and runs that it comes in."""
    embedder = CountingEmbedder()
    project.write({f"{n:03}/net.txt": SAME for n in range(600)})  # more than two batches
    report = project.ingest(embedder=embedder)
    assert (report.added, report.chunks, report.embedded) == (600, 600, 1)
    assert len(project.index.store.commits(100)) >= 2
    project.write({"later/net.txt": SAME, "other.txt": OTHER})
    assert project.ingest(embedder=embedder).embedded == 1
    project.write({"other.txt": SAME + "\n\n"})  # under another title it is another text to embed
    assert project.ingest(embedder=embedder).embedded == 1
    assert len(embedder.texts) == len(set(embedder.texts)) == 3
