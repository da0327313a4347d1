"""Whole pages over documents, runs and chats whose every name and text is a stranger's, in a real browser.

Of each page everything is opened that can be; every payload must be read on it, in the very places where the page puts
such texts, and still nothing may be asked for, point anywhere, or offend the policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Sink
from hostile_payloads import payloads
from hostile_state import build, names
from hostile_visit import Visit, essence, visiting
from ui_project import open_list

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.timeout(300)
MESSAGE, PLOT, TEXT = '[data-testid="stChatMessage"]', ".js-plotly-plot", '[data-testid="stText"]'
TABLE, LIST, OPENED = '[data-testid="stDataFrame"]', '[role="listbox"]', '[data-testid="stPopoverBody"]'
EXPANDED, SIDEBAR = '[data-testid="stExpander"]', '[data-testid="stSidebar"]'
Open = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="module")
def texts(hostile_folder: Path, sink: Sink) -> list[str]:
    """The payloads, and all that the pages stand over."""
    made = payloads(sink.host)
    build(hostile_folder, made)
    return made


@pytest.fixture
def at(window: BrowserContext, hostile: str, sink: Sink, texts: list[str]) -> Open:
    """Open a page; at the end nothing may have come of it."""

    @contextmanager
    def opened(place: str, **query: object) -> Iterator[Visit]:
        with visiting(window, hostile, place, sink, **query) as visit:
            yield visit
            visit.settle()
            visit.harmless()

    return opened


def short(texts: Sequence[str], most: int) -> list[str]:
    """Return the texts that a place of so many characters shows whole."""
    return [text for text in texts if len(" ".join(text.split())) <= most]


def some(visit: Visit, texts: Sequence[str], selector: str, least: int) -> None:
    """Assert that so many of the texts can be read there: a table draws only the rows that are in sight."""
    read = len(texts) - len(visit.unread(texts, selector, most=len(texts) - least))
    assert read >= least, f"{read} of {len(texts)} in {selector}"


def offered(visit: Visit, field: str, texts: Sequence[str]) -> None:
    """Assert that the list of a field offers all texts."""
    box = visit.page.locator('[data-testid="stSelectbox"], [data-testid="stMultiSelect"]').filter(has_text=field)
    open_list(visit.page, box)
    said = visit.rolled(LIST)
    assert [text for text in texts if essence(text) not in said] == [], field
    visit.page.keyboard.press("Escape")


def test_documents_with_ingestions_at_work(at: Open, texts: list[str]) -> None:
    with at("documents") as visit:
        page = visit.page
        assert visit.unread(texts, ".doc-text") == []  # texts of chunks, as the preview shades them
        assert visit.unread(short(texts, 80), TEXT) == []  # files that are being read, failures, messages
        assert visit.unread([f"{name}.pdf" for name in names(texts)[:12]], EXPANDED) == []  # files that failed
        some(visit, names(texts), TABLE, 5)
        offered(visit, "Documents to view", names(texts))
        offered(visit, "Collection", names(texts)[:8])
        dropped = [{"name": f"{text}.txt", "mimeType": "text/plain", "buffer": b"x"} for text in short(texts, 60)[:9]]
        page.locator('input[type="file"]').set_input_files(dropped)
        page.get_by_test_id("stFileChipName").nth(2).wait_for()
        some(visit, [essence(file["name"])[:5] for file in dropped], '[data-testid="stFileUploader"]', 3)  # cut by it
        page.get_by_role("button", name=re.compile(r"Add$")).click()
        page.get_by_text("was added").nth(8).wait_for()


def test_documents_with_a_title_and_a_filter(at: Open, texts: list[str]) -> None:
    with at("documents_headed") as visit:
        assert visit.unread([f"Title: {texts[0]}"], TEXT) == []
        # HTML cannot hold the two control characters, and zero-width ones are not read.
        assert len(visit.unread(texts, ".doc-text", most=3)) == 3


def test_documents_of_which_the_ingestion_failed(at: Open, texts: list[str]) -> None:
    with at("documents_failed") as visit:
        assert visit.unread(texts[:6], TEXT) == []


def test_lab(at: Open, texts: list[str]) -> None:
    with at("lab") as visit:
        assert visit.unread(texts, ".lab-text") == []
        some(visit, texts, ".lab-place", 3)  # headings
        some(visit, names(texts), ".lab-head", 5)
        offered(visit, "Expect this document", names(texts))


def test_evaluation_with_figures_and_one_that_failed(at: Open, texts: list[str]) -> None:
    with at("evaluation") as visit:
        assert visit.unread(texts, TEXT) == []  # what the failed one said
        some(visit, names(texts), TABLE, 2)
        offered(visit, "Run", names(texts)[:2])


def test_evaluation_questions(at: Open, texts: list[str]) -> None:
    with at("evaluation_questions") as visit:
        visit.page.get_by_text("7 more passages").click()
        visit.settle()
        assert visit.unread(texts[5:12], EXPANDED) == []
        assert visit.unread(texts[:1], "p.rag-quiet") == []  # the kind of loss
        for part in ("strong", "small", ".rag-text"):  # question, notes, prediction
            assert visit.unread(texts, part) == []
        some(visit, texts, TABLE, 5)
        offered(visit, "Lost at", texts[:1])


def test_evaluation_of_two(at: Open, texts: list[str]) -> None:
    with at("evaluation_compare") as visit:
        assert visit.unread(texts, "strong") == []
        some(visit, texts, TABLE, 5)
        offered(visit, "Run a", names(texts)[:2])


def test_evaluation_as_it_was_made_and_broken(at: Open, texts: list[str]) -> None:
    with at("evaluation_made") as visit:
        some(visit, texts[:15], TABLE, 8)
    with at("evaluation_broken") as visit:
        assert visit.unread([f"of format '{texts[0]}'"], TEXT) == []


def test_sweeps(at: Open, texts: list[str]) -> None:
    with at("evaluation_sweeps") as visit:
        visit.page.locator(PLOT).nth(1).wait_for()
        some(visit, [essence(text)[:9] for text in texts[30:36]], PLOT, 5)
        visit.page.locator(f"{PLOT} .points path").first.hover(force=True)
        visit.page.locator(".hoverlayer .hovertext").first.wait_for()
        some(visit, [essence(text)[:30] for text in texts[30:36]], ".hoverlayer", 1)
        some(visit, texts[30:36], TABLE, 5)
        assert visit.unread(texts[:3], TEXT) == []  # what is the same at every point
        offered(visit, "Sweep", names(texts))


def test_new_evaluation(at: Open, texts: list[str], hostile_folder: Path) -> None:
    with at("evaluation_new") as visit:
        page, field = visit.page, visit.page.get_by_role("textbox", name="Path, or")
        for part in (texts[:44], texts[44:88], texts[88:]):
            path = " ".join(" ".join(part).split()).replace("\0", "")  # with it no path may be named, nor is one shown
            field.fill(path)
            field.press("Enter")
            assert visit.unread([f"{Path(path)} is not a dataset"], TEXT) == []  # a path has no double slashes
        asked = hostile_folder / f"{names(texts)[0]}.jsonl"
        asked.write_text(json.dumps({"question": texts[0], "answers": texts, "source": texts[1]}), encoding="utf-8")
        field.fill(str(asked))
        field.press("Enter")
        page.get_by_text("Questions: 1;").wait_for()
        offered(visit, "Configuration", [f"{names(texts)[0]}.yaml"])
        settings, start = page.get_by_role("textbox", name="Settings, one"), page.get_by_role("button", name="Start")
        plain_ones = [" ".join(text.split()) for text in texts if not set(text) & set("=\\'")]
        plain_ones = [text for text in plain_ones if text.isprintable()]
        for line in (" ".join(plain_ones)[:3000], f"{plain_ones[0]}=1"):
            settings.fill(line)
            settings.press("Control+Enter")
            start.click()
            told = f"--set '{line}' is not of the form" if "=" not in line else plain_ones[0]
            assert visit.unread([told], TEXT) == []
        settings.fill("")
        page.get_by_text("A sweep of settings").click()
        grid = page.get_by_role("textbox", name="Settings to compare")
        for key in (plain_ones[0], " ".join(plain_ones)[:900]):  # YAML takes no longer keys
            grid.fill(json.dumps({key: 1}, ensure_ascii=False))
            grid.press("Control+Enter")
            start.click()
            assert visit.unread([f"the sweep: there is no key '{key}'"], TEXT) == []


def test_new_evaluation_of_uploads(at: Open, texts: list[str]) -> None:
    with at("evaluation_new", source="upload") as visit:
        for number, text in enumerate(short(texts, 60)[:6]):
            content = json.dumps({"question": "q", "answers": ["a"], text: 1}).encode() + b"\n" + text.encode()
            file = {"name": f"{text}.jsonl", "mimeType": "application/json", "buffer": content}
            visit.page.locator('input[type="file"]').set_input_files([file])
            visit.settle()
            assert visit.unread([essence(text)[:5]], '[data-testid="stFileUploader"]') == [], number  # cut by it
            assert visit.unread(["line 2"], TEXT) == []


def test_evaluation_that_runs(at: Open, texts: list[str]) -> None:
    with at("evaluation_running") as visit:
        visit.page.get_by_text("1 of 4 · exact match 25.0").first.wait_for()
        assert visit.unread([" ".join(text.split())[:79] for text in texts], '[data-testid="stProgress"]') == []
        visit.page.get_by_role("button", name="Cancel").click()
        visit.page.get_by_text("The evaluation was cancelled.").wait_for()


def test_evaluation_whose_process_failed_or_is_done(at: Open, texts: list[str]) -> None:
    with at("evaluation_running", mode="failed") as visit:
        visit.page.get_by_text("The evaluation failed.").wait_for()
        assert visit.unread(texts, TEXT) == []
        visit.page.get_by_role("button", name="Close").click()
    with at("evaluation_running", mode="done") as visit:
        visit.page.get_by_role("button", name="Open the run").click()
        offered(visit, "Run", names(texts)[:1])


def test_system(at: Open, texts: list[str]) -> None:
    with at("system") as visit:
        assert visit.unread(texts, TEXT) == []
        some(visit, texts[:6], TABLE, 1)


def test_chat(at: Open, texts: list[str]) -> None:
    with at("chat") as visit:
        assert visit.unread(short(texts[-39:], 60), SIDEBAR) == []
        assert visit.unread(texts, MESSAGE) == []
        assert visit.unread(texts, "p.rag-quiet") == []  # the question as it was understood, notes
        assert visit.unread(texts, TEXT) == []  # why it is not kept
        for button in ("Copy", "Filter", "This chat"):
            visit.page.get_by_role("button", name=re.compile(button)).first.click()
            visit.page.locator(OPENED).wait_for()
            visit.settle()
            assert visit.unread(texts if button == "Copy" else texts[:1], OPENED) == [], button
            visit.page.keyboard.press("Escape")
            visit.page.locator(OPENED).wait_for(state="hidden")


def test_chat_that_is_asked(at: Open, texts: list[str]) -> None:
    with at("chat_asked") as visit:
        visit.page.get_by_test_id("stChatInputTextArea").fill("alpha " + " ".join(texts))
        visit.page.keyboard.press("Enter")
        visit.page.get_by_role("button", name=re.compile("Ask again")).wait_for()
        assert visit.unread(texts, MESSAGE) == []
