"""From an uploaded PDF to a cited answer and back, on the bundled models, in a real browser; and how each page looks.

Screenshots are written to the folder that SCREENSHOTS names, to be looked at.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
import pytest
from evaluation_runs import copied
from fpdf import FPDF
from PIL import Image, ImageChops
from ui_project import Server, add_files, ask, choose_document, start_server, stop_server

from rag.config import load_config
from rag.factory import open_index

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.timeout(400)
PATIENCE_MS = 120_000
LINES = (
    "The tide gauge at Norvik was built by Ada Brill in 1874.",
    "Its brass float is replaced every eleven years.",
    "The gauge may be visited on Thursdays.",
)
PAGES = {"chat": "Ask a question", "documents": "Documents", "lab": "Search lab", "evaluation": "Evaluation",
    "system": "System"}  # fmt: skip


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the bundled embedder and reader, over an empty folder, with two evaluation runs to read."""
    folder = tmp_path_factory.mktemp("bundled")
    (folder / "documents").mkdir()
    running = start_server(folder / "documents" / ".rag", "--config", "cpu", "--runs", str(copied(folder)))
    yield running
    stop_server(running)


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    made = FPDF()
    made.set_font("helvetica", size=14)
    for line in LINES:
        made.add_page()
        made.cell(text=line)
    made.output(str(tmp_path / "tide-gauge.pdf"))
    return tmp_path / "tide-gauge.pdf"


def goto(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}/{'' if name == 'chat' else name}")
    page.get_by_text(PAGES[name]).first.wait_for(timeout=PATIENCE_MS)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=PATIENCE_MS)


def answer(page: Page, question: str) -> None:
    ask(page, question)
    page.get_by_role("button", name=re.compile("Ask again")).wait_for(timeout=PATIENCE_MS)


def test_an_uploaded_pdf_answers_with_its_page_and_is_gone_when_deleted(
    context: BrowserContext, bundled: Server, pdf: Path
) -> None:
    page = context.new_page()
    goto(page, bundled, "documents")
    add_files(page, pdf)
    page.get_by_text("Done: 1 added").wait_for(timeout=PATIENCE_MS)

    goto(page, bundled, "chat")
    answer(page, "Who built the tide gauge at Norvik?")
    page.locator(".text", has_text="Ada Brill").wait_for()
    page.get_by_text("Answered by extractive").wait_for()
    page.get_by_role("button", name="Source 1").first.click()
    page.get_by_text("The cited words are boxed.").wait_for(timeout=PATIENCE_MS)
    page.wait_for_function("""() => {  // what was opened comes into sight
        const { top } = document.querySelector('[class*="-viewer"]').getBoundingClientRect();
        const { bottom } = document.querySelector('[data-testid="stHeader"]').getBoundingClientRect();
        return top >= bottom - 1 && top < window.innerHeight; }""")
    cited = page.locator("mark").first.inner_text()
    assert cited == "Ada Brill" and cited in LINES[0]
    image = page.get_by_test_id("stImage").locator("img")
    image.wait_for()  # strict: exactly one
    boxed = words_in_the_box(downloaded(page, image), pdf.read_bytes(), 1)
    assert boxed == cited and boxed in text_of(bundled, "upload://tide-gauge.pdf")
    shoot(page, "source")
    page.get_by_text("Why this answer").click()
    page.get_by_test_id("stDataFrame").first.wait_for()

    goto(page, bundled, "documents")
    choose_document(page, "tide-gauge")
    page.get_by_role("button", name="Delete", exact=False).first.click()
    page.get_by_role("button", name="Delete 1").click()
    page.get_by_text("1 document was deleted.").wait_for(timeout=PATIENCE_MS)

    goto(page, bundled, "chat")
    answer(page, "Who built the tide gauge at Norvik?")
    page.get_by_text("Not in your documents").wait_for()
    page.get_by_text("This collection has no documents yet").wait_for()


def downloaded(page: Page, image: Locator) -> bytes:
    """Return the bytes of an image, as the browser that shows it gets them."""
    answer = page.request.get(str(image.evaluate("image => image.decode().then(() => image.currentSrc)")))
    assert answer.ok
    return answer.body()


def words_in_the_box(shown: bytes, pdf: bytes, number: int) -> str:
    """Return the words of a PDF's page that stand where an image of it differs from the page itself."""
    document = pdfium.PdfDocument(pdf)
    try:
        page = document[number - 1]
        picture = Image.open(io.BytesIO(shown)).convert("RGB")
        plain = page.render(scale=picture.width / page.get_width()).to_pil().convert("RGB")
        assert plain.size == picture.size
        # By colour: a page of black letters has none, and the browser's copy may be sampled or packed anew.
        box = ImageChops.difference(coloured(picture), coloured(plain)).getbbox()
        assert box is not None, "nothing is boxed"
        # From pixels, which count from the top, to points, which count from the bottom.
        scale, height = picture.width / page.get_width(), page.get_height()
        left, top, right, bottom = (edge / scale for edge in box)
        inside = {"left": left, "bottom": height - bottom, "right": right, "top": height - top}
        return str(page.get_textpage().get_text_bounded(**inside)).strip()
    finally:
        document.close()


def coloured(picture: Image.Image) -> Image.Image:
    """Return where an image is more red than blue."""
    red, _, blue = picture.split()
    return ImageChops.subtract(red, blue).point(lambda level: 255 if level > 40 else 0)


def text_of(server: Server, source: str) -> str:
    """Return the text of a document's chunk, of which it has one for its first page."""
    with closing(open_index(server.index, load_config("cpu").config).store) as store:
        return next(chunk.text for chunk in store.chunks_of(source) if chunk.page == 1)


def test_every_page_in_light_dark_and_on_a_phone(browser: Any, bundled: Server) -> None:
    for look, options in {
        "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
        "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
        "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    }.items():
        context = browser.new_context(locale="en-GB", **options)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        for name in PAGES:
            goto(page, bundled, name)
            page.wait_for_timeout(500)  # what is drawn behind the page
            shoot(page, f"{name}-{look}")
            assert page.get_by_test_id("stException").count() == 0, name
            assert page.evaluate("document.scrollingElement.scrollWidth") <= options["viewport"]["width"], name
        assert errors == []
        context.close()


def test_an_evaluation_run_is_opened_and_the_language_switched(context: BrowserContext, bundled: Server) -> None:
    page = context.new_page()
    goto(page, bundled, "evaluation")
    page.get_by_text("Exact match").first.wait_for(timeout=PATIENCE_MS)
    page.get_by_test_id("stSidebar").get_by_text("Русский").click()
    page.get_by_role("heading", name="Оценка").wait_for(timeout=PATIENCE_MS)


def shoot(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
