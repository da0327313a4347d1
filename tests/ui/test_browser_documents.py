"""The Documents page and the search lab in a real browser: a PDF comes, is seen and found, and is gone."""

from __future__ import annotations

import http.client
import re
import select
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from fpdf import FPDF
from ui_project import add_files, choose_document

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(300)
NAME = "tide gauge ![x](http:..sink.test.a.png) _b_.pdf"
SENTENCE = "The tide gauge at Norvik is calibrated every spring."
INGESTED_WITHIN_MS = 120_000


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    made = FPDF()
    made.set_font("helvetica", size=12)
    for text in ("A page about the harbour.", SENTENCE):
        made.add_page()
        made.cell(text=text)
    made.output(str(tmp_path / NAME))
    return tmp_path / NAME


def show(page: Page, server: Any, name: str) -> None:
    page.goto(f"{server.url}/{name}")
    page.get_by_role("heading", name="Documents" if name == "documents" else "Search lab").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def ask(page: Page, server: Any, question: str) -> list[str]:
    """Ask the lab and return the heads of all cards."""
    show(page, server, "lab")
    page.get_by_label("Question").fill(question)
    page.get_by_label("Question").press("Enter")
    page.get_by_role("heading", name="Hybrid").wait_for(timeout=60_000)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    return page.locator(".lab-card .lab-head").all_inner_texts()


def test_a_pdf_is_taken_in_seen_found_and_deleted(context: BrowserContext, server: Any, pdf: Path) -> None:
    page, outside = context.new_page(), []
    page.on("request", lambda request: outside.append(request.url) if not _ours(request.url, server.url) else None)
    show(page, server, "documents")
    add_files(page, pdf)
    page.get_by_text("was added").wait_for()
    page.get_by_text("Done: 1 added").wait_for(timeout=INGESTED_WITHIN_MS)
    choose_document(page, NAME[:10])
    page.get_by_text("Pages: 2").wait_for()
    assert SENTENCE in page.locator(".doc-text").inner_text()
    assert page.locator(".doc-text .number").count() == 2
    assert any(NAME in head for head in ask(page, server, "When is the tide gauge calibrated?"))
    assert page.locator(".lab-card mark").first.inner_text().lower() in ("tide", "gauge", "calibrated")
    show(page, server, "documents")
    choose_document(page, NAME[:10])
    page.get_by_role("button", name="Delete", exact=False).first.click()
    page.get_by_role("button", name="Delete 1").click()
    page.get_by_text("1 document was deleted.").wait_for()
    assert not any("tide gauge" in head for head in ask(page, server, "When is the tide gauge calibrated?"))
    assert outside == []


def test_a_second_browser_sees_an_ingestion_end(
    context: BrowserContext, browser: Any, server: Any, tmp_path: Path
) -> None:
    path = tmp_path / "gull.txt"
    path.write_text("The gull is called Ferdinand.\n", encoding="utf-8")
    watcher = browser.new_context(locale="en-GB")
    try:
        page, other = context.new_page(), watcher.new_page()
        show(page, server, "documents")
        add_files(page, path)
        page.get_by_text("was added").wait_for()
        show(other, server, "documents")
        other.get_by_text("Done: ").last.wait_for(timeout=INGESTED_WITHIN_MS)  # it redraws itself
        assert other.get_by_text("gull.txt (").count() == 0  # what the other one was told is not told here
    finally:
        watcher.close()


def test_two_gigabytes_are_refused_in_the_browser_and_the_page_goes_on(
    context: BrowserContext, server: Any, tmp_path: Path
) -> None:
    huge, small = tmp_path / "archive.txt", tmp_path / "tern.txt"
    with huge.open("wb") as file:
        file.truncate(2 * 2**30)  # a hole: nothing is written
    small.write_text("The tern is called Rosalind.\n", encoding="utf-8")
    page, sent = context.new_page(), []
    page.on("request", lambda request: sent.append(request.method) if "upload_file" in request.url else None)
    show(page, server, "documents")
    page.locator('input[type="file"]').set_input_files(huge)
    page.get_by_text("File must be 200", exact=False).wait_for()
    assert page.get_by_text("Split a larger file, or put it into a folder and ingest that.").count() == 1
    assert sent == []  # not a byte of it
    page.get_by_role("button", name=re.compile(r"Add$")).click()
    page.get_by_text("No file has arrived yet.").wait_for()
    add_files(page, small)
    page.get_by_text("tern.txt").filter(has_text="was added").wait_for()
    page.get_by_text("Done: 1 added").first.wait_for(timeout=INGESTED_WITHIN_MS)
    assert page.get_by_text("archive.txt").filter(has_text="was added").count() == 0
    assert page.get_by_test_id("stException").count() == 0
    assert server.process.poll() is None


@pytest.mark.parametrize("told", [True, False], ids=["its size told", "its size not told"])
def test_a_client_that_goes_around_the_browser_is_refused_too(
    context: BrowserContext, server: Any, tmp_path: Path, told: bool
) -> None:
    small = tmp_path / f"plover-{told}.txt"
    small.write_text(f"The plover is called Hedda, {told}.\n", encoding="utf-8")
    page = context.new_page()
    show(page, server, "documents")
    with page.expect_request(lambda request: request.method == "PUT") as allowed:
        page.locator('input[type="file"]').set_input_files(small)
    page.get_by_test_id("stFileChipName").wait_for()
    place, headers = urlsplit(allowed.value.url), allowed.value.all_headers()
    sent = {name: headers[name] for name in ("content-type", "cookie", "origin", "x-xsrftoken") if name in headers}
    connection = http.client.HTTPConnection(place.netloc, timeout=60)
    connection.putrequest("PUT", place.path)
    for name, value in (sent | ({"content-length": str(2**31)} if told else {"transfer-encoding": "chunked"})).items():
        connection.putheader(name, value)
    connection.endheaders()
    boundary = headers["content-type"].partition("boundary=")[2]
    piece = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode()
    size = 0
    while not told and size < 2**31 and not select.select([connection.sock], [], [], 0)[0]:
        connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        size += len(piece)
        piece = bytes(2**20)
    assert size < 300 * 2**20  # the limit is 200 MB; some more is under way when it is told
    assert connection.getresponse().status == 413
    connection.close()
    page.get_by_role("button", name=re.compile(r"Add$")).click()
    page.get_by_text(small.name).filter(has_text="was added").wait_for()
    page.get_by_text("Done: 1 added").first.wait_for(timeout=INGESTED_WITHIN_MS)  # nothing redraws the next test's page
    assert server.process.poll() is None


def _ours(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))
