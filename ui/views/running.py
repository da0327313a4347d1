"""An evaluation or a sweep that runs, in the words of its progress bar. It knows no widgets."""

from __future__ import annotations

from ui.evaluations import Evaluation
from ui.safe import label
from ui.texts import Texts

__all__ = ["progress_words"]


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
