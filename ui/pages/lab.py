"""The search lab: one question, the retrievers side by side, and where an expected document was lost."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import streamlit as st

from rag.config import Config, load_config
from rag.errors import FAILURES, RagError
from rag.factory import open_index
from rag.ops.index_folders import holds_index
from rag.retrieval.retriever import MAX_QUESTION_CHARS, check_question
from ui.components.filter import chosen_filter
from ui.components.frame import Here, show_failure, showing_failures
from ui.jobs.background import engines
from ui.text.failures import failure_of
from ui.text.safe import distinct, escape, one_line
from ui.views.documents import name_of
from ui.views.lab import asked_terms, card_html, columns, expected_page, matched, settings_of, why_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rag.knowledge_base import KnowledgeBase
    from rag.retrieval.rerankers import Reranker
    from rag.retrieval.retriever import Retrieved

__all__ = ["show"]

_MOST_K = 50
_VALUES, _NUMBER = "lab_values", "lab_number"
_DEPTH = 100  # how far places in other columns are known


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    st.header(t("app.lab"))
    with showing_failures():
        if not holds_index(here.index):
            st.text(t("documents.empty"))
            return
        config = here.engine().resolved.config
        question, changed = _draw_settings(here, config)
        if only := chosen_filter():
            st.text(t("lab.filter", filter=one_line(str(only), 300)))
        sources = _sources(here, config)
        expected, page = _draw_expected(here, sources)
        if not question.strip():
            st.text(t("lab.ask_first"))
            return
        engine = here.engine()
        with st.spinner(t("app.starting", seconds=round(engine.state.seconds))):
            knowledge_base = engine.knowledge_base()
            reranker = _reranker(here, changed)
            found = _search(knowledge_base, check_question(question), changed, reranker)
        if expected:
            with st.container(border=True):
                _draw_why(here, knowledge_base, question, expected, page, changed)
        _draw_columns(here, knowledge_base, found, changed.retrieval.k, expected, page)


def _draw_settings(here: Here, config: Config) -> tuple[str, Config]:
    """Draw question and sliders; return the question and the configuration that they make."""
    t, part, state = here.t, config.retrieval, st.session_state
    # Values are passed to the widgets, not set in their state: another number in a key creates a new widget.
    values = state.setdefault(_VALUES, {"lab_k": min(part.k, _MOST_K), "lab_weight": part.dense_weight})
    number = state.get(_NUMBER, 0)
    question = st.text_input(
        t("lab.question"), placeholder=t("lab.question_hint"), key="lab_question", max_chars=MAX_QUESTION_CHARS
    )
    left, right = st.columns(2)
    k = left.slider(t("lab.k"), 1, _MOST_K, int(values["lab_k"]), key=f"lab_k_{number}")
    weight = right.slider(
        t("lab.weight"), 0.0, 1.0, float(values["lab_weight"]), 0.05, key=f"lab_weight_{number}",
        help=t("lab.weight_help"),
    )  # fmt: skip
    state[_VALUES] = {"lab_k": k, "lab_weight": weight}  # for when the page is shown again
    assignments = (*here.settings.assignments, f"retrieval.k={k}", f"retrieval.dense_weight={weight:.2f}")
    return question, load_config(here.settings.config, assignments).config


def _sources(here: Here, config: Config) -> dict[str, int | None]:
    with closing(open_index(here.index, config).store) as store:
        return {row.source: row.pages for row in store.documents() if row.state != "failed"}


def _draw_expected(here: Here, sources: Mapping[str, int | None]) -> tuple[str | None, int | None]:
    t = here.t
    if st.session_state.get("lab_expect") not in sources:
        st.session_state["lab_expect"] = None
    left, right = st.columns([3, 1])
    expected = left.selectbox(
        t("lab.expect"),
        list(sources),
        index=None,
        format_func=distinct(sources, name_of),
        key="lab_expect",
        placeholder=t("lab.expect_hint"),
    )
    typed = right.text_input(t("lab.expect_page"), key="lab_page", disabled=not expected, max_chars=6)
    try:
        return expected, expected_page(typed) if expected and sources[expected] else None
    except ValueError:
        right.text(t("lab.page_wrong"))
        return expected, None


def _reranker(here: Here, config: Config) -> Reranker | None:
    """Return the reranker that is configured, else the reader as one; None where it cannot be loaded."""
    part = config.retrieval
    asked = config if part.rerank != "off" else _with(here, config, "retrieval.rerank=reader")
    try:
        return engines().reranker(asked)
    except RagError as error:
        st.text(here.t("lab.no_reranker", message=one_line(error.message, 300)))
        return None


def _with(here: Here, config: Config, *assignments: str) -> Config:
    part = config.retrieval
    now = (f"retrieval.k={part.k}", f"retrieval.dense_weight={part.dense_weight:.2f}")
    return load_config(here.settings.config, (*here.settings.assignments, *now, *assignments)).config


def _search(
    knowledge_base: KnowledgeBase, question: str, config: Config, reranker: Reranker | None
) -> dict[str, Retrieved]:
    """Ask every retriever, all over the same reader and embedder."""
    found, only = {}, chosen_filter()
    fusion = config.retrieval.fusion if config.retrieval.fusion in ("zscore", "rrf") else "zscore"
    for name, kind in (("dense", "dense"), ("lexical", "lexical"), ("hybrid", fusion), ("reranked", fusion)):
        if name == "reranked" and reranker is None:
            continue
        reranks = config.retrieval.rerank if config.retrieval.rerank != "off" else "reader"
        update = {"fusion": kind, "rerank": reranks if name == "reranked" else "off"}
        part = config.retrieval.model_copy(update=update)
        varied = knowledge_base.retriever.with_settings(part, reranker)
        found[name] = varied.retrieve(question, only=only, k=max(_DEPTH, part.k))
    return found


def _draw_columns(
    here: Here,
    knowledge_base: KnowledgeBase,
    found: dict[str, Retrieved],
    k: int,
    expected: str | None,
    page: int | None,
) -> None:
    t = here.t
    lexical = knowledge_base.retriever.reader.snapshot().lexical
    asked = asked_terms(next(iter(found.values())).question, lexical.terms)
    for place, column in zip(st.columns(len(found)), columns(found, k), strict=True):
        with place:
            st.markdown(f"#### {t(f'lab.{column.name}')}")
            st.caption(f"{t(f'lab.about_{column.name}')} · {t('lab.seconds', ms=round(1000 * column.seconds))}")
            if not column.cards:
                st.text(t("lab.nothing"))
            for card in column.cards:
                hit = card.passage.source == expected and page in (None, card.passage.page)
                spans = matched(card.passage.text, asked, lexical.terms)
                st.html(card_html(card, spans, t, expected=hit, among=tuple(found)))


def _draw_why(
    here: Here, knowledge_base: KnowledgeBase, question: str, expected: str, page: int | None, config: Config
) -> None:
    from rag.factory import make_packer
    from rag.ops.explain import why

    t, part, only = here.t, config.retrieval, chosen_filter()
    st.html(f'<div class="lab-head">{escape(name_of(expected))}</div>')  # a heading would be Markdown
    try:
        found = why(
            check_question(question), expected, page, config,
            knowledge_base.retriever, make_packer, only,
        )  # fmt: skip
    except FAILURES as error:
        show_failure(failure_of(error))
        return
    for sentence in why_lines(found, part.k, part.candidates, only, t):
        st.text(sentence)
    if found.changes:
        st.text(t("lab.changes"))
    for number, change in enumerate(found.changes):
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.text("  ".join(f"{key} = {value}" for key, value in change.settings.items()))
        ours = settings_of(change)
        if ours:
            button.button(t("lab.apply"), key=f"lab_apply_{number}", on_click=_apply, args=(ours,))


def _apply(values: dict[str, int | float]) -> None:
    st.session_state[_VALUES] = {**st.session_state[_VALUES], **values}
    st.session_state[_NUMBER] = st.session_state.get(_NUMBER, 0) + 1
