"""The Documents page in its states (empty, ingesting, failed, damaged, locked, filtered), adding and deleting."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fpdf import FPDF
from streamlit.testing.v1 import AppTest

from indexes.lock import writer_lock
from rag.config import load_config
from rag.factory import open_index
from rag.retrieval.filters import Filter
from ui.jobs import ingesting as ingesting_module
from ui.jobs.background import engines
from ui.jobs.ingesting import Ingestions, Work, ingestions
from ui.settings import UiSettings
from ui.storage.collections import create, uploads_of

Set = Callable[..., UiSettings]


def draw() -> None:
    from ui.components.frame import sidebar
    from ui.pages.documents import show
    from ui.settings import current

    show(sidebar(current()))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Ingestions of this test alone."""
    ingesting_module._ingestions = Ingestions()
    yield
    for job in list(ingesting_module._ingestions._jobs.values()):
        ingesting_module._ingestions.cancel(job.number)
        ingesting_module._ingestions.wait(job.number)
    ingesting_module._ingestions = Ingestions()


def opened(**state: object) -> AppTest:
    page = AppTest.from_function(draw, default_timeout=60)
    for key, value in state.items():
        page.session_state[key] = value
    page.run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.text)


def wait_for_ingestion(index: Path) -> None:
    job = ingestions().running(index)
    if job is not None:
        ingestions().wait(job.number)


def sources(index: Path) -> list[str]:
    with closing(open_index(index, load_config("test").config).store) as store:
        return [row.source for row in store.documents()]


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    button = next(b for b in page.button if b.label == "Add")
    button.click().run()
    assert not page.exception
    return page


def test_no_index_and_an_empty_one_say_what_to_do(tmp_path: Path, settings: Set) -> None:
    settings(tmp_path / "none" / ".rag")
    assert "has no documents yet" in texts(opened())


