"""The chat page: a question, its answer as it comes, what stands behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from rag.config import Config
from rag.retrieval.filters import Filter
from ui.components import chat_list
from ui.components.evidence import show_answer
from ui.components.feedback import show_feedback
from ui.components.filter import chosen_filter, draw_fields
from ui.components.frame import Here, show_failure, showing_failures
from ui.components.watching import watch_answer
from ui.components.why import show_why
from ui.i18n import Texts
from ui.jobs.asking import Asking, Event
from ui.jobs.engines import Engine
from ui.server.metrics import metrics
from ui.storage.conversation import Conversation, again
from ui.storage.history import Chat, Chats, Turn
from ui.text.safe import escape, one_line
from ui.views import chat as view
from ui.views.words import noted

__all__ = ["show"]

LAST_RUN_ENDS_WITHIN_S = 5.0
STANDS_FOR_S = 0.35  # what a run has not drawn again stays in the browser, which lets it fade, slowly, from .5 s on


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
    watch_answer(asks=bool(asked))
    with showing_failures():
        engine = here.engine(*_way(here))
        if asked:
            with _asked(now, engine, asked, replaced) as asking:
                _draw_coming(here, now, engine, asking)
            st.rerun()
        _Page(here, now, engine).draw()
        _address(now)
        return
    chat_list.show(here, now)


class _Page:
    """The chat as it is, without what is coming. Made, it takes its places; what stood in them stays in sight."""

    def __init__(self, here: Here, now: Conversation, engine: Engine, *, coming: bool = False) -> None:
        self._here, self._now = here, now
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
                _show_answer(self._here, turn)
                _show_actions(self._here, turn, last=turn is self._now.chat.turns[-1])
        with self._choices:
            _draw_choices(self._here, self._now)
        chat_list.show(self._here, self._now)


def _conversation(here: Here) -> Conversation:
    """Return the session's chat: the one that is open, else the one in the address, else a new one."""
    now: Conversation | None = st.session_state.get("conversation")
    if now is None:
        now = st.session_state["conversation"] = Conversation(Chats(here.settings.state), here.owner)
        now.begin(str(here.index))
        with showing_failures():
            now.open(st.query_params.get("chat", ""))
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


def _ways(here: Here) -> dict[str, tuple[str, ...]]:
    return {way.name: way.assignments for way in view.choices(here.engine_config())}


def _engine_of(here: Here, turn: Turn) -> Engine:
    """Return the engine that answered a turn; the chosen one if its settings are no longer offered."""
    for assignments in _ways(here).values():
        if here.resolved(*assignments).config.digest() == turn.config:
            return here.engine(*assignments)
    return here.engine(*_way(here))


def _way(here: Here) -> tuple[str, ...]:
    """Return what the chosen way to answer sets. Its widget is drawn later, and its state is there already.

    It is stored beside the widget's own state, which goes with a run that is stopped before the widget is drawn.
    """
    ways = _ways(here)
    chosen = st.session_state.get("way") or st.session_state.get("chosen_way")
    st.session_state["chosen_way"] = chosen = chosen if chosen in ways else next(iter(ways))
    return ways[chosen]


def _draw_choices(here: Here, now: Conversation) -> None:
    """Draw the line of choices."""
    t, ways = here.t, list(_ways(here))
    st.session_state["way"] = st.session_state["chosen_way"]  # also for the browser, which may have lost it
    st.segmented_control(
        t("chat.answer_by"), ways, format_func=lambda name: t(f"chat.{name}"), key="way", required=True,
        help=t("chat.answer_by_help"),
    )  # fmt: skip
    chosen = t("chat.filter") if chosen_filter() is None else t("chat.filter_on")
    with st.popover(chosen, icon=":material/filter_alt:"):
        draw_fields(t)
    chat_list.show_menu(here, now)


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
    config, chat = engine.resolved.config, now.chat
    with now.asking:
        asking = Asking(engine, question, only=chosen_filter(), history=view.history(chat.turns, replaced))
        try:
            yield asking
        finally:  # also where Streamlit ends the script: by its stop button, a click elsewhere, a closed tab
            _keep(now, chat, asking, question, config, replaced)


