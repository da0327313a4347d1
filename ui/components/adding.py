"""Adding documents: the file drop, a path on this machine, and how the ingestions of a collection stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from rag.errors import Failure
from rag.ops.index_folders import writer_of
from ui.components.frame import Here, say_failure
from ui.jobs.ingesting import Ingestion, Work, ingestions
from ui.storage.collections import uploads_of
from ui.storage.uploads import Incoming, Refused, StoredUpload, check
from ui.text.safe import one_line
from ui.views.documents import done_line, name_of, reason, refused_line, sentence, standing, stored_line

__all__ = ["begin", "draw_adding", "draw_ingestions", "forget_messages"]

_EVERY_S = 1.0
_MESSAGES = "documents_by_state"


def begin(
    here: Here, *, files: Sequence[tuple[Path, str]] = (), paths: Sequence[str] = (), reread: bool = False
) -> None:
    """Begin an ingestion into the collection; every session that looks at it sees it."""
    named = tuple((str(path), source) for path, source in files)
    work = Work(here.index, here.settings.config, here.settings.assignments, named, tuple(paths), reread)
    ingestions().begin(work)


def draw_adding(here: Here) -> None:
    """Draw the ways to add documents, and what came of the last files."""
    t, settings = here.t, here.settings
    ways = ["files", "folder", *(["path"] if settings.paths else [])]
    with st.container(border=True):
        way = st.segmented_control(
            t("documents.add"), ways, format_func=lambda w: t(f"documents.add_{w}"), default="files",
            key="documents_way", required=True,
        )  # fmt: skip
        if way == "path":
            _draw_path(here)
        else:
            # A form releases the files' bytes once they are stored.
            with st.form(f"documents_drop_{way}", clear_on_submit=True, border=False):
                dropped = st.file_uploader(
                    t(f"documents.drop_{way}"),
                    accept_multiple_files=True if way == "files" else "directory",
                    key=f"documents_files_{way}",
                )
                size = t.size(settings.upload_mb * 10**6)
                st.caption(t("documents.limits", size=size, files=settings.upload_files))
                if st.form_submit_button(t("documents.add_button"), icon=":material/add:"):
                    _take(here, [Incoming(file.name, file.getvalue()) for file in dropped])
        # It stays until the next files come or its document is deleted: the page runs again when the ingestion ends,
        # seconds later.
        for _, message in st.session_state.get(_MESSAGES, {}).get(here.index, ()):
            st.text(message)


def forget_messages(here: Here, sources: Sequence[str]) -> None:
    """Say no longer of documents that were deleted that their files were taken."""
    found = st.session_state.get(_MESSAGES, {}).get(here.index, ())
    st.session_state[_MESSAGES] = {
        here.index: [(source, message) for source, message in found if source not in sources]
    }


def _take(here: Here, files: Sequence[Incoming]) -> None:
    """Check, store and ingest what was dropped; without files, say that none has arrived."""
    settings, t = here.settings, here.t
    taken, refused = check(files, most_bytes=settings.upload_mb * 2**20, most_files=settings.upload_files)
    uploads = uploads_of(settings, here.index)
    stored: list[StoredUpload] = []
    for file in taken:
        outcome = uploads.keep(file)
        if isinstance(outcome, Refused):
            refused.append(outcome)
        else:
            stored.append(outcome)
    if stored:
        # The last one of a name is what lies there now.
        paths = {one.source: uploads.folder / one.path for one in stored}
        begin(here, files=[(path, source) for source, path in paths.items()])
    limits = {"megabytes": settings.upload_mb, "files": settings.upload_files}
    messages = [(one.source, stored_line(one, t)) for one in stored]
    messages += [("", refused_line(one, t, **limits)) for one in refused]
    if not files:  # Add was pressed before the upload ended
        messages = [("", t("documents.none_arrived"))]
    st.session_state[_MESSAGES] = {here.index: messages}


def _draw_path(here: Here) -> None:
    t = here.t
    with st.form("documents_path", border=False):
        path = st.text_input(t("documents.path"), key="documents_path_text")
        if not st.form_submit_button(t("documents.path_button")):
            return
    try:
        named = Path(path.strip()).expanduser()
        allowed = bool(path.strip()) and here.settings.may_name(named)
        there = allowed and named.exists()
    except (OSError, ValueError, RuntimeError):  # a null byte, a name that is too long, a home that is not known
        allowed, there = bool(path.strip()), False
    if there:
        begin(here, paths=[str(named.resolve())])
    elif allowed:
        st.text(t("documents.path_missing"))
    else:  # whether it exists is not revealed
        st.text(t("documents.path_refused", folders=", ".join(one_line(str(p), 100) for p in here.settings.paths)))


def draw_ingestions(here: Here) -> None:
    """Draw what is going on in the collection and how the last ingestion ended.

    While something goes on the part redraws itself; at its end the page is run again, once, to show the documents.
    """
    busy = ingestions().running(here.index) is not None or writer_of(here.index) is not None
    st.fragment(_draw_ingestions, run_every=_EVERY_S if busy else None)(here, busy)


def _draw_ingestions(here: Here, was_busy: bool) -> None:
    t = here.t
    jobs = ingestions().of(here.index)
    writer = writer_of(here.index)
    if was_busy and writer is None and all(job.over for job in jobs):
        st.rerun(scope="app")
    if not any(not job.over for job in jobs) and writer is not None:
        st.text(
            t("documents.locked", purpose=writer.purpose, pid=str(writer.pid), host=writer.host, since=writer.since)
        )
    for job in jobs:
        if not job.over:
            _draw_running(here, job)
    if jobs and jobs[-1].over:
        _draw_over(here, jobs[-1])


def _draw_running(here: Here, job: Ingestion) -> None:
    t, shown = here.t, standing(job, here.t)
    with st.container(border=True):
        st.progress(shown.share or 0.0, text=shown.sentence)
        if shown.figures:
            st.text(shown.figures)
        for name, state in shown.files[:8]:
            st.text(f"{name} — {state}")
        if left := shown.more + len(shown.files[8:]):
            st.text(t("documents.more_files", n=left))
        st.button(
            t("documents.cancel"), key=f"cancel_{job.number}", on_click=ingestions().cancel, args=(job.number,),
            disabled=job.status == "cancelling",
        )  # fmt: skip


def _draw_over(here: Here, job: Ingestion) -> None:
    t = here.t
    with st.container(border=True):
        if job.status == "done":
            st.text(done_line(job, t))
            if alike := (job.report.get("same") or 0) + (job.report.get("near") or 0):
                st.text(t("documents.alike", n=alike))
            for failed in job.failures[:10]:
                message, remedy = reason(t, failed)
                st.text(f"{name_of(failed.source)}: {message} {remedy}")
            if job.skipped:
                message = ", ".join(f"{count} {one_line(what, 40)}" for what, count in sorted(job.skipped.items()))
                st.text(t("documents.skipped", message=message))
        elif job.status == "cancelled":
            st.text(t("documents.cancelled"))
        elif job.status == "crashed":
            st.text(t("documents.crashed", message=one_line(job.message, 200)))
        else:
            say_failure(Failure(sentence(job.message), sentence(job.remedy), 1, job.kind))
        with st.container(horizontal=True):
            again = job.status != "done" and st.button(t("documents.try_again"), key=f"again_{job.number}")
            close = st.button(t("documents.dismiss"), key=f"dismiss_{job.number}")
        if again:
            ingestions().begin(job.work)
        if again or close:
            ingestions().dismiss(job.number)
            st.rerun(scope="app")
