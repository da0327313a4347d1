"""The chat page: a question, its answer as it comes, what stands behind it; and the chats in the sidebar.

The browser watches that a coming answer is in sight, and that the page is drawn to its end: Streamlit's stop button
ends the script and draws nothing, so the page must be requested again. A fragment that asks by the clock would do so
while the script runs too: such a request waits for its end, and where the browser hears of both ends at once, the
chat's field stays locked. The browser knows when the script has ended, and asks only then. What it does not see is a
script that was stopped before it came to the call of :func:`_watch_answer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from rag.generation.registry import GENERATORS
from rag.retrieval.filters import Filter
from rag.types import Answer
from ui.components.evidence import show_answer
from ui.components.feedback import show_feedback
from ui.components.filter import chosen_filter, draw_fields
from ui.components.frame import Here, show_failure, showing_failures
from ui.components.prompt import draw_prompt, prompt_settings
from ui.components.why import show_why
from ui.i18n import Texts
from ui.jobs.asking import Asking, Event
from ui.jobs.background import Engine
from ui.server.metrics import metrics
from ui.storage.chats import Chats, Conversation, Turn
from ui.text.markdown import markdown_html
from ui.text.safe import escape, inert, one_line
from ui.views import chat as view
from ui.views import chat_export as export
from ui.views.words import noted

__all__ = ["show"]

LAST_RUN_ENDS_WITHIN_S = 5.0
STANDS_FOR_S = 0.35  # what a run has not drawn again stays in the browser, which lets it fade, slowly, from .5 s on
MOST_ROWS = 40
Ways = Mapping[str, tuple[str, ...]]  # by name in the table of texts, the settings that choose each way to answer


def show(here: Here) -> None:
    """Draw the page. The field comes first: a visitor waits for it.

    A run with a question asks it before it draws anything, then draws its answer. What stood on the page before stands
    there still: its places stay, and it is drawn again only where the answer takes longer than ``STANDS_FOR_S``. A
    run that ends with ``st.rerun`` takes away nothing that it has not drawn. One that is stopped does, and widgets
    lose their state with it, until the page is drawn again.
    """
    now = _conversation(here)
    question = st.chat_input(here.t("chat.ask"), key="question", submit_mode="stop")
    replaced = _to_ask_again(now)
    asked = question or (replaced.question if replaced else "")
    _watch_answer(asks=bool(asked))
    with showing_failures():
        ways = view.choices(here.engine_config())
        engine = here.engine(*_chosen(here, ways))
        if asked:
            with _asked(now, engine, asked, replaced) as asking:
                _draw_coming(_Page(here, now, engine, ways, coming=True), asking)
            st.rerun()
        _Page(here, now, engine, ways).draw()
        _address(now)
        return
    _draw_list(here, now)


class _Page:
    """The chat as it is, without what is coming. Made, it takes its places; what stood in them stays in sight."""

    def __init__(self, here: Here, now: Conversation, engine: Engine, ways: Ways, *, coming: bool = False) -> None:
        self.here, self.engine = here, engine
        self._now, self._ways = now, ways
        self._choices = st.container(horizontal=True, vertical_alignment="bottom")
        with st.container():
            if not coming:  # a coming question shows this too, and a timer's requests would queue behind it
                _show_loading(here, engine)
        if now.unsaved is not None:
            show_failure(now.unsaved)
        if not now.chat.turns:
            st.html(f'<p class="rag-quiet">{escape(here.t("chat.welcome"))}</p>')
        self._turns = [(turn, st.chat_message("user"), st.chat_message("assistant")) for turn in now.chat.turns]

    def draw(self) -> None:
        """Fill the places, the newest turn's first: it is the one that is waited for."""
        for turn, question, answer in reversed(self._turns):
            question.html(f'<div class="rag-text">{escape(turn.question)}</div>')
            with answer, showing_failures():  # a turn that cannot be shown does not affect the others
                _show_answer(self.here, turn)
                _show_actions(self.here, turn, last=turn is self._now.chat.turns[-1])
        with self._choices:
            _draw_choices(self.here, self._now, self._ways)
        _draw_list(self.here, self._now)


