"""What the Documents page shows, as pure functions: names, lines, progress, reasons, and chunks' borders."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes import ChunkRow, DocumentRow, ReadingNote
from ui.i18n import Texts
from ui.jobs.ingesting import Failed, Ingestion, Work
from ui.storage.uploads import Refused, StoredUpload
from ui.views.documents import (
    WINDOW,
    done_line,
    line,
    name_of,
    note_lines,
    preview,
    reason,
    refused_line,
    sentence,
    standing,
    stored_line,
    summary,
    window_of,
)

EN, RU = Texts("en"), Texts("ru")


def chunk(start: int, end: int) -> ChunkRow:
    return ChunkRow(start, 1, "a.txt", "A", start, end, None, (), "")


def job(work: Work, **values: object) -> Ingestion:
    return Ingestion(1, work, **values)  # type: ignore[arg-type]


@pytest.fixture
def work(tmp_path: object) -> Work:
    return Work(tmp_path, "test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("upload://Plan.pdf", "Plan.pdf"),
        ("docs/a.md", "docs/a.md"),
        ("upload://a\u202eb\n.txt", "a�b .txt"),
        ("x" * 100 + "/end.pdf", "…" + "x" * 71 + "/end.pdf"),
    ],
)
def test_a_document_is_called_as_its_reader_calls_it(source: str, name: str) -> None:
    assert name_of(source) == name
    assert len(name_of(source)) <= 80


def row(state: str, chunks: int) -> DocumentRow:
    return DocumentRow(1, "a", None, "text/plain", "A", state, 500, None, chunks, 1, None, None, None, None, 0)


def test_failed_files_are_not_counted_as_documents() -> None:
    rows = [row("ready", 1), row("stale", 0), row("failed", 0), row("failed", 0)]
    assert summary(rows, 7, EN) == "1 document ready · 1 in an older version · 2 failed · 1 chunk · 2 kB · generation 7"
    assert summary(rows[:1] * 2, 7, RU) == "2 документа готовы · 2 фрагмента · 1 кБ · поколение 7"


def test_a_line_of_the_table() -> None:
    told = "2026-11-21T10:00:00.000+00:00"
    row = DocumentRow(
        1, "upload://a.pdf", b"\xab" * 32, "application/pdf", "A", "ready", 1234567, 3, 12, 1, told, *[None] * 3, 0
    )
    cells = list(line(row, EN).values())
    assert cells[:6] == ["a.pdf", "ready", "pdf", "3", 12, "1.2 MB"]
    assert cells[7] == "abababababab"
    failed = DocumentRow(
        1, "b", None, "", "", "failed", 0, None, 0, 1, None, "empty", "the file is empty", "fill it", 0
    )
    assert list(line(failed, RU).values())[1:4] == ["ошибка", "", ""]


def test_a_document_says_what_was_not_read_of_it() -> None:
    noted = replace(
        row("ready", 1),
        notes=(
            ReadingNote(
                "pages_without_text",
                "pages 2-4 of 5 have no text",
                "pages 2-4",
                "run `rag doctor`, which names what OCR lacks",
            ),
            ReadingNote("of_tomorrow", "<b>odd</b>", "sheet 1", "do it"),
            ReadingNote("of_tomorrow", "no remedy"),
        ),
    )
    assert note_lines(noted, EN) == [
        "Pages 2-4 of 5 have no text. Run `rag doctor`, which names what OCR lacks.",
        "<b>odd</b> (sheet 1). Do it.",
        "No remedy.",
    ]
    assert note_lines(noted, RU)[0] == (
        "Страницы без текста, например сканы (страницы 2-4). "
        "Запустите `rag doctor`, он назовёт, чего не хватает для OCR."
    )
    assert [list(line(document, EN).values())[8] for document in (noted, row("ready", 1))] == ["3", ""]


def test_one_chunk_is_no_plural() -> None:
    report = {"added": 1, "changed": 0, "unchanged": 0, "failed": 0, "chunks": 1, "same": 0, "near": 0}
    job = Ingestion(1, Work(Path(), "test"), "done", report=report, seconds=1.26)
    assert done_line(job, EN) == "Done: 1 added, 0 changed, 0 unchanged, 0 failed, 1 chunk in 1.3 s."
    assert done_line(job, RU).endswith("1 фрагмент за 1,3 с.")
    noted = replace(job, report={**report, "notes": 2})
    assert done_line(noted, EN).endswith("in 1.3 s. 2 documents were not read in full; see below.")


def test_reasons_are_in_the_language_of_the_page_where_it_has_words() -> None:
    empty = Failed("a", "empty", "the file is empty", "fill it or remove it")
    assert reason(RU, empty) == ("Файл пуст.", "Заполните его или не добавляйте.")
    broken = Failed("a", "broken", "the PDF cannot be opened", "export it")
    assert reason(RU, broken)[0] == "Файл повреждён (the PDF cannot be opened)."
    assert reason(EN, Failed("a", "unheard of", "something <b>odd</b>", "")) == ("Something <b>odd</b>.", "")


@pytest.mark.parametrize(("text", "told"), [("", ""), ("a b", "A b."), ("Done.", "Done."), ("x\ny", "X y.")])
def test_a_message_becomes_a_sentence(text: str, told: str) -> None:
    assert sentence(text) == told


@pytest.mark.parametrize("t", [EN, RU], ids=["en", "ru"])
@pytest.mark.parametrize("why", ["too large", "too many", "too much", "no room", "kind"])
def test_every_refusal_says_what_and_what_to_do(t: Texts, why: str) -> None:
    refused = Refused("a{x}.txt", why, "empty", "told", "do")  # type: ignore[arg-type]
    told = refused_line(refused, t, megabytes=200, files=50)
    assert "a{x}.txt" in told
    assert told.count(".") >= 2


@pytest.mark.parametrize("before", ["nothing", "other", "same"])
def test_what_happened_to_an_upload(before: str) -> None:
    kept = StoredUpload("upload://a.txt", "0" * 32, 10, "", "", before)  # type: ignore[arg-type]
    assert "a.txt" in stored_line(kept, EN)
    assert len({stored_line(kept, EN), stored_line(kept, RU)}) == 2


def test_where_an_ingestion_stands(work: Work) -> None:
    files = {f"upload://{n}": "waiting" for n in range(40)} | {"upload://bad": "failed", "upload://now": "parsing"}
    progress = {"files_done": 10, "files": 42, "chunks": 60, "bytes_done": 500_000, "bytes": 2_000_000, "seconds": 4.0}
    shown = standing(job(work, status="running", stage="embedding", files=files, progress=progress, seconds=5.0), EN)
    assert shown.share == 0.25
    assert shown.sentence == "Embedding"
    assert shown.figures == "10 of 42 files · 500 kB / 2 MB · 12.0 chunks/s · about 12 s left"
    assert shown.files[:2] == (("bad", "failed"), ("now", "being read"))
    assert (len(shown.files), shown.more) == (30, 12)


def test_after_the_reading_the_part_in_hand_is_what_is_done(work: Work) -> None:
    progress = {"files_done": 2, "files": 2, "bytes_done": 2_000_000, "bytes": 2_000_000, "seconds": 4.0}
    part = {"part": "words", "part_done": 1, "part_of": 4}
    shown = standing(job(work, status="running", stage="indexing", progress=progress | part), EN)
    assert (shown.share, shown.figures) == (0.25, "2 of 2 files · 2 MB / 2 MB")
    assert standing(job(work, status="running", stage="comparing", progress=progress), EN).share is None


def test_an_ingestion_of_which_little_is_known(work: Work) -> None:
    shown = standing(job(work), EN)
    assert (shown.share, shown.figures, shown.files) == (None, "", ())
    assert standing(job(work, status="running", progress={"files_done": 1, "files": 4}), EN).share == 0.25
    for stage in ("find", "load", "reading", "embedding", "indexing", "comparing", "one that is to come"):
        assert standing(job(work, status="running", stage=stage), RU).sentence


def test_chunks_are_shaded_in_turn_and_what_they_share_is_marked() -> None:
    html = preview("abcdefghij", [chunk(0, 4), chunk(3, 7), chunk(8, 10)], 0, 10)
    assert html == (
        '<div class="doc-text"><span class="number">1</span><span class="odd">abc</span><span class="number">2</span>'
        '<span class="both">d</span><span class="even">efg</span><span class="none">h</span>'
        '<span class="number">3</span><span class="odd">ij</span></div>'
    )


@given(
    st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=6), st.integers(0, 60)
)
def test_a_preview_is_the_text_and_nothing_else(text: str, spans: list[tuple[int, int]], start: int) -> None:
    chunks = [chunk(s, min(s + n, len(text))) for s, n in sorted(set(spans)) if s < len(text)]
    html = preview(text, chunks, min(start, len(text)), len(text))
    assert set(re.findall(r"<[^>]*>", html)) <= {
        '<div class="doc-text">', "</div>", "</span>", '<span class="number">', '<span class="odd">',
        '<span class="even">', '<span class="both">', '<span class="none">',
    }  # fmt: skip
    shown = unescape(re.sub(r'<span class="number">\d+</span>|<[^>]*>', "", html))
    assert len(shown) == len(text) - min(start, len(text))


def test_a_hostile_text_stays_text() -> None:
    html = preview('<img src="http://evil"> [a](b)', [], 0, 30)
    assert "<img" not in html
    assert "&lt;img src=&quot;http://evil&quot;&gt;" in html


def test_the_part_of_a_long_text_that_is_shown() -> None:
    assert window_of(0, 100) == (0, 100)
    assert window_of(0, 0) == (0, 0)
    assert window_of(WINDOW, 2 * WINDOW + 5) == (WINDOW, 2 * WINDOW)
    assert window_of(10**9, 2 * WINDOW + 5) == (2 * WINDOW, 2 * WINDOW + 5)
