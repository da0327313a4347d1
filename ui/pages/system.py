"""The system page: what the doctor says, models, memory, the index, how fast answers come, and the configuration."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from rag.config import Config
from rag.ops.environment import hardware, memory
from rag.ops.index_stats import index_stamp, index_stats, measure_recall
from ui.components.frame import Here, show_failure, showing_failures
from ui.jobs.background import Background
from ui.pages.waiting import facts, ready, table
from ui.server.health import ask_doctor
from ui.server.metrics import metrics
from ui.text.safe import one_line
from ui.views.system import checks, index_rows, live_rows, memory_rows, model_rows, recall_text, setting_rows

__all__ = ["show"]

_COLOURS: dict[str, Literal["red", "orange", "green"]] = {"fail": "red", "warn": "orange", "ok": "green"}
_LIVE_EVERY_S = 3.0
# Readings of the machine and of index folders, the same for every session.
_checks = Background(threads=1, most=8)
_surveys = Background(threads=2, most=16)


def show(here: Here) -> None:
    """Draw the page."""
    t = here.t
    st.header(t("app.system"))
    with showing_failures():
        resolved = here.engine().resolved
        left, right = st.columns(2)
        with left:
            _live(here)
        with right:
            _index(here)
        _doctor(here)
        with st.container(), showing_failures():
            _models(here)
        st.subheader(t("system.configuration"))
        if here.engine().note:
            st.text(here.engine().note or "")
        changed = st.toggle(t("system.changed_only"), value=True, key="system_changed")
        columns = {name: t(f"system.{name}") for name in ("key", "value", "origin")}
        st.caption(t("system.configuration_of", digest=resolved.config.digest()))
        table(setting_rows(resolved, t, changed_only=changed), columns, height="content" if changed else 500)


def _doctor(here: Here) -> None:
    t, resolved = here.t, here.engine().resolved
    heading = st.container(horizontal=True, vertical_alignment="bottom")
    heading.subheader(t("system.doctor"))
    key = ("doctor", here.index, resolved.config.digest())
    if heading.button(t("system.again"), key="system_again"):
        _checks.forget(key)
    settings = here.settings
    task = _checks.get(key, lambda: ask_doctor(here.index, settings.config, settings.assignments))
    if not ready(here, task, t("system.examining")):
        return
    found = checks(task.result())
    worst = found[0].state if found else "ok"
    st.caption(t(f"system.doctor_{worst}"))
    for check in found:
        with st.container(horizontal=True, gap="small"):
            st.badge(t(f"system.state_{check.state}"), color=_COLOURS[check.state])
            fix = f"\n{t('system.fix')} {check.fix}" if check.fix else ""
            st.text(f"{check.check}: {check.found}{fix}", width="stretch")


def _models(here: Here) -> None:
    t, engine = here.t, here.engine()
    st.subheader(t("system.models"))
    state = engine.state
    if state.status == "failed" and state.failure is not None:
        show_failure(state.failure)
    else:
        seconds = t.number(state.seconds, 1)
        st.caption(t("app.ready_in" if state.status == "ready" else "app.starting", seconds=seconds))
    config = engine.resolved.config
    task = _surveys.get(("models", config.digest()), lambda: model_rows(config))
    if ready(here, task, t("system.comparing_models")):
        names = ("role", "name", "fingerprint", "place", "problem")
        missing = {"missing": t("system.model_missing")}
        rows = [
            row | {"role": t(f"system.role_{row['role']}"), "problem": missing.get(row["problem"], row["problem"])}
            for row in task.result()
        ]
        table(rows, {name: t(f"system.model_{name}") for name in names if any(row[name] for row in rows)})
    machine = hardware()
    said = [machine["cpu"], t("evaluation.made_cores", n=machine["cores"]), machine["gpu"] or t("system.no_gpu")]
    pairs = [(t("system.machine"), ", ".join(map(str, said)))]
    pairs += [(t(f"system.device_{name}"), value) for name, value in _devices(config)]
    facts([*pairs, *memory_rows(memory(), t)], (t("evaluation.what"), t("evaluation.value")))


def _devices(config: Config) -> list[tuple[str, str]]:
    return [
        ("embedding", f"{config.embedding.device} ({config.embedding.engine}, {config.embedding.dtype})"),
        ("reader", f"{config.reader.device} ({config.reader.engine})"),
        ("dense", f"{config.index.dense.type}, GPU: {config.index.dense.gpu}"),
    ]


def _index(here: Here) -> None:
    t, config = here.t, here.engine().resolved.config
    st.subheader(t("system.index"))
    state = (here.index, config.digest(), index_stamp(here.index))
    looking = _surveys.get(("survey", *state), lambda: index_stats(here.index, config))
    if not ready(here, looking, t("system.looking")):
        return
    folder = (t("system.index_folder"), one_line(here.index.name))
    facts([folder, *index_rows(looking.result(), t)], (t("evaluation.what"), t("evaluation.value")))
    key = ("recall", *state)
    if st.button(t("system.measure_recall"), key="system_recall", help=t("system.recall_help")):
        _surveys.forget(key)
        _surveys.get(key, lambda: measure_recall(here.index, config))
    measuring = _surveys.known(key)
    if measuring is not None and ready(here, measuring, t("system.measuring_recall")):
        st.markdown(recall_text(measuring.result(), t))


def _live(here: Here) -> None:
    st.subheader(here.t("system.live"))

    @st.fragment(run_every=_LIVE_EVERY_S)
    def panel() -> None:
        t, live = here.t, metrics().live()
        if not live.answers:
            st.caption(t("system.no_answers"))
            return
        row = st.container(horizontal=True, gap="large")
        row.metric(t("system.answers"), t.number(live.answers), width="content")
        row.metric(t("system.last_minute"), t.number(live.last_minute), width="content")
        speed = "–" if live.tokens_per_s is None else t.number(live.tokens_per_s, 1)
        row.metric(t("system.tokens_per_s"), speed, width="content")
        st.caption(t("system.live_counts", hour=live.last_hour, abstained=live.abstained, stopped=live.stopped))
        names = {"stage": "evaluation.stage", "n": "system.answers"}
        names |= {"p50": "evaluation.ms_p50", "p95": "evaluation.ms_p95"}
        table(live_rows(live, t), {name: t(key) for name, key in names.items()})

    panel()