def test_the_documents_and_what_is_known_of_one(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened()
    assert "3 documents" in texts(page)
    assert list(page.dataframe[0].value["Name"]) == ["canteen.txt", "fog.md", "mast.txt"]
    page.multiselect(key="documents_chosen").set_value(["fog.md"]).run()
    assert "Source: fog.md" in texts(page)
    assert "Chunks: 1" in texts(page)
    shown = "".join(element.value for element in page.get("html"))
    assert 'class="number">1</span>' in shown
    assert "The fog sensor weighs 3.4 kg" in shown


@pytest.mark.slow
def test_a_dropped_file_is_ingested_searched_and_deleted_with_its_bytes(ingested: Path, settings: Set) -> None:
    now = settings(ingested)
    pipeline = engines().get(ingested, "test").knowledge_base(60)
    page = upload(opened(), ("../Gull & Co.txt", b"A gull called Ferdinand sits on the mast."), ("empty.txt", b""))
    assert "Gull & Co.txt (41 bytes) was added." in texts(page)
    assert "empty.txt: The file is empty." in texts(page)
    wait_for_ingestion(ingested)
    page.run()
    assert "1 added" in texts(page)
    assert "empty.txt: The file is empty." in texts(page)  # still: the page ran again seconds after it was said
    source = "upload://Gull & Co.txt"
    assert source in sources(ingested)
    assert pipeline.retriever.retrieve("Ferdinand gull").passages[0].source == source
    page.multiselect(key="documents_chosen").set_value([source]).run()
    page.button(key="documents_delete").click().run()
    assert not page.exception
    assert "1 document was deleted." in texts(page)
    assert source not in {p.source for p in pipeline.retriever.retrieve("Ferdinand gull").passages}
    assert "was added" not in texts(page) and "empty.txt: The file is empty." in texts(page)
    assert source not in sources(ingested)
    assert uploads_of(now, ingested).path(source) is None
    assert (ingested.parent / "fog.md").exists()


@pytest.mark.slow
def test_limits_are_ours_where_they_are_not_streamlits(ingested: Path, settings: Set) -> None:
    settings(ingested, upload_mb=1, upload_files=2)
    files = [("big.txt", b"x" * (2**20 + 1)), ("a.txt", b"one"), ("b.txt", b"two"), ("c.txt", b"three")]
    told = texts(upload(opened(), *files))
    assert "big.txt is larger than 1 MB" in told
    assert "c.txt was not added: the limit is 2 files at once" in told
    wait_for_ingestion(ingested)
    assert [source for source in sources(ingested) if source.startswith("upload://")] == [
        "upload://a.txt",
        "upload://b.txt",
    ]


def test_add_before_a_file_has_arrived_says_so(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = upload(opened(), ("a.txt", b"one"))
    next(b for b in page.button if b.label == "Add").click().run()
    assert "No file has arrived yet." in texts(page) and "was added" not in texts(page)


def test_a_full_disk_is_said(ingested: Path, settings: Set, tmp_path: Path) -> None:
    settings(ingested, state_folder=tmp_path / "state")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "uploads").write_text("in the way", encoding="utf-8")  # no folder can be made here
    assert "could not be stored" in texts(upload(opened(), ("a.txt", b"one")))


@pytest.mark.slow
def test_a_broken_pdf_fails_alone_and_can_be_tried_again(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = upload(opened(), ("broken.pdf", b"%PDF-1.4 nothing"), ("good.txt", b"Good words."))
    wait_for_ingestion(ingested)
    page.run()
    assert page.expander[0].label == "1 file could not be read"
    assert "broken.pdf: The file is damaged" in texts(page)
    assert "upload://good.txt" in sources(ingested)
    next(b for b in page.button if b.key and b.key.startswith("retry_")).click().run()
    wait_for_ingestion(ingested)
    page.run()
    assert not page.exception
    assert "1 failed" in texts(page)


@pytest.mark.slow
def test_a_scan_in_a_document_is_said(ingested: Path, settings: Set) -> None:
    settings(ingested)
    made = FPDF()
    made.set_font("helvetica", size=12)
    for text in ("Signed in Nordby.", ""):
        made.add_page()
        made.rect(20, 100, 100, 100, style="F")
        made.text(20, 50, text)
    page = upload(opened(), ("contract.pdf", bytes(made.output())))
    wait_for_ingestion(ingested)
    page.run()
    assert "1 added, 0 changed, 0 unchanged, 0 failed, 1 chunk" in texts(page)
    assert "1 document was not read in full; see below." in texts(page)
    (expander,) = (e for e in page.expander if e.label == "1 document was not read in full")
    line = "– Page 2 of 2 shows no text that OCR can read."
    assert [element.value for element in expander.text] == [f"contract.pdf\n{line}"]
    page.multiselect(key="documents_chosen").set_value(["upload://contract.pdf"]).run()
    assert f"Not read:\n{line}" in texts(page)


@pytest.mark.slow
def test_a_failed_upload_is_no_document_and_can_be_removed_with_its_file(ingested: Path, settings: Set) -> None:
    now = settings(ingested)
    page = upload(opened(), ("broken.pdf", b"%PDF-1.4 nothing"))
    wait_for_ingestion(ingested)
    page.run()
    source = "upload://broken.pdf"
    assert "3 documents ready · 1 failed · 3 chunks" in texts(page)
    assert "broken.pdf (16 bytes) was added." in texts(page)
    assert uploads_of(now, ingested).path(source) is not None
    next(b for b in page.button if b.key and b.key.startswith("remove_")).click().run()
    assert not page.exception
    assert "1 document was deleted." in texts(page)
    assert "3 documents ready · 3 chunks" in texts(page) and "was added" not in texts(page)
    assert source not in sources(ingested)
    assert uploads_of(now, ingested).path(source) is None


@pytest.mark.slow
def test_a_failed_file_of_a_folder_is_not_offered_for_removal(ingested: Path, settings: Set, tmp_path: Path) -> None:
    settings(ingested, paths=(tmp_path,))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    page = opened(documents_way="path")
    page.text_input(key="documents_path_text").set_value(str(tmp_path / "broken.pdf"))
    next(b for b in page.button if b.label == "Read it").click().run()
    wait_for_ingestion(ingested)
    page.run()
    kinds = {str(b.key).partition("_")[0] for b in page.button}
    assert "retry" in kinds and "remove" not in kinds


@pytest.mark.slow
def test_reading_again_a_file_that_changed_and_one_that_is_gone(ingested: Path, settings: Set) -> None:
    now = settings(ingested)
    (ingested.parent / "mast.txt").write_text("The mast is 32 metres tall.\n", encoding="utf-8")
    page = upload(opened(), ("u.txt", b"Uploaded."))
    wait_for_ingestion(ingested)
    uploads_of(now, ingested).forget("upload://u.txt")
    page.run()
    page.multiselect(key="documents_chosen").set_value(["mast.txt", "upload://u.txt"]).run()
    page.button(key="documents_reread").click().run()
    assert "u.txt: its file no longer exists" in texts(page)
    wait_for_ingestion(ingested)
    with closing(open_index(ingested, load_config("test").config).store) as store:
        assert "32 metres" in store.text("mast.txt")
        assert store.text("upload://u.txt") == "Uploaded."


@pytest.mark.slow
def test_a_path_of_this_machine(ingested: Path, settings: Set, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    now = settings(ingested, paths=(tmp_path,))
    page = opened(documents_way="path")
    refused = ("/etc/hostname", "/no/such/folder", "", "a\x00b", str(tmp_path / "out"), f"{tmp_path}/../..", "~")
    for typed in (*refused, str(tmp_path / "missing")):
        page.text_input(key="documents_path_text").set_value(typed)
        next(b for b in page.button if b.label == "Read it").click().run()
        assert not page.exception and not ingestions().of(now.index)
        sentence = "Only files in these folders" if typed in refused else "There is nothing at this path"
        assert sentence in texts(page)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one.txt").write_text("One more.", encoding="utf-8")
    page.text_input(key="documents_path_text").set_value(str(tmp_path / "more"))
    next(b for b in page.button if b.label == "Read it").click().run()
    wait_for_ingestion(ingested)
    assert str(tmp_path / "more" / "one.txt") in sources(ingested)


def test_without_folders_of_the_owner_nobody_names_a_path(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened()
    ways = page.get("button_group")
    assert all("path" not in str(way.proto).lower() for way in ways if "Add documents" in str(way.proto))


def test_an_ingestion_that_runs_can_be_seen_and_cancelled_by_another_session(
    ingested: Path, settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(ingested)
    script = (
        "import json, sys, time\njob = json.loads(sys.stdin.readline())\n"
        "def tell(**e): print(json.dumps(e), flush=True)\n"
        "tell(event='planned', sources=['upload://a.txt', 'upload://b.txt'], unchanged=0)\n"
        "tell(event='file', source='upload://a.txt', state='parsing')\n"
        "tell(event='progress', stage='embedding', files_done=1, files=2, chunks=3)\n"
        "sys.stdin.readline()\ntell(event='cancelled')\n"
    )
    ingesting_module._ingestions = Ingestions([sys.executable, "-c", script])
    number = ingestions().begin(Work(ingested, "test")).number
    for _ in range(200):
        if ingestions().of(ingested)[0].progress:
            break
        time.sleep(0.05)
    page = opened()
    assert "1 of 2 files" in texts(page)
    assert "a.txt — being read" in texts(page)
    assert "3 documents" in texts(page)  # what was there can be used meanwhile
    page.button(key=f"cancel_{number}").click().run()
    ingestions().wait(number)
    page.run()
    assert "Committed documents stay" in texts(page)
    page.button(key=f"dismiss_{number}").click().run()
    assert "was cancelled" not in texts(page)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; sys.exit(9)", "ended unexpectedly (exit code 9)"),
        (
            'print(\'{"event": "failed", "message": "it is full", "remedy": "make room", "kind": "OSError"}\')',
            "It is full.",
        ),
    ],
)
def test_an_ingestion_that_failed_says_why_and_can_be_tried_again(
    ingested: Path, settings: Set, script: str, told: str
) -> None:
    settings(ingested)
    ingesting_module._ingestions = Ingestions([sys.executable, "-c", script])
    number = ingestions().begin(Work(ingested, "test")).number
    ingestions().wait(number)
    page = opened()
    assert told in texts(page)
    page.button(key=f"again_{number}").click().run()
    assert not page.exception
    wait_for_ingestion(ingested)
    assert [job.number for job in ingestions().of(ingested)] == [number + 1]


def test_an_index_that_another_process_writes(ingested: Path, settings: Set) -> None:
    settings(ingested)
    with writer_lock(ingested, "rag ingest"):
        page = opened()
        assert "Another process is writing this collection: rag ingest" in texts(page)
        page.multiselect(key="documents_chosen").set_value(["fog.md"]).run()
        page.button(key="documents_delete").click().run()
        assert not page.exception
        assert "is being written by rag ingest" in texts(page)
    assert "fog.md" in sources(ingested)


def test_a_damaged_index_is_a_sentence(ingested: Path, settings: Set) -> None:
    settings(ingested)
    (ingested / "rag.db").write_bytes(b"not a database" * 1000)
    page = opened()
    assert "is damaged" in texts(page)
    assert "rag index restore" in texts(page)


@pytest.mark.slow
def test_no_name_or_text_of_a_document_becomes_markdown(ingested: Path, settings: Set) -> None:
    settings(ingested)
    name = "![x](a) $y$ :red[z].txt"
    page = upload(opened(), (name, b"![x](http://evil.test/a.png)"), ("![x](b).bin", bytes(range(256)) * 30))
    wait_for_ingestion(ingested)
    page.run()
    page.multiselect(key="documents_chosen").set_value([f"upload://{name}"]).run()
    assert f"Source: upload://{name}" in texts(page)
    shown = [*page.markdown, *page.caption, *page.header, *page.subheader, *page.title]
    assert not [element.value for element in shown if "[x]" in element.value]
    assert not [e.label for e in page.expander if "[x]" in e.label]


@pytest.mark.slow
def test_a_file_and_an_upload_of_one_name_are_told_apart(ingested: Path, settings: Set) -> None:
    """An option is known by what it shows: the one of two alike that was not chosen would be deleted."""
    settings(ingested)
    page = upload(opened(), ("fog.md", b"# Fog\n\nUploaded."))
    wait_for_ingestion(ingested)
    page.run()
    choice = page.multiselect(key="documents_chosen")
    assert sorted(choice.options) == ["canteen.txt", "fog.md", "mast.txt", "upload://fog.md"]
    choice.set_value(["fog.md"]).run()
    assert "Source: fog.md" in texts(page)
    page.button(key="documents_delete").click().run()
    assert sorted(sources(ingested)) == ["canteen.txt", "mast.txt", "upload://fog.md"]


def test_the_filter_is_kept_for_other_pages(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened()
    page.multiselect(key="filter_types_0").set_value(["markdown"]).run()
    assert page.session_state["filter"] == Filter(types=("markdown",))
    assert list(page.dataframe[0].value["Name"]) == ["fog.md"]
    assert "matches 1 of 3 documents" in texts(page)
    page.text_input(key="filter_source_0").set_value("canteen").run()
    assert "No document matches the filter." in texts(page)
    page.button(key="filter_clear").click().run()
    assert page.session_state["filter"].empty
    assert len(page.dataframe[0].value) == 3


def test_the_filter_is_there_when_the_page_is_shown_again(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened(filter=Filter(sources=("*.txt",), types=("text",)))
    assert page.text_input(key="filter_source_0").value == "*.txt"
    assert page.multiselect(key="filter_types_0").value == ["text"]
    assert len(page.dataframe[0].value) == 2


def test_collections_are_made_switched_to_and_deleted(ingested: Path, settings: Set) -> None:
    now = settings(ingested)
    page = opened()
    assert not page.sidebar.selectbox
    page.text_input(key="collection_name").set_value("Second")
    next(b for b in page.button if b.label == "Create").click().run()
    assert "was created and selected" in texts(page)
    assert page.sidebar.selectbox(key="collection").value == "Second"
    assert "has no documents yet" in texts(page)
    page.text_input(key="collection_confirm").set_value("second").run()
    assert page.button(key="collection_delete").disabled
    page.text_input(key="collection_confirm").set_value("Second").run()
    page.button(key="collection_delete").click().run()
    assert "The collection was deleted." in texts(page)
    assert not (now.index.parent / "Second").exists()
    assert "3 documents" in texts(page)


def test_a_name_that_is_none_is_said(ingested: Path, settings: Set) -> None:
    settings(ingested)
    page = opened()
    page.text_input(key="collection_name").set_value("../up")
    next(b for b in page.button if b.label == "Create").click().run()
    assert "cannot have that name" in texts(page)


def test_a_collection_that_vanished_gives_way_to_the_first(ingested: Path, settings: Set) -> None:
    now = settings(ingested)
    made = create(now, "Second")
    create(now, "Third")
    page = opened(collection="Second")
    assert "has no documents yet" in texts(page)
    shutil.rmtree(made)
    page.run()
    assert "3 documents" in texts(page)


@pytest.mark.slow
def test_two_sessions_look_at_two_collections(ingested: Path, settings: Set) -> None:
    create(settings(ingested), "Second")
    one, other = opened(collection="Second"), opened()
    assert "has no documents yet" in texts(one)
    assert "3 documents" in texts(other)


@pytest.mark.slow
def test_it_speaks_russian(ingested: Path, settings: Set) -> None:
    settings(ingested)
    assert "3 документа готовы · 3 фрагмента" in texts(opened(language="ru"))
    assert json.dumps(list(opened(language="ru").dataframe[0].value.columns), ensure_ascii=False).startswith('["Имя"')
