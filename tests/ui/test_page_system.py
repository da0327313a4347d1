"""The system page and its views: doctor, models, index, recall, live figures, settings; damaged and missing indexes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_runs import said, settled
from streamlit.testing.v1 import AppTest

import ui.pages.system
import ui.server.metrics
from rag.cli.main import main
from rag.config import load_config
from rag.errors import RagError
from rag.ops.doctor import Finding
from rag.ops.environment import memory
from rag.ops.index_stats import Recall
from rag.types import Answer, Usage
from ui.i18n import Texts
from ui.server.health import ask_doctor, read_findings
from ui.server.metrics import Metrics
from ui.settings import UiSettings, use
from ui.views.system import checks, live_rows, memory_rows, model_rows, models_of, recall_text, setting_rows

HOSTILE = "![x](http://evil.example) <b>"
FINDINGS = [
    Finding("python", "ok", "3.11"),
    Finding("model", "fail", HOSTILE, "install it"),
    Finding("disk", "warn", "low"),
]
EN, RU = Texts("en"), Texts("ru")


def script() -> None:
    from ui.components.frame import sidebar
    from ui.pages.system import show
    from ui.settings import current

    show(sidebar(current()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ui.server.metrics, "_metrics", Metrics())
    monkeypatch.setattr(ui.pages.system, "ask_doctor", lambda *_: FINDINGS)
    use(UiSettings(index=tmp_path / ".rag", config="test", runs=tmp_path / "runs", assignments=("retrieval.k=3",)))
    return tmp_path


@pytest.fixture
def indexed(folder: Path) -> Path:
    (folder / "docs").mkdir()
    for n in range(20):
        (folder / "docs" / f"{n}.txt").write_text(f"Lamp number {n} burns oil of kind {n * 7}.\n", encoding="utf-8")
    assert main(["ingest", str(folder / "docs"), "--index", str(folder / ".rag"), "--config", "test"]) == 0
    return folder


def opened(language: str = "en") -> AppTest:
    page = AppTest.from_function(script, default_timeout=60)
    page.session_state["language"] = language
    return settled(page.run())


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ru"])
def test_everything_there(indexed: Path, language: str) -> None:
    t, page = Texts(language), opened(language)
    text = said(page)
    assert page.header[0].value == t("app.system")
    assert f"{t('system.index_documents')},20" in text
    assert t("system.no_answers") in text
    assert t("system.doctor_fail") in text
    assert f"model: {HOSTILE}\n{t('system.fix')} install it" in [e.value for e in page.text]
    assert "retrieval.k,3,--set" in text
    page.button(key="system_recall").click()
    assert t("system.recall_found", k=10, mean=t.percent(1, 1), queries=20, chunks=20, whole=20, seed=0) in said(
        settled(page.run())
    )
    page.toggle(key="system_changed").set_value(False)
    assert "embedding.batch_size" in said(settled(page.run()))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_index_is_a_sentence_and_the_rest_stands(folder: Path, language: str) -> None:
    page = opened(language)
    assert "there is no index" in said(page)
    assert "rag ingest" in said(page)
    assert Texts(language)("system.doctor_fail") in said(page)
    assert not [button for button in page.button if button.key == "system_recall"]


def test_a_damaged_index_is_a_sentence(indexed: Path) -> None:
    (indexed / ".rag" / "rag.db").write_bytes(b"this is no database" * 100)
    for extra in ("rag.db-wal", "rag.db-shm"):
        (indexed / ".rag" / extra).unlink(missing_ok=True)
    text = said(opened())
    assert "rag index restore" in text
    assert "Configuration" in text


def test_a_configuration_that_is_none_is_a_sentence(folder: Path) -> None:
    use(UiSettings(index=folder / ".rag", config="no such thing", runs=folder / "runs"))
    page = opened()
    assert "no such thing" in said(page)


@pytest.mark.slow
def test_answers_are_counted_without_a_word_of_them(indexed: Path) -> None:
    timings = {"search": 0.01, "generate": 0.5}
    answer = Answer("a secret question", "a secret answer", False, 0.5, timings=timings, usage=Usage(10, 5))
    ui.server.metrics.metrics().record(answer, first_piece_s=0.2)
    page = opened()
    text = said(page)
    assert "secret" not in text + repr(vars(ui.server.metrics.metrics()))
    assert [metric.value for metric in page.metric] == ["1", "1", "10.0"]
    assert "until the first words,1,200.0,200.0" in text
    assert "in all,1,510.0,510.0" in text


@pytest.mark.slow
def test_a_doctor_that_does_not_answer_is_a_sentence(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> list[Finding]:
        raise RagError("`rag doctor` took more than 180 s", "run it in a terminal")

    monkeypatch.setattr(ui.pages.system, "ask_doctor", silent)
    assert "took more than 180 s" in said(opened())


# The views ---------------------------------------------------------------------------------------------------------


def test_the_record_is_bounded_and_sums_up() -> None:
    metrics = Metrics(size=10)
    assert metrics.live().answers == 0 and metrics.live().stages == () and metrics.live().tokens_per_s is None
    for n in range(25):
        metrics.record(
            Answer("q", "a", n % 2 == 0, 0.5, timings={"generate": float(n)}, usage=Usage(1, 2)), stopped=n == 24
        )
    live = metrics.live()
    assert (live.answers, live.abstained, live.stopped, live.last_minute, live.last_hour) == (10, 5, 1, 10, 10)
    assert [(s.name, s.p50) for s in live.stages] == [("generate", 19.5), ("total", 19.5)]
    assert live.tokens_per_s == pytest.approx(20 / sum(range(15, 25)))
    assert [row["stage"] for row in live_rows(live, RU)] == ["ответ", "всего"]


def test_what_fails_comes_first() -> None:
    assert [check.state for check in checks(FINDINGS)] == ["fail", "warn", "ok"]


def test_no_password_is_shown() -> None:
    address = "generator.openai.base_url=http://me:secret@host/v1"
    resolved = load_config("test", ("generator.type=openai", address))
    rows = {row["key"]: row for row in setting_rows(resolved, EN)}
    assert rows["generator.openai.base_url"]["value"] == "http://***@host/v1"
    assert rows["generator.openai.base_url"]["origin"] == "--set"
    assert rows["retrieval.rrf_k"]["origin"] == "default"
    assert "secret" not in json.dumps([*rows.values(), *model_rows(resolved.config)])
    changed = {row["key"] for row in setting_rows(resolved, RU, changed_only=True)}
    assert "generator.type" in changed and "retrieval.rrf_k" not in changed


def test_models_by_what_they_are_for() -> None:
    cpu = load_config("cpu").config
    assert [role for role, *_ in models_of(cpu)] == ["embedder", "reader"]
    assert [role for role, *_ in models_of(load_config("cpu", ("generator.type=vllm",)).config)] == [
        "embedder", "reader", "writer",
    ]  # fmt: skip
    [_, reader] = model_rows(cpu)
    assert len(reader["fingerprint"]) == 64 and reader["place"] and not reader["problem"]
    missing = load_config("test", ("embedding.model=nobody/nothing",)).config
    assert model_rows(missing)[0]["problem"] == "missing"


def test_memory_and_recall_in_words() -> None:
    assert next(name for name, _ in memory_rows(memory(), EN)) == "Memory of this process"
    assert "97,5" in recall_text(Recall(0.975, 40, 30, 10, 400, 0), RU)
    assert recall_text(Recall(1.0, 0, 0, 10, 1, 0), EN) == EN("system.recall_none")


@pytest.mark.slow
def test_the_doctor_in_a_process_of_its_own(tmp_path: Path) -> None:
    findings = ask_doctor(tmp_path / ".rag", "test", ())
    assert {"python", "index"} <= {finding.check for finding in findings}
    with pytest.raises(RagError, match="nothing such"):
        ask_doctor(tmp_path / ".rag", "nothing such", ())


@pytest.mark.parametrize("out", ["", "[1]", "{}x", '[{"check": 1}]'])
def test_anything_else_from_the_doctor_is_said(out: str) -> None:
    with pytest.raises(RagError, match="it broke"):
        read_findings(out, "x\nit broke\n\n")
