"""The Python API: one object for ingesting, searching, asking and looking after an index."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fpdf import FPDF
from rag_project import FOG

import rag
from rag.answering.abstention import save_calibration
from rag.embedding.base import Float32
from rag.embedding.fake import FakeEmbedder
from rag.generation.fake import FakeCompleter

WEIGHT = "How much does the fog sensor weigh?"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name, content in FOG.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path / "docs"


@pytest.fixture
def index(docs: Path) -> Path:
    with rag.open(docs.parent / ".rag", config="test") as kb:
        kb.ingest(docs)
    return docs.parent / ".rag"


def test_five_lines_answer_a_question(docs: Path) -> None:
    with rag.open(docs.parent / ".rag", config="test", settings={"retrieval.k": 8}) as kb:
        report = kb.ingest(docs)
        answer = kb.ask(WEIGHT, filter="type=markdown")
        assert (report.added, report.failed) == (3, 0)
        assert answer.text == "The fog sensor weighs 3.4 kg."
        assert answer.citations[0].source == "docs/fog.md"
        assert answer.citations[0].page is None
        assert len(answer.passages) <= 8


def test_importing_rag_loads_nothing_else_of_it() -> None:
    code = "import sys, rag; print([m for m in sys.modules if m.startswith(('rag.', 'indexes', 'numpy', 'pydantic'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", rag.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(rag, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        rag.Pipeline  # noqa: B018


def test_progress_is_reported(docs: Path) -> None:
    stages = []
    with rag.open(docs.parent / ".rag", config="test") as kb:
        kb.ingest([docs], progress=lambda progress: stages.append(progress.stage))
    assert "reading" in stages


def test_a_second_ingestion_is_seen_without_opening_again(docs: Path, index: Path) -> None:
    with rag.open(index, config="test") as kb:
        assert not kb.search("zeppelin", filter="source=docs/new.txt")
        (docs / "new.txt").write_text("The zeppelin lands at noon.")
        assert kb.ingest(docs).added == 1
        assert kb.search("zeppelin", k=1, filter="source=docs/new.txt")[0].text == "The zeppelin lands at noon."


def test_an_index_that_was_deleted_and_made_again_is_searched(docs: Path, index: Path) -> None:
    with rag.open(index, config="test") as kb:
        assert kb.search("fog")
        shutil.rmtree(index)
        with pytest.raises(rag.StorageError, match="no index") as caught:
            kb.search("fog")
        assert caught.value.kind == "IndexMissingError"
        (docs / "new.txt").write_text("The zeppelin lands at noon.")
        kb.ingest(docs / "new.txt")
        assert [d.source for d in kb.documents()] == ["docs/new.txt"]
        assert {p.source for p in kb.search("fog")} == {"docs/new.txt"}


def test_an_ingestion_uses_the_embedder_of_the_pool(docs: Path) -> None:
    class Watched(FakeEmbedder):
        passages = 0
        closed = False

        def embed_passages(self, texts: Sequence[str]) -> Float32:
            self.passages += len(texts)
            return super().embed_passages(texts)

        def close(self) -> None:
            self.closed = True

    config, models, embedder = rag.load_config("test"), rag.ModelPool(), Watched()
    models.put(config.config, embedder=embedder)
    with rag.KnowledgeBase(docs.parent / ".rag", config, models) as kb:
        assert kb.ingest(docs).embedded == embedder.passages > 0
        assert kb.search(WEIGHT)
        assert kb.ingest({"docs/one.txt": docs / "canteen.txt"}).added == 1
    assert not embedder.closed
    models.close()
    assert embedder.closed


def test_search_ask_batch_and_stream_agree(index: Path) -> None:
    with rag.open(index, config="test") as kb:
        single, (batched, other) = kb.ask(WEIGHT), kb.ask_batch([WEIGHT, "What is served on Mondays?"])
        stream = kb.stream(WEIGHT)
        assert "".join(stream) == stream.answer.text == single.text == batched.text
        assert [p.id for p in kb.search(WEIGHT)] == [p.id for p in stream.retrieved.passages]
        assert "soup" in other.text


def test_an_answer_names_what_was_not_read_of_the_document_that_it_cites(docs: Path) -> None:
    made = FPDF()
    made.set_font("helvetica", size=12)
    for text in ("The zeppelin lands at noon.", "", "", "Signed in Nordby."):
        made.add_page()
        made.rect(20, 100, 100, 100, style="F")
        if text:
            made.text(20, 50, text)
    (docs / "zeppelin.pdf").write_bytes(bytes(made.output()))
    with rag.open(docs.parent / ".rag", config="test", settings={"parsing.ocr": "off"}) as kb:
        noted = kb.ingest(docs).notes
        assert {source: [note.place for note in notes] for source, notes in noted.items()} == {
            "docs/zeppelin.pdf": ["pages 2-3"]
        }
        assert {d.source: d.notes for d in kb.documents() if d.notes} == noted
        question = "When does the zeppelin land?"
        answer, other = kb.ask_batch([question, WEIGHT])
        stream = kb.stream(question)
        assert "".join(stream) == answer.text == "The zeppelin lands at noon."
        text = "What was read of docs/zeppelin.pdf may be incomplete: pages 2-3 of 4 have no text."
        assert [note.text for note in answer.notes] == [note.text for note in stream.answer.notes] == [text]
        assert other.notes == ()
        assert (kb.ingest(docs).notes, kb.ingest(docs).unchanged) == ({}, 4)


@pytest.mark.parametrize("given", ["source=docs/c*", ["source=docs/c*", "type=text"], rag.Filter(sources=("docs/c*",))])
def test_a_filter_is_a_text_several_or_a_record(index: Path, given: object) -> None:
    with rag.open(index, config="test") as kb:
        assert {p.source for p in kb.search("fog sensor", filter=given)} == {"docs/canteen.txt"}  # type: ignore[arg-type]
        assert {p.source for p in kb.ask("fog sensor", filter=given).passages} == {"docs/canteen.txt"}  # type: ignore[arg-type]


def test_a_history_may_be_pairs_and_files_may_be_texts(docs: Path, index: Path) -> None:
    with rag.open(index, config="test") as kb:
        from_pairs = kb.ask("And where does it stand?", history=[(WEIGHT, "3.4 kg")])
        assert from_pairs.question == kb.ask("And where does it stand?", history=[rag.Turn(WEIGHT, "3.4 kg")]).question
        assert "sensor" in from_pairs.question
        assert kb.ingest({"docs/one.txt": str(docs / "canteen.txt")}).added == 1


def test_an_error_of_a_callback_stays_as_it_is(docs: Path) -> None:
    def stop(progress: object) -> None:
        raise BrokenPipeError

    with rag.open(docs.parent / ".rag", config="test") as kb, pytest.raises(BrokenPipeError):
        kb.ingest(docs, progress=stop)


def test_a_chat_understands_a_follow_up(index: Path) -> None:
    with rag.open(index, config="test") as kb:
        chat = kb.chat()
        chat.ask(WEIGHT)
        follow_up = chat.ask("And where does it stand?")
        assert "sensor" in follow_up.question
        "".join(chat.stream("What is served on Mondays?"))
        assert [turn.question for turn in chat.turns][::2] == [WEIGHT, "What is served on Mondays?"]


def test_the_calibrated_threshold_of_the_index_applies(index: Path) -> None:
    config = rag.load_config("test").config
    save_calibration(index, config, 0.99, "run", {})
    with rag.open(index, config="test") as kb:
        assert kb.config.config.answers.min_confidence == 0.99
    with rag.open(index, config="test", settings={"answers.min_confidence": 0.0}) as kb:
        assert kb.config.config.answers.min_confidence == 0.0
    with rag.open(index, config="test", settings={"prompt.max_tokens": 5}) as kb:
        assert kb.config.config.answers.min_confidence is None
        assert "fitted for other" in kb.notes[0]


def test_a_calibration_that_cannot_be_read_stops_answers_only(index: Path) -> None:
    (index / "calibration.json").write_text("{", encoding="utf-8")
    with rag.open(index, config="test") as kb:
        assert kb.search(WEIGHT)
        assert kb.stats().counts["ready"] == 3
        for ask in (kb.ask, kb.stream):
            with pytest.raises(rag.UsageError, match="is not a calibration"):
                ask(WEIGHT)
    with rag.open(index, config="test", settings={"answers.min_confidence": 0.0}) as kb:
        assert kb.ask(WEIGHT).citations


def test_documents_are_listed_removed_and_counted(index: Path) -> None:
    with rag.open(index, config="test") as kb:
        assert [d.source for d in kb.documents()] == ["docs/canteen.txt", "docs/fog.md", "docs/ru/mast.txt"]
        assert [d.source for d in kb.documents(filter="type=markdown")] == ["docs/fog.md"]
        assert kb.remove("docs/ru/*") == ["docs/ru/mast.txt"]
        assert kb.stats().counts["ready"] == 2
        assert kb.verify(deep=True) == []
        with pytest.raises(rag.InputError, match="no document nothing"):
            kb.remove("nothing")


def test_errors_are_rag_errors_with_a_remedy(tmp_path: Path) -> None:
    with rag.open(tmp_path / "none", config="test") as kb:
        for call in (lambda: kb.ask("fog?"), lambda: kb.search("fog?"), kb.documents, kb.stats, kb.verify):
            with pytest.raises(rag.StorageError, match="no index") as caught:
                call()
            assert caught.value.exit_code == 4
            assert caught.value.kind == "IndexMissingError"
            assert "rag ingest" in caught.value.remedy
        with pytest.raises(rag.InputError):
            kb.ingest(tmp_path / "missing")
    with pytest.raises(rag.UsageError, match="no configuration key"):
        rag.open(tmp_path, config="test", settings={"retrieval.kk": 8})


@pytest.mark.parametrize(
    "call",
    [
        lambda kb: kb.ask(WEIGHT),
        lambda kb: kb.ask_batch([WEIGHT]),
        lambda kb: kb.stream(WEIGHT),
        lambda kb: kb.search(WEIGHT),
        lambda kb: kb.understand(WEIGHT),
        lambda kb: kb.chat(),
        lambda kb: kb.ingest(kb.folder.parent / "docs"),
        lambda kb: kb.documents(),
        lambda kb: kb.remove("docs/fog.md"),
        lambda kb: kb.verify(),
        lambda kb: kb.stats(),
        lambda kb: kb.open_index(),
        lambda kb: kb.retriever,
        lambda kb: kb.answerer,
        lambda kb: kb.__enter__(),
    ],
)
def test_a_closed_knowledge_base_stays_closed(index: Path, call: Callable[[rag.KnowledgeBase], object]) -> None:
    kb = rag.open(index, config="test")
    chat = kb.chat()
    assert chat.ask(WEIGHT).text
    kb.close()
    kb.close()
    for closed in (lambda: call(kb), lambda: chat.ask(WEIGHT)):
        with pytest.raises(rag.UsageError, match=r"the knowledge base of .*\.rag is closed") as caught:
            closed()
        assert caught.value.remedy == "open it again with rag.open"
    assert not kb.models._loaded


def test_models_are_shared_by_a_pool_and_an_engine_that_stopped_is_started_again(index: Path) -> None:
    models = rag.ModelPool()
    with rag.open(index, config="test", models=models) as one, rag.open(index, config="test", models=models) as other:
        assert one.answerer.generator is other.answerer.generator
        first = one.answerer.generator
    assert isinstance(first, FakeCompleter)
    with rag.open(index, config="test", models=models) as kb:
        assert kb.answerer.generator is first
    first.alive = False
    with rag.open(index, config="test", models=models) as kb:
        assert kb.answerer.generator is not first
    models.close()


class Closing(FakeCompleter):
    """Records that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Stubborn(FakeEmbedder):
    """Cannot be closed."""

    def close(self) -> None:
        raise RuntimeError("still in use")


