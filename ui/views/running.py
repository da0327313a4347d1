"""An evaluation or a sweep that runs, in the words of its progress bar. It knows no widgets."""

from __future__ import annotations

from ui.i18n import Texts
from ui.jobs.evaluations import Evaluation
from ui.text.safe import label

__all__ = ["ended_words", "has_answers", "progress_words", "running_words"]


def progress_words(now: Evaluation, t: Texts) -> str:
    """Return one line of Markdown; what the other process calls its stage is shown as it is, as letters."""
    stage = f"evaluation.stage_{now.stage}"
    scores = ""
    if now.em is not None and now.f1 is not None:
        scores = t("evaluation.scores", em=t.percent(now.em, 1), f1=t.percent(now.f1, 1))
    point = t("evaluation.of", done=now.point, total=now.points) if now.points else ""
    words = [
        f"{t('evaluation.point')} {point}" if point else "",
        label(now.label) if point else "",
        t(stage) if stage in t else label(now.stage),
        t("evaluation.of", done=now.done, total=now.total) if now.total else "",
        scores,
        t("evaluation.seconds", n=round(now.seconds)),
    ]
    return " · ".join(word for word in words if word)


def has_answers(now: Evaluation) -> bool:
    """Return whether questions were asked: then there is a run to open, or a point of a sweep that is remembered."""
    return now.point > 1 or now.em is not None or now.stage in ("questions", "report")


def running_words(now: Evaluation, t: Texts) -> str:
    """Say that one runs, an evaluation or a sweep."""
    return t("evaluation.running_sweep" if now.request.sweep else "evaluation.running_run")


def ended_words(now: Evaluation, t: Texts) -> str:
    """Say how one ended, an evaluation or a sweep, and after a cancel what is left and how to go on."""
    early = "_early" if now.status == "cancelled" and not has_answers(now) else ""
    key = f"evaluation.{now.status}{early}_{'sweep' if now.request.sweep else 'run'}"
    return t(key, seconds=round(now.seconds))
