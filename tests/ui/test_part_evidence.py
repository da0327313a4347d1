"""The answer with its sources as the page shows it, without a browser: opened, closed, and when the file is gone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from evidence_samples import FILES, ask, cited, make_index
from rag_project import Project
from streamlit.testing.v1 import AppTest

from rag.embedding.fake import FakeEmbedder
from rag.factory import make_chunker
from rag.ingestion.discovery import Found, SourceFile
from rag.ingestion.file_stamps import FileContent
from rag.ingestion.ingestor import Ingestor
from rag.ingestion.source_files import find_original
from rag.ingestion.sync import make_plan
from rag.types import Answer
from ui.i18n import Texts

t = Texts("en")
BRASS = "The brass button is held for 7 seconds."


def script(index, answer):  # type: ignore[no-untyped-def]  # its source is run alone, without imports
    from ui.components.evidence import show_answer
    from ui.components.frame import Here
    from ui.i18n import Texts
    from ui.settings import UiSettings

    show_answer(Here(UiSettings(index=index), Texts("en"), index), answer, "a")


def page(index: Path, answer: Answer) -> AppTest:
    return AppTest.from_function(script, kwargs={"index": index, "answer": answer}, default_timeout=60).run()


def told(app: AppTest) -> str:
    """Everything the page says in words."""
    assert not app.exception
    kinds: list[Any] = [*app.caption, *app.markdown, *app.text]
    return "\n".join([*(element.value for element in kinds), *(element.proto.body for element in app.get("html"))])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("evidence"))


def opened(index: Path, answer: Answer) -> AppTest:
    return page(index, answer).button(key="a-source-1").click().run()


def test_a_source_opens_and_closes(index: Path) -> None:
    answer = ask(index, "When is the pump tested?")
    app = page(index, answer)
    assert "<mark>" not in told(app)
    app.button(key="a-source-1").click().run()
    assert f"<mark>{answer.citations[0].quote}</mark>" in told(app)
    app.button(key="a-close").click().run()
    assert "<mark>" not in told(app)


@pytest.mark.slow
def test_the_page_of_a_pdf_is_drawn_with_its_words_boxed(index: Path) -> None:
    answer = ask(index, "How long is the brass button held?", BRASS)
    app = opened(index, answer)
    assert len(app.get("image")) == 1
    assert "Page 2 of 2. The cited words are boxed." in told(app)


def test_a_source_that_is_not_there_any_more_opens_nothing(index: Path) -> None:
    app = opened(index, ask(index, "When is the pump tested?"))
    app.session_state["a-opened"] = 9
    app.run()
    assert "<mark>" not in told(app)


def test_an_abstention_shows_the_nearest_passages(index: Path) -> None:
    app = page(index, ask(index, "Who built the pump?", "not in the documents"))
    assert t("evidence.nearest") in told(app)
    assert app.button(key="a-source-1")


def test_an_answer_without_a_source_says_so(index: Path) -> None:
    assert t("evidence.none") in told(page(index, cited("April")))


@pytest.mark.parametrize("state", ["missing", "changed"])
def test_a_file_that_is_gone_or_changed_is_said_and_its_text_shown(tmp_path: Path, state: str) -> None:
    index = make_index(tmp_path)
    answer = ask(index, "How long is the brass button held?", BRASS)
    file = tmp_path / "docs" / "manual.pdf"
    if state == "missing":
        file.unlink()
    else:
        file.write_bytes(b"%PDF-1.7 another")
    app = opened(index, answer)
    assert t(f"evidence.{state}") in told(app)
    assert not app.get("image") and "<mark>" in told(app)


@pytest.mark.slow
def test_a_document_that_was_removed_or_read_again_is_said(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    answer = ask(index, "When is the pump tested?")
    passage = answer.citations[0].passage
    assert find_original(index, dataclasses.replace(passage, source="docs/other.md")).state == "removed"
    make_index(tmp_path, FILES | {"pump.md": "# Pump\n\nIt was sold.\n"})
    assert find_original(index, passage).state == "replaced"
    assert t("evidence.replaced") in told(opened(index, answer))


def test_a_web_page_has_no_file(project: Project) -> None:
    url = "https://example.com/pump.md"
    page = FileContent(b"# Pump\n\nThe pump is tested on Mondays.\n", b"1" * 32, 0, None)
    found = Found([SourceFile(Path(url), url, None, page)])
    with project.index.writing("test"):
        plan = make_plan(project.index.store, found, project.folder)
        embedder = FakeEmbedder()
        Ingestor(project.index, embedder, make_chunker(project.config, embedder)).carry_out(plan, found)
    passage = project.retriever().retrieve("When is the pump tested?").passages[0]
    assert passage.source == url
    assert find_original(project.index.folder, passage).state == "web"
    assert t("evidence.web").startswith("This is the text of the web page")


def test_without_an_index_the_evidence_is_still_shown(index: Path, tmp_path: Path) -> None:
    app = opened(tmp_path / "nothing", ask(index, "When is the pump tested?"))
    assert t("evidence.unknown") in told(app) and "<mark>" in told(app)


def test_a_file_that_only_bears_the_name_is_handed_to_nobody(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    passage = ask(index, "How long is the brass button held?", BRASS).citations[0].passage
    assert find_original(index, passage).data == FILES["manual.pdf"]
    (tmp_path / "docs" / "manual.pdf").write_bytes(b"secret")
    assert find_original(index, passage).data == b""
