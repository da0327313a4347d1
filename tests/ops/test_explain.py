"""Why a passage was or was not shown: every rank checked against retrieval itself, every change tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rag_project import Project

from rag.config import load_config
from rag.embedding.fake import FakeEmbedder
from rag.errors import InputError
from rag.factory import make_packer, make_retriever
from rag.generation.fake import FakeCompleter
from rag.ops.explain import Why, leave_one_out, why
from rag.retrieval.filters import Filter

FILES: dict[str, str | bytes] = {
    f"d{n:02d}.md": f"# Note {n}\n\nThe harbour light number {n} is green.\n" for n in range(30)
}
FILES["target.md"] = "# Keeper\n\nAda Brill keeps the harbour lamp, and the light is hers.\n"
QUESTION = "Which harbour light is green?"


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "harbour").write(FILES)
    project.ingest()
    yield project
    project.close()


def explain(
    project: Project,
    question: str,
    expected: str,
    *assignments: str,
    page: int | None = None,
    only: Filter | None = None,
) -> Why:
    config = load_config("test", assignments).config
    retriever = make_retriever(project.index, config, FakeEmbedder())
    with closing(retriever.reader):
        return why(question, expected, page, config, retriever, make_packer, only)


def test_a_passage_that_is_shown(harbour: Project) -> None:
    found = explain(harbour, "Who keeps the harbour lamp? Ada Brill?", "target.md")
    assert found.lost_at is None
    assert found.changes == ()
    assert (found.standing.fused, found.standing.shown, found.standing.candidate) == (1, True, True)


def test_ranks_are_those_of_retrieval(harbour: Project) -> None:
    found = explain(harbour, QUESTION, "target.md").standing
    listed = harbour.retriever().retrieve(QUESTION, k=200, depth=100).passages
    [(rank, passage)] = [(n, p) for n, p in enumerate(listed, start=1) if p.source.endswith("target.md")]
    assert (found.fused, found.dense, found.lexical) == (rank, passage.dense_rank, passage.lexical_rank)


@pytest.mark.parametrize(
    ("assignments", "lost_at"),
    [
        (["retrieval.k=2"], "fusion"),
        (["retrieval.k=2", "retrieval.candidates=3"], "candidates"),
        (["retrieval.k=31", "prompt.context_tokens=64"], "budget"),
    ],
)
def test_changes_that_are_named_do_show_it(harbour: Project, assignments: list[str], lost_at: str) -> None:
    found = explain(harbour, QUESTION, "target.md", *assignments)
    assert found.lost_at == lost_at
    assert found.changes
    for change in found.changes:
        more = [f"{key}={value}" for key, value in change.settings.items()]
        assert explain(harbour, QUESTION, "target.md", *assignments, *more).standing.shown


def test_a_document_that_the_filter_keeps_out(harbour: Project) -> None:
    found = explain(harbour, QUESTION, "target.md", only=Filter(sources=("d*",)))
    assert (found.lost_at, found.changes, found.standing.shown) == ("filter", (), False)


def test_ranks_are_among_the_documents_that_pass_the_filter(harbour: Project) -> None:
    only = Filter(sources=("target.md", "d0[12].md"))
    found = explain(harbour, QUESTION, "target.md", "retrieval.k=2", only=only)
    assert (found.standing.fused, found.lost_at) == (3, "fusion")
    assert found.changes


def test_a_question_that_is_turned_away_says_so(harbour: Project) -> None:
    found = explain(harbour, QUESTION, "d01.md", "retrieval.min_relevance=1", "retrieval.k=31")
    assert found.lost_at == "relevance"
    assert found.standing.dropped is not None
    assert "min_relevance" in found.standing.dropped
    assert any("retrieval.min_relevance" in change.settings for change in found.changes)


@pytest.mark.parametrize(("expected", "page"), [("nothing.md", None), ("arget.md", None), ("target.md", 7)])
def test_a_document_that_is_not_there(harbour: Project, expected: str, page: int | None) -> None:
    with pytest.raises(InputError, match=r"the index has no document|has no text"):
        explain(harbour, QUESTION, expected, page=page)


def test_the_answer_changes_without_the_passage_it_came_from(fog: Project) -> None:
    pipeline = fog.knowledge_base()
    answer = pipeline.ask("What does the fog sensor weigh?")
    attributions = leave_one_out(pipeline.answerer, answer)
    assert {a.passage.id for a in attributions} == {p.id for p in answer.passages}
    assert attributions[0].passage.source == "fog.md"
    assert attributions[0].similarity < 1.0
    assert attributions[-1].similarity == 1.0
    assert attributions[-1].without == answer.text


def test_all_variants_are_answered_in_one_batch(fog: Project) -> None:
    generator = FakeCompleter()
    pipeline = fog.knowledge_base(generator=generator)
    answer = pipeline.ask("What does the fog sensor weigh?")
    calls = []
    real = generator.generate
    generator.generate = lambda prompts, sampling: calls.append(len(prompts)) or real(prompts, sampling)  # type: ignore
    leave_one_out(pipeline.answerer, answer)
    assert calls == [len(answer.passages)]
