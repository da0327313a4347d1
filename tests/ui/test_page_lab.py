"""The search lab in its states: nothing, results side by side, sliders, an expected document, failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from ui_project import ingest

from rag.config import RetrievalConfig
from rag.retrieval.filters import Filter
from rag.retrieval.retriever import Retriever
from ui.jobs.background import Engines, engines
from ui.settings import UiSettings

pytestmark = pytest.mark.slow

Set = Callable[..., UiSettings]


class Backwards:
    """A reranker that turns every list round, so that moves can be seen; no model is loaded for it."""

    weight = 100.0

    def scores(self, pairs: list[tuple[str, str]]) -> list[float]:
        return [float(n) for n in range(len(pairs))]


def draw() -> None:
    from ui.components.frame import sidebar
    from ui.pages.lab import show
    from ui.settings import current

    show(sidebar(current()))


@pytest.fixture(autouse=True)
def reranker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engines, "reranker", lambda self, config: Backwards())


def opened(question: str = "", **state: object) -> AppTest:
    page = AppTest.from_function(draw, default_timeout=60)
    for key, value in state.items():
        page.session_state[key] = value
    page.run()
    if question:
        page.text_input(key="lab_question").set_value(question).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.text)


def cards(page: AppTest) -> list[str]:
    return [
        element.value for element in page.get("html") if "lab-card" in element.value and "<style>" not in element.value
    ]


def test_no_index_and_no_question(tmp_path: Path, ingested: Path, settings: Set) -> None:
    settings(tmp_path / "none" / ".rag")
    assert "has no documents yet" in texts(opened())
    settings(ingested)
    assert "Ask a question to see" in texts(opened())


def test_the_retrievers_side_by_side(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened("Where does the fog sensor stand?")
    assert [m.value for m in page.markdown if m.value.startswith("####")] == [
        "#### Dense", "#### Lexical", "#### Hybrid", "#### Reranked",
    ]  # fmt: skip
    first = cards(page)[0]
    assert "<mark>fog</mark> <mark>sensor</mark>" in first
    assert "<mark>The</mark>" not in first
    assert any("↑" in card for card in cards(page))


def test_every_retrieval_setting_reaches_every_column(
    ingested: Path, settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    retrieve = Retriever.retrieve
    monkeypatch.setattr(
        Retriever, "retrieve", lambda self, *a, **k: used.append(self.settings) or retrieve(self, *a, **k)
    )
    own = {
        "k": 3, "candidates": 17, "fusion": "rrf", "dense_weight": 0.3, "rrf_k": 7, "collapse_duplicates": "near",
        "rerank_candidates": 9, "rerank_weight": 0.5, "cross_encoder": "some/model", "min_relevance": 0.01,
    }  # fmt: skip
    assert set(own) == set(RetrievalConfig.model_fields) - {"rerank"}
    settings(ingested, *(f"retrieval.{key}={value}" for key, value in own.items()))
    opened("How much does the fog sensor weigh?")
    assert [s.fusion for s in used] == ["dense", "lexical", "rrf", "rrf"]
    assert [s.rerank for s in used] == ["off", "off", "off", "reader"]
    for found in used:
        assert {**found.model_dump(), **{k: own[k] for k in ("fusion",)}, "rerank": "off"} == {**own, "rerank": "off"}


def test_moving_a_slider_loads_nothing(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened("fog sensor mast")
    before = len(cards(page))
    kept = dict(engines()._engines)
    page.slider(key="lab_k_0").set_value(1).run()
    assert len(cards(page)) == 4 < before
    page.slider(key="lab_weight_0").set_value(1.0).run()
    assert not page.exception
    assert engines()._engines == kept
    hybrid = cards(page)[2]
    assert "fog.md" in hybrid
    assert "Dense 1" in hybrid  # by meaning alone


def test_an_expected_document_that_was_lost_and_what_would_show_it(ingested: Path, settings: Set) -> None:
    settings(ingested, "retrieval.k=1")
    page = opened("fog sensor on the mast", lab_expect="canteen.txt")
    assert "Lost at" in texts(page)
    assert "retrieval.k = " in texts(page)
    page.button(key="lab_apply_0").click().run()
    assert not page.exception
    assert "It is shown to the generator." in texts(page)


def test_an_expected_document_that_is_shown(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened("fog sensor", lab_expect="fog.md")
    assert "It is shown to the generator." in texts(page)
    assert any("lab-expected" in card for card in cards(page))


def test_no_name_or_text_of_a_document_becomes_markdown(tmp_path: Path, settings: Set) -> None:
    name = "![x](a) $y$ :red[z] `c`.txt"
    settings(ingest(tmp_path / "hostile", {name: "![x](http://evil.test/a.png) [l](javascript:1) $$f$$"}))
    page = opened("evil png", lab_expect=name)
    assert any("evil" in card for card in cards(page))
    shown = [*page.markdown, *page.caption, *page.header, *page.subheader, *page.title]
    assert not [element.value for element in shown if "[x]" in element.value or "evil" in element.value]


def test_the_filter_applies_and_is_named(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened("fog sensor mast soup", filter=Filter(types=("markdown",)), lab_expect="mast.txt")
    assert "Only documents with type=markdown" in texts(page)
    assert all("fog.md" in card for card in cards(page))
    assert "does not match “type=markdown”" in texts(page)


def test_nothing_found_is_said(ingested: Path, settings: Set) -> None:
    settings(ingested)
    assert "Nothing was found." in texts(opened("zzz qqq"))


def test_a_reranker_that_cannot_be_loaded_leaves_three_columns(
    ingested: Path, settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.errors import ModelError

    def none(self: Engines, config: object) -> None:
        raise ModelError("there is no reader here", "train one")

    monkeypatch.setattr(Engines, "reranker", none)
    settings(ingested)
    page = opened("fog sensor")
    assert "The reranker cannot be loaded: there is no reader here" in texts(page)
    assert len([m for m in page.markdown if m.value.startswith("####")]) == 3


def test_a_damaged_index_and_an_engine_that_cannot_start_are_sentences(ingested: Path, settings: Set) -> None:
    settings(ingested, "chunking.size=99")
    assert "was built with other settings" in texts(opened("fog"))
    (ingested / "rag.db").write_bytes(b"not a database" * 1000)
    settings(ingested)
    assert "is damaged" in texts(opened())
