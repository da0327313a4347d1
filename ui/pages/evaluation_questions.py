"""The questions of a run: filtered, listed, and one of them open with its passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from eval.runs import RunData
from ui.i18n import Texts
from ui.pages.evaluation import Desk
from ui.pages.waiting import selected_row, table
from ui.text.safe import block, escape, marked, one_line
from ui.views.questions import Filter, Opened, Read, chosen, losses_in, opened, verdict_of
from ui.views.words import full_place, named, noted

__all__ = ["show", "show_question"]

_AT = "evaluation_at"  # which of the questions that pass the filter is open
_VERDICTS = ("", "right", "wrong", "abstained")
_ANSWERABLE = ("", "yes", "no")
_SHOWN = 5


def show(desk: Desk, name: str, run: RunData) -> None:
    """Draw filter, list and the open question."""
    t = desk.here.t
    wanted = _filter(run, t)
    places = chosen(run.rows, wanted)
    state = (name, wanted)
    if st.session_state.get("evaluation_filtered") != state:
        st.session_state["evaluation_filtered"] = state
        st.session_state[_AT] = 0
    st.caption(t("evaluation.found", n=len(places), total=len(run.rows)))
    if not places:
        return

    def choose() -> None:
        row = selected_row("evaluation_list")
        if row is not None:
            st.session_state[_AT] = row

    table(
        [_line(run.rows[place], t) for place in places],
        _columns(t),
        key="evaluation_list",
        on_select=choose,
        height="content" if len(places) < 7 else 285,
    )
    at = min(int(st.session_state.get(_AT, 0)), len(places) - 1)
    steps = st.container(horizontal=True, vertical_alignment="center")
    steps.button(t("evaluation.previous"), on_click=_go, args=(at - 1,), disabled=at == 0, key="evaluation_previous")
    steps.button(
        t("evaluation.next"), on_click=_go, args=(at + 1,), disabled=at == len(places) - 1, key="evaluation_next"
    )
    steps.caption(t("evaluation.of", done=at + 1, total=len(places)))
    show_question(opened(run.rows[places[at]]), t)


def show_question(found: Opened, t: Texts) -> None:
    """Show one question with what was answered, what would have been right, and the passages."""
    with st.container(border=True):
        st.html(f"<strong>{escape(found.question)}</strong>")
        left, right = st.columns(2)
        with left:
            st.caption(t("evaluation.gold"))
            golds = "".join(f"<div>{escape(gold)}</div>" for gold in found.golds)
            st.html(golds or block(t("evaluation.unanswerable")))
        with right:
            st.caption(t("evaluation.prediction"))
            st.html(block(found.prediction if found.prediction.strip() else t("evaluation.nothing")))
            if found.whole_text:
                st.html(f"<small>{escape(found.whole_text)}</small>")
        st.html(block(_summary(found, t), "quiet", tag="p"))  # kinds of loss are what the run's file says
        for note in found.notes:
            st.html(f"<small>{escape(noted(t, note))}</small>")
    if found.quotes:
        st.caption(t("evaluation.citations"))
        for quote in found.quotes:
            st.html(f"<div>“{marked(quote.quote, quote.golds)}” — {escape(one_line(quote.source))}</div>")
    st.caption(t("evaluation.passages", n=len(found.passages)))
    for passage in found.passages[:_SHOWN]:
        _passage(passage, t)
    if found.passages[_SHOWN:]:
        with st.expander(t("evaluation.more_passages", n=len(found.passages) - _SHOWN)):
            for passage in found.passages[_SHOWN:]:
                _passage(passage, t)


def _passage(passage: Read, t: Texts) -> None:
    facts = []
    for name in ("rank", "dense_rank", "lexical_rank"):
        rank = getattr(passage, name)
        facts += [t(f"evaluation.{name}", rank=rank)] if rank is not None else []
    facts += [t("evaluation.gold_document")] if passage.relevant else []
    facts.append(t("evaluation.shown") if passage.shown else t("evaluation.not_shown"))
    with st.container(border=True):
        st.html(f"<strong>{escape(full_place(t, passage))}</strong>")
        st.caption(" · ".join(facts))
        paragraphs = marked(passage.text, passage.golds).replace("\n", "<br>")
        st.html(f"<div>{paragraphs}</div>")


def _filter(run: RunData, t: Texts) -> Filter:
    losses = losses_in(run.rows)
    words, *places = st.columns((3, 2, 3, 2))

    def choice(label: str, key: str, options: Sequence[str], shown: Callable[[str], str]) -> str:
        place = places.pop(0)
        return place.selectbox(t(f"evaluation.{label}"), options, format_func=shown, key=f"evaluation_{key}")

    def shown_loss(loss: str) -> str:
        return f"{_loss(loss, t)} ({t.number(losses[loss])})" if loss else t("evaluation.is_all")

    return Filter(
        words=words.text_input(t("evaluation.search"), key="evaluation_words"),
        verdict=choice("verdict", "is", _VERDICTS, lambda name: t(f"evaluation.is_{name or 'all'}")),
        loss=choice("lost_at", "loss", ["", *losses], shown_loss),
        answerable=choice(
            "answerable", "answerable", _ANSWERABLE, lambda name: t(f"evaluation.answerable_{name or 'all'}")
        ),
    )


def _line(row: dict[str, Any], t: Texts) -> dict[str, Any]:
    return {
        "verdict": t(f"evaluation.is_{verdict_of(row)}"),
        "question": one_line(str(row.get("question") or "")),
        "prediction": one_line(str(row.get("prediction") or "")),
        "gold": one_line(" | ".join(dict.fromkeys(map(str, row.get("answers") or [])))),
        "f1": row.get("f1"),
        "confidence": row.get("confidence"),
        "seconds": row.get("latency_s"),
        "loss": _loss(str(row["loss"]), t) if row.get("loss") else "",
    }


def _columns(t: Texts) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns: dict[str, Any] = {"verdict": text(t("evaluation.verdict"), width="small")}
    columns |= {name: text(t(f"evaluation.{name}"), width="medium") for name in ("question", "prediction", "gold")}
    labels = {"f1": "f1", "confidence": "confidence", "seconds": "seconds_column"}
    columns |= {name: number(t(f"evaluation.{label}"), format="%.2f") for name, label in labels.items()}
    return columns | {"loss": t("evaluation.lost_at")}


def _summary(found: Opened, t: Texts) -> str:
    parts = [t(f"evaluation.is_{found.verdict}")]
    parts += [_loss(found.loss, t)] if found.loss else []
    parts += [f"F1 {t.number(found.f1, 2)}"] if found.f1 is not None else []
    if found.confidence is not None:
        parts.append(f"{t('evaluation.confidence')} {t.number(found.confidence, 2)}")
    if found.seconds is not None:
        stages = ", ".join(
            f"{named(t, f'plots.stage_{name}', '?')} {t.number(1000 * seconds, 0)}" for name, seconds in found.timings
        )
        parts.append(f"{t.number(1000 * found.seconds, 0)} {t('evaluation.ms')}" + (f" ({stages})" if stages else ""))
    return " · ".join(parts)


def _loss(stage: str, t: Texts) -> str:
    return named(t, f"evaluation.loss_{stage}", stage)


def _go(at: int) -> None:
    st.session_state[_AT] = at
