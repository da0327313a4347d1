"""The Documents page: add, look into, read again and delete documents; collections; the filter of all questions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from rag.config import Config, load_config
from rag.factory import open_index
from rag.ingestion.discovery import is_upload, is_web_page, source_path
from rag.ingestion.loaders.note_kinds import is_unread
from rag.ops.index_folders import holds_index, remove_documents
from ui.components.adding import begin, draw_adding, draw_ingestions, forget_messages
from ui.components.filter import chosen_filter, draw_filter
from ui.components.frame import Here, showing_failures
from ui.i18n import Texts
from ui.jobs.ingesting import Failed
from ui.storage.collections import create, delete, uploads_of
from ui.text.safe import distinct, one_line
from ui.views.documents import (
    WINDOW,
    changed,
    line,
    moment,
    name_of,
    note_lines,
    preview,
    reason,
    summary,
    window_of,
)

if TYPE_CHECKING:
    from rag.ops.index_folders import ChunkRow, DocumentRow

__all__ = ["show"]

_MOST_PROBLEMS = 50
_MOST_NOTES = 5  # of a document in the list; the document itself shows all
_MESSAGES = "documents_done"
_COLLECTION_MESSAGE = "collections_help"


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    st.header(t("app.documents"))
    draw_adding(here)
    draw_ingestions(here)
    if message := st.session_state.pop(_MESSAGES, ""):
        st.text(message)
    with showing_failures():
        config = load_config(here.settings.config, here.settings.assignments).config
        if holds_index(here.index):
            _draw_documents(here, config)
        else:
            st.text(t("documents.empty"))
    _draw_collections(here)


def _draw_documents(here: Here, config: Config) -> None:
    t = here.t
    only = chosen_filter()
    with closing(open_index(here.index, config).store) as store, store.reading():
        everything = store.documents()
        passing = store.documents(only.selection(store)) if only else everything
        near = [name for names in only.unmatched(store).values() for name in names] if only and not passing else []
        generation = store.generation
    if not everything:
        st.text(t("documents.empty"))
        return
    st.text(summary(everything, generation, t))
    _draw_problems(here, config, [row for row in everything if row.state != "ready"])
    _draw_notes(t, [row for row in everything if any(map(is_unread, row.notes))])
    draw_filter(t)
    if only:
        st.text(t("documents.filtered", n=len(passing), all=len(everything)))
    if not passing:
        st.text(t("documents.no_match"))
        if near:
            st.text(t("documents.similar_names", names=", ".join(one_line(name, 200) for name in near)))
        return
    st.dataframe([line(row, t) for row in passing], hide_index=True, width="stretch")
    rows = {row.source: row for row in passing}
    state = st.session_state
    state["documents_chosen"] = [source for source in state.get("documents_chosen", ()) if source in rows]
    chosen = st.multiselect(
        t("documents.chosen"), list(rows), format_func=distinct(rows, name_of), key="documents_chosen",
        placeholder=t("documents.chosen_hint"),
    )  # fmt: skip
    if chosen:
        _draw_actions(here, config, chosen)
    if len(chosen) == 1:
        _draw_one(here, config, rows[chosen[0]])


def _draw_problems(here: Here, config: Config, rows: Sequence[DocumentRow]) -> None:
    if not rows:
        return
    t = here.t
    with st.expander(t("documents.problems", n=len(rows)), expanded=True, icon=":material/error:"):
        for row in rows[:_MOST_PROBLEMS]:
            why, remedy = reason(t, Failed(row.source, row.reason or "", row.message or "", row.remedy or ""))
            words, again, remove = st.columns([5, 1, 1], vertical_alignment="center")
            words.text(f"{name_of(row.source)}: {why} {remedy}")
            if row.state == "stale":
                words.caption(t("documents.stale_note"))
            again.button(t("documents.retry"), key=f"retry_{row.id}", on_click=_reread, args=(here, [row.source]))
            removable = row.state == "failed" and is_upload(row.source)  # a folder's file would come back with it
            if removable and remove.button(t("documents.remove"), key=f"remove_{row.id}"):
                _delete(here, config, [row.source])
        if len(rows) > 1:
            every = [row.source for row in rows]
            st.button(t("documents.retry_all"), key="retry_all", on_click=_reread, args=(here, every))


def _draw_notes(t: Texts, rows: Sequence[DocumentRow]) -> None:
    if not rows:
        return
    with st.expander(t("documents.noted", n=len(rows)), icon=":material/info:"):
        for row in rows[:_MOST_PROBLEMS]:
            lines = note_lines(row, t)
            st.text("\n".join((name_of(row.source), *(f"– {line}" for line in lines[:_MOST_NOTES]))))
            if len(lines) > _MOST_NOTES:
                st.caption(t("documents.more_notes", n=len(lines) - _MOST_NOTES))


def _draw_actions(here: Here, config: Config, chosen: Sequence[str]) -> None:
    t = here.t
    again, delete, _ = st.columns([1, 1, 3])
    again.button(
        t("documents.reread"), key="documents_reread", icon=":material/refresh:", on_click=_reread, args=(here, chosen)
    )
    with delete.popover(t("documents.delete"), icon=":material/delete:"):
        st.text(t("documents.delete_sure", n=len(chosen)))
        if st.button(t("documents.delete_button", n=len(chosen)), type="primary", key="documents_delete"):
            _delete(here, config, chosen)


def _delete(here: Here, config: Config, sources: Sequence[str]) -> None:
    """Take documents out of the index, and uploaded files off the disk; then draw the page again."""
    with showing_failures():
        remove_documents(here.index, config, lambda _: sources, "deleting documents on the page")
        uploads = uploads_of(here.settings, here.index)
        for source in sources:
            if is_upload(source):
                uploads.forget(source)
        forget_messages(here, sources)
        st.session_state[_MESSAGES] = here.t("documents.deleted", n=len(sources))
        st.rerun()


def _reread(here: Here, sources: Sequence[str]) -> None:
    """Begin to read documents again; of uploads whose file is gone that is said."""
    uploads, root = uploads_of(here.settings, here.index), here.index.resolve().parent
    files: list[tuple[Path, str]] = []
    missing = []
    for source in sources:
        if is_web_page(source):
            missing.append(here.t("documents.reread_web", name=name_of(source)))
            continue
        path = uploads.path(source) if is_upload(source) else source_path(source, root)
        if path is None:
            missing.append(here.t("documents.reread_missing", name=name_of(source)))
        else:
            files.append((path, source))
    if files:
        begin(here, files=files, reread=True)
    st.session_state[_MESSAGES] = "\n".join(missing)


def _draw_one(here: Here, config: Config, row: DocumentRow) -> None:
    t = here.t
    facts = [
        (t("documents.source"), one_line(row.source, 1000)),
        (t("documents.title"), one_line(row.title)),
        (t("documents.type"), row.media_type),
        (t("documents.pages"), "–" if row.pages is None else t.number(row.pages)),
        (t("documents.chunks"), t.number(row.chunks)),
        (t("documents.size"), t.size(row.size)),
        (t("documents.modified"), t.date(changed(row.modified_ns)) if row.modified_ns else "–"),
        (t("documents.ingested"), t.date(moment(row.committed_at)) if row.committed_at else "–"),
        (t("documents.hash"), row.content_sha256.hex() if row.content_sha256 else "–"),
    ]
    with st.container(border=True):
        st.text("\n".join(f"{name}: {value}" for name, value in facts))
        if row.notes:
            st.text("\n".join((f"{t('documents.notes')}:", *(f"– {line}" for line in note_lines(row, t)))))
    st.subheader(t("documents.preview"))
    with closing(open_index(here.index, config).store) as store, store.reading():
        try:
            text, chunks = store.text(row.source), store.chunks_of(row.source)
        except KeyError:
            st.text(t("documents.preview_none"))
            return
    _draw_preview(here, row, text, chunks)


def _draw_preview(here: Here, row: DocumentRow, text: str, chunks: Sequence[ChunkRow]) -> None:
    t, part = here.t, 1
    st.caption(t("documents.preview_help"))
    parts = -(-len(text) // WINDOW)
    if parts > 1:
        part = int(st.number_input(t("documents.preview_go"), 1, parts, 1, key=f"part_{row.id}"))
    start, end = window_of((part - 1) * WINDOW, len(text))
    st.html(preview(text, chunks, start, end))
    st.caption(t("documents.preview_part", start=start + 1, end=end, length=len(text)))


# Collections ---------------------------------------------------------------------------------------------------------


def _draw_collections(here: Here) -> None:
    """Draw the ways to make and delete collections; a deletion wants the name typed."""
    t = here.t
    with st.expander(t("documents.collections"), icon=":material/library_books:"):
        st.caption(t("documents.collections_help"))
        if key := st.session_state.pop(_COLLECTION_MESSAGE, ""):
            st.text(t(key))
        with st.form("collection_create", border=False, clear_on_submit=True):
            name = st.text_input(t("documents.collection_name"), key="collection_name", max_chars=60)
            if st.form_submit_button(t("documents.collection_create")):
                with showing_failures():
                    _switch_to(create(here.settings, name).name, "documents.collection_created")
        with st.popover(t("documents.collection_delete"), icon=":material/delete:"):
            st.text(t("documents.collection_sure", name=here.index.name))
            typed = st.text_input(t("documents.collection_confirm"), key="collection_confirm")
            sure = typed.strip() == here.index.name
            if st.button(t("documents.collection_button"), disabled=not sure, type="primary", key="collection_delete"):
                with showing_failures():
                    delete(here.settings, here.index)
                    _switch_to(here.settings.index.name, "documents.collection_deleted")


def _switch_to(name: str, message: str) -> None:
    # The widget of the sidebar is drawn already in this run: its choice is made at the beginning of the next.
    st.session_state["collection_next"] = name
    st.session_state[_COLLECTION_MESSAGE] = message
    st.rerun()