def _conversation(here: Here) -> Conversation:
    """Return the session's chat: the one that is open, else the one in the address, else a new one."""
    now: Conversation | None = st.session_state.get("conversation")
    if now is None:
        now = st.session_state["conversation"] = Conversation(Chats(here.settings.state), here.owner)
        now.begin(str(here.index))
        now.wanted = st.query_params.get("chat")
    if now.asking.acquire(timeout=LAST_RUN_ENDS_WITHIN_S):
        now.asking.release()
    with showing_failures():
        now.turn_over(str(here.index))
    return now


def _address(now: Conversation) -> None:
    """Put the open chat into the page's address, so that a reload finds it."""
    if now.chat.turns and now.owner is not None and st.query_params.get("chat") != now.chat.id:
        st.query_params["chat"] = now.chat.id
    elif not now.chat.turns and "chat" in st.query_params:
        del st.query_params["chat"]


def _engine_of(here: Here, turn: Turn) -> Engine:
    """Return the engine that answered a turn; the chosen one if its settings are no longer offered."""
    ways = view.choices(here.engine_config())
    for assignments in ways.values():
        own = (*assignments, *prompt_settings(here.resolved(*assignments).config))
        for settings in (assignments, own):
            if here.resolved(*settings).config.digest() == turn.config:
                return here.engine(*settings)
    return here.engine(*_chosen(here, ways))


def _chosen(here: Here, ways: Ways) -> tuple[str, ...]:
    """Return what the chosen way to answer and the session's own prompt set."""
    way = _way(ways)
    return (*way, *prompt_settings(here.resolved(*way).config))


def _way(ways: Ways) -> tuple[str, ...]:
    """Return what the chosen way to answer sets. Its widget is drawn later, and its state is there already.

    It is stored beside the widget's own state, which goes with a run that is stopped before the widget is drawn.
    """
    chosen: str = st.session_state.get("way") or st.session_state.get("chosen_way") or ""
    if chosen not in ways:
        chosen = next(iter(ways))
    st.session_state["chosen_way"] = chosen
    return ways[chosen]


def _draw_choices(here: Here, now: Conversation, ways: Ways) -> None:
    """Draw the line of choices."""
    t = here.t
    st.session_state["way"] = st.session_state["chosen_way"]  # also for the browser, which may have lost it
    st.segmented_control(
        t("chat.answer_by"), list(ways), format_func=lambda name: t(f"chat.{name}"), key="way", required=True,
        help=t("chat.answer_by_help"),
    )  # fmt: skip
    chosen = t("chat.filter") if chosen_filter() is None else t("chat.filter_on")
    with st.popover(chosen, icon=":material/filter_alt:"):
        draw_fields(t)
    draw_prompt(here, here.resolved(*_way(ways)).config)
    _draw_menu(here, now)


def _show_loading(here: Here, engine: Engine) -> None:
    """Show how far the models are, in a place that looks again by itself until they are there."""
    state = engine.state
    if state.status == "failed" and state.failure is not None:
        show_failure(state.failure)
        st.button(here.t("chat.try_again"), key="try_again")
    elif state.status == "starting":

        @st.fragment(run_every=1.0)
        def look() -> None:
            if engine.state.status == "starting":
                st.caption(here.t("chat.loading_note", seconds=round(engine.state.seconds)))
            else:
                st.rerun()

        look()


def _show_actions(here: Here, turn: Turn, *, last: bool) -> None:
    t = here.t
    with st.container(horizontal=True):
        if turn.said:
            with st.popover(t("chat.copy"), icon=":material/content_copy:", type="tertiary"):
                st.code(view.plain_text(turn, t), language=None, wrap_lines=True)
        if last:
            st.button(
                t("chat.again"), key=f"again_{turn.id}", icon=":material/refresh:", type="tertiary",
                shortcut="Mod+Shift+Y", on_click=lambda: st.session_state.update(again=turn.id),
            )  # fmt: skip


