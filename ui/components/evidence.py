"""An answer with its numbered citations, and the source viewer that one of them opens beside it, at the place.

Only the numbers and words of the interface are labels of widgets. The answer's text is set letter by letter in the
browser (``cited_text.js``), a language model's Markdown element by element, everything else of documents is escaped
HTML.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from rag.errors import FAILURES, DocumentError, RagError
from rag.types import Answer
from ui.components.frame import Here
from ui.storage.collections import uploads_of
from ui.text.safe import block
from ui.views.chat import Source, blocks, cited_html, is_markdown, pieces, sources, without_sources
from ui.views.words import place, short_name

if TYPE_CHECKING:
    from rag.ingestion.loaders.pdf_page import PageImage
    from rag.ingestion.loaders.word_boxes import Rectangle
    from rag.ingestion.sandbox import ParserPool
    from rag.ingestion.source_files import Original

__all__ = ["show_answer"]

_FOLDER = Path(__file__).parent
_DRAW_SECONDS = 20


@st.fragment
def show_answer(here: Here, answer: Answer, key: str) -> None:
    """Show an answer's text with its sources, of an abstention the nearest passages; both can be opened.

    ``key`` is the answer's own in this session. Why there is no answer, the page says before.
    """
    found = sources(answer)
    opened = _opened(key, found)
    # One column or two: the first keeps its place, so that the focus stays on the number that was pressed.
    columns = st.columns(2 if opened else 1, gap="medium")
    with columns[0]:
        if not answer.abstained:
            _text(here, answer, key, opened)
        elif found:
            st.caption(here.t("evidence.nearest"))
        _list(here, answer, found, key)
    if opened:
        with columns[1]:
            _viewer(here, opened, key)


def _opened(key: str, found: list[Source]) -> Source | None:
    number = st.session_state.get(f"{key}-opened")
    return next((source for source in found if source.number == number), None)


def _toggle(key: str, number: int | None) -> None:
    slot = f"{key}-opened"
    st.session_state[slot] = None if st.session_state.get(slot) == number else number


def _text(here: Here, answer: Answer, key: str, opened: Source | None) -> None:
    t = here.t
    slot = f"{key}-text"
    data = {
        "pieces": [] if is_markdown(answer) else [asdict(piece) for piece in pieces(answer)],
        "blocks": blocks(answer) if is_markdown(answer) else None,
        "labels": {"open": t("evidence.source"), "contradicted": t("evidence.contradicted", text="{text}")},
        "opened": opened.number if opened else None,
        "viewer": "st-key-" + re.sub(r"[^\w-]", "-", f"{key}-viewer"),  # the class that Streamlit gives its container
    }

    def pressed() -> None:
        number = st.session_state[slot].pressed
        if isinstance(number, int | float):  # it comes from the browser
            _toggle(key, int(number))

    _cited_text()(key=slot, data=data, on_pressed_change=pressed)


@cache
def _cited_text() -> Any:
    files = ((_FOLDER / f"cited_text.{ending}").read_text(encoding="utf-8") for ending in ("css", "js"))
    css, js = files
    return st.components.v2.component("rag_cited_text", html='<div class="text"></div>', css=css, js=js)


def _list(here: Here, answer: Answer, found: list[Source], key: str) -> None:
    if not found:
        if not answer.abstained and not without_sources(answer):
            st.caption(here.t("evidence.none"))
        return
    for source in found:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            name = f"{key}-source-{source.number}"
            message = here.t("evidence.open", n=source.number)
            st.button(str(source.number), key=name, help=message, on_click=_toggle, args=(key, source.number))
            where = place(here.t, source)
            st.html(block(short_name(source.passage.source), "name") + (block(where, "place") if where else ""))


def _viewer(here: Here, source: Source, key: str) -> None:
    t, passage = here.t, source.passage
    with st.container(border=True, key=f"{key}-viewer"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.html(block(short_name(passage.source), "name"))
            st.button(
                t("evidence.close"), key=f"{key}-close", type="tertiary", on_click=_toggle, args=(key, source.number)
            )
        where = place(t, source)
        if where:
            st.html(block(where, "place"))
        original = _original(here, source)
        if original is not None and original.is_drawable and passage.page is not None:
            _page(here, source, original)
        elif original is not None and original.state != "same":
            st.caption(t(f"evidence.{original.state}"))
        st.html(cited_html(source))
        st.html(block(passage.source, "note"))


def _original(here: Here, source: Source) -> Original | None:
    from rag.ingestion.source_files import find_original

    try:
        upload = uploads_of(here.settings, here.index).path(source.passage.source)
        return find_original(here.index, source.passage, upload)
    except FAILURES:  # no index, a damaged one: the page says that elsewhere, and the words are in the answer
        st.caption(here.t("evidence.unknown"))
        return None


def _page(here: Here, source: Source, original: Original) -> None:
    t, passage = here.t, source.passage
    from rag.ingestion.loaders.pdf_page import compact

    before = original.before + len(compact(passage.text[: source.start])) if source.page == passage.page else 0
    try:
        with st.spinner(t("evidence.drawing")):
            page = source.page or 1
            start = passage.start + source.start
            places = tuple(original.places(page, start, start + len(source.quote)))
            image = _drawn(original.sha256, page, source.quote, before, places, original.data)
    except (DocumentError, RagError) as error:
        st.caption(t("evidence.undrawn"))
        st.text(error.message)
        return
    st.image(image.png, width="stretch")
    message = t("evidence.boxed") if image.boxes else t("evidence.unboxed")
    st.caption(f"{t('evidence.page_of', page=source.page, pages=original.pages)} {message}")


@st.cache_data(max_entries=64, show_spinner=False)
def _drawn(sha256: bytes, page: int, quote: str, before: int, places: tuple[Rectangle, ...], _data: bytes) -> PageImage:
    """Draw a page once: the hash of the file stands for its content."""
    del sha256  # only the key of the cache
    return _drawers().render_page(_data, page, quote, before, places)


@st.cache_resource(show_spinner=False)
def _drawers() -> ParserPool:
    from rag.ingestion.sandbox import Limits, ParserPool

    return ParserPool(1, Limits(wall_seconds=_DRAW_SECONDS, cpu_seconds=_DRAW_SECONDS))