def _keep(now: Conversation, chat: Chat, asking: Asking, question: str, config: Config, replaced: Turn | None) -> None:
    asking.stop()
    turn = view.to_turn(question, asking.outcome(), config)
    if turn.answer is not None:
        metrics().record(turn.answer, first_piece_s=turn.clock.first_text, stopped=turn.stopped)
    now.store(turn if replaced is None else again(turn, replaced), chat)


def _draw_coming(here: Here, now: Conversation, engine: Engine, asking: Asking) -> None:
    """Draw a question and its events until there are no more. At every turn of the loop Streamlit may end us."""
    page = _Page(here, now, engine, coming=True)
    with st.chat_message("user"):
        st.html(f'<div class="rag-text">{escape(one_line(asking.question, 4000))}</div>')
    with st.chat_message("assistant"):
        _draw_events(here, engine, asking, page)


def _draw_events(here: Here, engine: Engine, asking: Asking, page: _Page) -> None:
    t, status, place = here.t, st.empty(), st.empty()
    st.button(t("chat.stop"), key="stop", shortcut="Esc", type="tertiary", icon=":material/stop_circle:")
    shown = said = ""
    stale_at: float | None = time.monotonic() + STANDS_FOR_S
    for event in asking.events():
        shown += event.text
        if event.text:
            place.html(f'<div class="rag-text">{escape(shown)}</div>')
        status_now = _status(here, engine, event) or said
        if status_now != said:
            said = status_now
            status.html(f'<p class="rag-quiet">{escape(said)}</p>')
        if stale_at is not None and time.monotonic() > stale_at:
            stale_at = None
            page.draw()
        st.session_state.get("stop")


def _status(here: Here, engine: Engine, event: Event) -> str:
    if event.passages is not None:
        reading = here.t("chat.reading", n=len(event.passages))
        asked = event.understood
        return reading if asked is None or not asked.changed else f"{_understood(here, asked.question)} {reading}"
    state = engine.state
    if state.status == "starting":
        return here.t("chat.waiting", seconds=round(state.seconds))
    return ""


def _understood(here: Here, question: str) -> str:
    return here.t("chat.understood", question=one_line(question, 400))


# One answer, whole ------------------------------------------------------------------------------------------------


def _show_answer(here: Here, turn: Turn) -> None:
    """Show what came of a question. The one place where the page shows an answer."""
    t, answer = here.t, turn.answer
    if answer is not None and view.was_rewritten(turn):
        st.html(f'<p class="rag-quiet">{escape(_understood(here, answer.question))}</p>')
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
        _show_account(here, turn)
        only = Filter.parse(turn.filter) if turn.filter else None
        show_why(here, answer.question, answer, f"turn-{turn.id}", lambda: _engine_of(here, turn), only)
        show_feedback(here, answer.question, answer, f"turn-{turn.id}")


def _show_absence(t: Texts, turn: Turn) -> None:
    title, *reasons = view.no_answer(turn, t)
    with st.container(border=True):
        st.markdown(f"**{title}**")
        for reason in reasons:
            st.text(reason)


def _show_account(here: Here, turn: Turn) -> None:
    """Show the confidence, which generator answered, and how long it took."""
    t, answer = here.t, turn.answer
    if answer is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if sure := view.confidence(turn, t):
            colour = {"high": "green", "medium": "orange", "low": "gray"}[turn.band]
            st.badge(sure, color=colour, help=t("chat.band_help"))  # type: ignore[arg-type]
        parts = [t("chat.answered_by", name=answer.generator)] if answer.generator else []
        parts += [t(f"chat.time_{line.key}", seconds=t.number(line.seconds, 2)) for line in view.times(turn.clock)]
        st.html(f'<p class="rag-quiet">{escape(" · ".join(parts))}</p>')
    for note in answer.notes:
        st.html(f'<p class="rag-quiet">{escape(noted(t, note))}</p>')