def _to_ask_again(now: Conversation) -> Turn | None:
    wanted = st.session_state.pop("again", None)
    return next((turn for turn in now.chat.turns if turn.id == wanted), None)


# One answer, as it comes ------------------------------------------------------------------------------------------


@contextmanager
def _asked(now: Conversation, engine: Engine, question: str, replaced: Turn | None) -> Iterator[Asking]:
    """Ask at once. However the script ends inside, the engine is stopped and the text so far is stored."""
    chat = now.chat
    with now.asking:
        asking = Asking(engine, question, only=chosen_filter(), history=view.history(chat.turns, replaced))
        try:
            yield asking
        finally:  # also where Streamlit ends the script: by its stop button, a click elsewhere, a closed tab
            asking.stop()
            turn = view.to_turn(question, asking.outcome(), engine.resolved.config)
            if turn.answer is not None:
                metrics().record(turn.answer, first_piece_s=turn.clock.first_text, stopped=turn.stopped)
            now.store(turn if replaced is None else replace(turn, id=replaced.id), chat)


def _draw_coming(page: _Page, asking: Asking) -> None:
    """Draw a question and its events until there are no more. At every turn of the loop Streamlit may end us."""
    with st.chat_message("user"):
        st.html(f'<div class="rag-text">{escape(one_line(asking.question, 4000))}</div>')
    with st.chat_message("assistant"):
        _draw_events(page, asking)


def _draw_events(page: _Page, asking: Asking) -> None:
    t, status, place = page.here.t, st.empty(), st.empty()
    st.button(t("chat.stop"), key="stop", shortcut="Esc", type="tertiary", icon=":material/stop_circle:")
    shown = said = ""
    writes = GENERATORS[page.engine.resolved.config.generator.type].make_extractor is None
    stale_at: float | None = time.monotonic() + STANDS_FOR_S
    for event in asking.events():
        shown += event.text
        if event.text:
            place.html(markdown_html(shown) if writes else f'<div class="rag-text">{escape(shown)}</div>')
        status_now = _status(page, event) or said
        if status_now != said:
            said = status_now
            status.html(f'<p class="rag-quiet">{escape(said)}</p>')
        if stale_at is not None and time.monotonic() > stale_at:
            stale_at = None
            page.draw()
        st.session_state.get("stop")


def _status(page: _Page, event: Event) -> str:
    t = page.here.t
    if event.passages is not None:
        reading = t("chat.reading", n=len(event.passages))
        asked = event.understood
        return reading if asked is None or not asked.changed else f"{_understood(t, asked.question)} {reading}"
    state = page.engine.state
    return t("chat.waiting", seconds=round(state.seconds)) if state.status == "starting" else ""


def _understood(t: Texts, question: str) -> str:
    return t("chat.understood", question=one_line(question, 400))


# One answer, whole ------------------------------------------------------------------------------------------------


def _show_answer(here: Here, turn: Turn) -> None:
    """Show what came of a question. The one place where the page shows an answer."""
    t, answer = here.t, turn.answer
    if answer is not None and view.was_rewritten(turn):
        st.html(f'<p class="rag-quiet">{escape(_understood(t, answer.question))}</p>')
    if answer is not None and answer.abstained:
        _show_absence(t, turn)
    if answer is not None and answer.text:
        show_answer(here, answer, f"turn-{turn.id}")
    elif turn.shown:
        st.html(f'<div class="rag-text">{escape(turn.shown)}</div>')
    for line in view.ending(turn, t):
        st.caption(line)
    if turn.failure is not None:
        show_failure(turn.failure)
    if answer is not None:
        _show_account(t, turn, answer)
        only = Filter.parse(turn.filter) if turn.filter else None
        show_why(here, answer.question, answer, f"turn-{turn.id}", lambda: _engine_of(here, turn), only)
        show_feedback(here, answer.question, answer, f"turn-{turn.id}")


def _show_absence(t: Texts, turn: Turn) -> None:
    title, *reasons = view.no_answer(turn, t)
    with st.container(border=True):
        st.markdown(f"**{title}**")
        for reason in reasons:
            st.text(reason)


