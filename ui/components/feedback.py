"""Thumbs under an answer, and after a thumb down the right words: they become a case that ``rag eval`` asks.

Names of documents and beginnings of passages are options of select boxes, which Streamlit shows as plain text.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import streamlit as st

from rag.errors import InputError
from rag.types import Answer
from ui.components.frame import Here, showing_failures
from ui.storage.feedback import Case, FeedbackStore, Rating, find_words
from ui.text.safe import distinct, one_line
from ui.views.words import place, short_name

if TYPE_CHECKING:
    from rag.types import Passage

__all__ = ["show_feedback"]

_REASONS = ("wrong", "incomplete", "source", "missed", "other")
_WHERE = ("unknown", "passage", "document", "nowhere")


@st.fragment
def show_feedback(here: Here, question: str, answer: Answer, key: str) -> None:
    """Show the thumbs of an answer; ``question`` is what was retrieved for, ``key`` the answer's own."""
    thumb = st.feedback("thumbs", key=f"{key}-thumb")
    if thumb is None:
        return
    with showing_failures():
        store = FeedbackStore(here.settings.state)
        if st.session_state.get(f"{key}-rated") != thumb:
            store.rate(_rating(question, answer, key, up=bool(thumb)))
            st.session_state[f"{key}-rated"] = thumb
        if thumb:
            st.caption(here.t("feedback.thanks"))
        else:
            _correction(here, store, question, answer, key)


def _rating(question: str, answer: Answer, key: str, *, up: bool, reason: str = "", comment: str = "") -> Rating:
    return Rating(
        answer_id=key,
        question=question,
        answer=answer.essence,
        thumb="up" if up else "down",
        reason=reason,
        comment=comment,
        sources=tuple(dict.fromkeys(citation.passage.source for citation in answer.citations)),
        generator=answer.generator,
        generation=answer.generation,
    )


def _correction(here: Here, store: FeedbackStore, question: str, answer: Answer, key: str) -> None:
    t = here.t
    with st.container(border=True):
        reason = st.pills(
            t("feedback.reason"), _REASONS, format_func=lambda name: t(f"feedback.{name}"), key=f"{key}-reason"
        )
        comment = st.text_input(t("feedback.comment"), max_chars=1000, key=f"{key}-comment")
        where = st.radio(
            t("feedback.where"), _WHERE, format_func=lambda name: t(f"feedback.at_{name}"), key=f"{key}-where"
        )
        passage, words = None, ""
        if where == "passage":
            passage = _choose_passage(here, answer, key)
        elif where == "document":
            words = st.text_area(t("feedback.words"), max_chars=4000, key=f"{key}-words")
            passage = _choose_in_document(here, words, key)
        if where == "passage" and passage is not None:
            st.text(passage.text)
            words = st.text_area(t("feedback.words"), max_chars=4000, key=f"{key}-words")
        if not st.button(t("feedback.save"), type="primary", key=f"{key}-save"):
            return
        with showing_failures():
            case = _case(here, question, answer, where, passage, words)
            store.rate(_rating(question, answer, key, up=False, reason=reason or "", comment=comment))
            if case is None:
                st.caption(t("feedback.thanks"))
            else:
                st.caption(t("feedback.saved", n=store.add(case)))
                st.code(
                    shlex.join(["rag", "eval", str(store.cases_file), "--mode", "gold"]), language=None, wrap_lines=True
                )


def _case(here: Here, question: str, answer: Answer, where: str, passage: Passage | None, words: str) -> Case | None:
    t = here.t
    if where == "unknown":
        return None
    if where == "nowhere":
        nearest = answer.passages[:1]
        return Case(question, nearest[0].source, nearest[0].text) if nearest else None
    if not words.strip():
        raise InputError(t("feedback.no_words"), t("feedback.copy"))
    found = find_words(passage.text, words) if passage is not None else None
    if passage is None or found is None:
        raise InputError(t("feedback.not_there"), t("feedback.copy"))
    return Case(question, passage.source, passage.text, *found)


def _choose_passage(here: Here, answer: Answer, key: str) -> Passage | None:
    passages = [*answer.passages, *(drop.passage for drop in answer.dropped)]
    if not passages:
        st.caption(here.t("feedback.no_passages"))
        return None

    def shown(number: int) -> str:
        passage = passages[number]
        parts = (short_name(passage.source), place(here.t, passage), one_line(passage.text, 80))
        return f"{number + 1}. " + " · ".join(part for part in parts if part)

    number = st.selectbox(here.t("feedback.passage"), range(len(passages)), format_func=shown, key=f"{key}-passage")
    return passages[number]


def _choose_in_document(here: Here, words: str, key: str) -> Passage | None:
    """Let the user choose a document; return its chunk that holds the words."""
    from rag.ingestion.source_files import passage_with

    store = here.engine().knowledge_base().retriever.reader.store
    names = [row.source for row in store.documents() if row.state != "failed"]
    source = st.selectbox(
        here.t("feedback.document"),
        names,
        index=None,
        format_func=distinct(names, lambda name: one_line(name, 120)),
        key=f"{key}-source",
    )
    if source is None or not words.strip():
        return None
    return passage_with(store, source, lambda text: find_words(text, words))