def test_an_open_knowledge_base_replaces_and_closes_an_engine_that_stopped(index: Path) -> None:
    config, models, first = rag.load_config("test"), rag.ModelPool(), Closing()
    models.put(config.config, generator=first)
    with rag.KnowledgeBase(index, config, models) as one, rag.KnowledgeBase(index, config, models) as other:
        assert one.answerer.generator is other.answerer.generator is first
        first.alive = False
        assert one.ask(WEIGHT).text
        assert one.answerer.generator is other.answerer.generator is not first
    assert first.closed
    models.close()


def test_a_model_that_cannot_be_closed_leaves_no_other_open(index: Path) -> None:
    config, models, generator = rag.load_config("test").config, rag.ModelPool(), Closing()
    models.put(config, embedder=Stubborn(), generator=generator)
    with pytest.raises(RuntimeError, match="still in use"):
        models.close()
    assert generator.closed


def test_closing_a_pool_while_a_load_fails_ends_and_leaves_the_error_to_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loading, closing = threading.Event(), threading.Event()

    def fail(config: rag.Config) -> FakeEmbedder:
        loading.set()
        closing.wait(10)
        raise rag.ModelError("the model is broken")

    monkeypatch.setattr("rag.factory.make_embedder", fail)
    config, models = rag.load_config("test").config, rag.ModelPool()
    closer = threading.Thread(target=models.close, daemon=True)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(models.embedder, config)
        assert loading.wait(10)
        closer.start()
        while models._loaded:
            time.sleep(0.001)
        closing.set()
        with pytest.raises(rag.ModelError, match="the model is broken"):
            load.result(10)
    closer.join(10)
    assert not closer.is_alive()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda kb: kb.ask(None), "a question is a text, not NoneType"),
        (lambda kb: kb.search(b"fog"), "a question is a text, not bytes"),
        (lambda kb: kb.ask_batch("Who is he?"), "takes a list of questions"),
        (lambda kb: kb.chat().stream(""), "the question is empty"),
        (lambda kb: kb.search("fog", k=0), "k is 0"),
        (lambda kb: kb.search("fog", k="3"), "k is '3'"),
        (lambda kb: kb.ask_batch(None), "takes a list of questions, not one NoneType"),
        (lambda kb: kb.search("fog", filter=5), "a filter is a text, not int"),
        (lambda kb: kb.search("fog", filter=b"type=pdf"), "a filter is a text, not bytes"),
        (lambda kb: kb.chat(filter=["type=pdf", 5]), "a filter is a text, not int"),
        (lambda kb: kb.ask("And why?", history="abc"), "a turn of the history is 'a'"),
        (lambda kb: kb.ask("And why?", history=[("q",)]), "a turn of the history is \\('q',\\)"),
        (lambda kb: kb.stream("And why?", history=5), "a turn of the history is 5"),
        (lambda kb: kb.ask("And why?", history=[("q", None)]), "a turn of the history is"),
        (lambda kb: kb.ingest(None), "a path is a text or a Path, not NoneType"),
        (lambda kb: kb.ingest([5]), "a path is a text or a Path, not int"),
        (lambda kb: kb.ingest(b"docs"), "a path is a text or a Path, not bytes"),
        (lambda kb: kb.ingest({"a.md": 5}), "a path is a text or a Path, not int"),
        (lambda kb: kb.ingest({5: "a.md"}), "a name is a text, not int"),
        (lambda kb: kb.ingest({"a.md": "a\0"}), "is impossible"),
        (lambda kb: kb.ingest("a" * 5000), "File name too long"),
        (lambda kb: kb.ingest({"a.md": "\ud800"}), "is impossible"),
        (lambda kb: kb.ingest({"\ud800": __file__}), "not valid Unicode"),
        (lambda kb: kb.remove("\ud800"), "not valid Unicode"),
        (lambda kb: kb.search("fog", k=True), "k is True"),
        (lambda kb: kb.remove(5), "the name of a document is a text, not int"),
        (lambda kb: rag.open(5), "a path is a text or a Path, not int"),
        (lambda kb: rag.open("a" * 5000), "File name too long"),
        (lambda kb: rag.open("a\0"), "is impossible"),
        (lambda kb: rag.open(__file__ + "/x", config="test").ingest(__file__), "Not a directory"),
        (lambda kb: kb.ingest(), "^no path is given$"),
        (lambda kb: kb.ingest([]), "^no path is given$"),
        (lambda kb: kb.ingest(""), "^a path is empty$"),
        (lambda kb: kb.ingest([kb.folder.parent / "docs", ""]), "^a path is empty$"),
        (lambda kb: rag.open(""), "^a path is empty$"),
    ],
)
def test_an_argument_of_another_type_is_a_sentence(
    index: Path, call: Callable[[rag.KnowledgeBase], object], message: str
) -> None:
    with rag.open(index, config="test") as kb, pytest.raises(rag.RagError, match=message):
        call(kb)