def _show_account(t: Texts, turn: Turn, answer: Answer) -> None:
    """Show the confidence, which generator answered, and how long it took."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if sure := view.confidence(turn, t):
            colour = {"high": "green", "medium": "orange"}.get(turn.band, "gray")
            explained = t("chat.unrated_help" if view.is_unrated(turn) else "chat.band_help")
            st.badge(sure, color=colour, help=explained)  # type: ignore[arg-type]
        parts = [t("chat.answered_by", name=answer.generator)] if answer.generator else []
        parts += [t(f"chat.time_{key}", seconds=t.number(seconds, 2)) for key, seconds in view.times(turn.clock)]
        st.html(f'<p class="rag-quiet">{escape(" · ".join(parts))}</p>')
    for note in answer.notes:
        st.html(f'<p class="rag-quiet">{escape(noted(t, note))}</p>')


# The chats in the sidebar, and what can be done with the open one -----------------------------------------------------


def _draw_list(here: Here, now: Conversation) -> None:
    """Draw the list of chats into the sidebar."""
    t = here.t
    with st.sidebar, showing_failures():
        st.button(
            t("chat.new"), key="new_chat", icon=":material/add:", shortcut="Mod+Shift+O", width="stretch",
            on_click=now.want, args=("",),
        )  # fmt: skip
        if now.owner is None:
            st.caption(t("chat.no_owner"))
            return
        search = st.text_input(
            t("chat.search"), key="chat_search", placeholder=t("chat.search"), label_visibility="collapsed"
        )
        rows = now.rows(search)
        if not rows:
            st.caption(t("chat.none_found") if search else t("chat.none_yet"))
        for row in rows[:MOST_ROWS]:
            st.button(
                inert(one_line(row.title, 60)), key=f"chat_{row.id}", width="stretch", wrap=False,
                type="primary" if row.id == now.chat.id else "tertiary", on_click=now.want, args=(row.id,),
            )  # fmt: skip
        if len(rows) > MOST_ROWS:
            st.caption(t("chat.more", n=len(rows) - MOST_ROWS))


def _draw_menu(here: Here, now: Conversation) -> None:
    """Draw what can be done with the open chat: rename, export, delete."""
    t, chat = here.t, now.chat
    # Each chat has its own menu, so that of a deleted chat does not stay open.
    menu = st.popover(t("chat.open_chat"), icon=":material/more_horiz:", disabled=not chat.turns, key=f"menu_{chat.id}")
    with menu, showing_failures():
        if not chat.turns:
            return
        if now.owner is not None:
            # A form, so that the title is taken with the click and not with the loss of focus.
            with st.form(f"rename_{chat.id}", border=False):
                title = st.text_input(t("chat.title"), value=chat.title, max_chars=80)
                if st.form_submit_button(t("chat.rename")):
                    now.rename(title)
                    st.rerun()
        for key, suffix, mime, make in (
            ("chat.export_markdown", "md", "text/markdown", lambda: export.to_markdown(chat, t)),
            ("chat.export_json", "json", "application/json", lambda: export.to_json(chat)),
        ):
            name = export.file_name(chat, suffix)
            st.download_button(
                t(key), make, name, mime, key=f"export_{suffix}", on_click="ignore", width="stretch",
                icon=":material/download:",
            )  # fmt: skip
        with st.expander(t("chat.delete"), icon=":material/delete:"):
            st.text(t("chat.delete_sure"))
            if st.button(t("chat.delete_button"), key="delete_chat", type="primary"):
                now.delete(str(here.index))
                st.rerun()


def _watch_answer(*, asks: bool) -> None:
    """Watch, and bring the answer of a run that ``asks`` into sight: to be called in every run, at the same place."""
    _watcher()(key="watcher", data={"asks": asks}, on_ended_change=lambda: None)


@cache
def _watcher() -> Any:
    script = Path(__file__).with_name("watching.js").read_text(encoding="utf-8")
    return st.components.v2.component("rag_watcher", html="<div></div>", js=script)
