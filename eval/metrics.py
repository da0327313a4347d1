"""Metrics of one question, and the table :data:`METRICS` that scoring, comparisons, reports and the page read.

To add a metric, write a function from a :class:`Case` to a number and add a row to the table. Every value lies in
0 to 1 (latency is in seconds); None means that the metric does not apply to the question.
The module knows one question at a time: no totals and no statistics. :mod:`eval.text_metrics` compares two texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any, Literal

from eval.datasets import SMALL_TALK, Question
from eval.predictions import Prediction, same_source
from eval.ranking import average_precision, ndcg, recall, reciprocal_rank
from eval.text_metrics import Rule, best_over, contains, contains_gold, exact_match, f1, normalise
from eval.verdicts import Verdict, holds_answer, judge

__all__ = [
    "GUARDED",
    "HIGH",
    "METRICS",
    "RECALL_AT",
    "SERVED_AMONG",
    "Case",
    "Family",
    "Metric",
    "Unit",
    "format_interval",
    "format_value",
    "headline",
    "value_in",
]

Unit = Literal["percent", "ratio", "seconds"]
Family = Literal["answer", "verdict", "retrieval", "citation", "speed"]

RECALL_AT = (1, 5, 10, 20)
HIGH = "high"
SERVED_AMONG = 3


@dataclass(frozen=True)
class Case:
    """One question with its prediction. ``rule`` is the version of the official script that decides on empty texts."""

    question: Question
    prediction: Prediction
    rule: Rule = "2.0"

    @cached_property
    def text(self) -> str:
        """The answer that exact match and F1 score: the extracted words if there are any; empty if abstained."""
        return "" if self.prediction.abstained else self.prediction.short or self.prediction.text

    @cached_property
    def whole(self) -> str:
        """The whole answer as it is shown; empty if abstained."""
        return "" if self.prediction.abstained else self.prediction.text

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict on the answer; None for a question without a kind, and for small talk."""
        if not self.question.has_verdict:
            return None
        refused = self.prediction.abstained
        return judge(self.whole, self.question.answers, self.question.parts, refused=refused)

    @cached_property
    def served(self) -> bool | None:
        """Whether the user has the answer: it is right, or the first passages hold it.

        None without a verdict, and for a system that shows no passages.
        """
        if self.verdict is None or not self.question.answers or not self.prediction.passages:
            return None
        shown = "\n".join(
            "\n".join((*passage.headings, passage.text)) for passage in self.prediction.passages[:SERVED_AMONG]
        )
        held = holds_answer(f"{self.whole}\n{shown}", self.question.answers, self.question.parts)
        return self.verdict == "right" or held

    @cached_property
    def golds(self) -> list[str]:
        """The gold answers that the official script compares with; at least one, empty if there is no answer."""
        return [gold for gold in self.question.answers if self.rule == "1.1" or normalise(gold)] or [""]

    @cached_property
    def judged(self) -> tuple[list[int], list[int]] | None:
        """The grades of the retrieved documents, best first, and the grades of all relevant ones.

        A question with a ``source`` has one relevant document, of grade 1. None if nothing was retrieved or no relevant
        document is known. The end of a path may match several documents: the first one counts.
        """
        retrieved, qrels = self.prediction.ranked_sources, dict(self.question.relevant)
        if retrieved is None or not (qrels or self.question.source):
            return None
        names = list(dict.fromkeys(retrieved))
        if not qrels:
            first = next((name for name in names if same_source(name, self.question.source)), None)
            return [int(name == first) for name in names], [1]
        return [qrels.get(name, 0) for name in names], [grade for grade in qrels.values() if grade > 0]

    def is_relevant(self, source: str) -> bool:
        """Return whether a document is one that the question names as relevant."""
        return same_source(source, self.question.source) or dict(self.question.relevant).get(source, 0) > 0

    @cached_property
    def citations(self) -> list[dict[str, Any]]:
        """The citations, each with whether it contains a gold answer and whether it shares a token with one."""
        golds = self.question.answers
        return [
            {
                **asdict(span),
                "contains_gold": any(contains_gold(span.quote, gold) for gold in golds),
                "overlaps_gold": any(f1(span.quote, gold) > 0 for gold in golds if normalise(gold)),
            }
            for span in self.prediction.citations
        ]

    @cached_property
    def timings(self) -> dict[str, float]:
        """Seconds by stage, to the microsecond."""
        return {name: round(seconds, 6) for name, seconds in self.prediction.timings.items()}

    @property
    def answered_from_passages(self) -> bool:
        """Whether the system answered and saw passages, so that its citations can be judged."""
        return not self.prediction.abstained and any(passage.shown for passage in self.prediction.passages)

    def best(self, metric: Callable[[str, str], float], text: str | None = None) -> float | None:
        """Return the best value of a text metric over the golds, of :attr:`text` unless another one is given.

        None for small talk, which has no right answer.
        """
        if self.question.kind == SMALL_TALK:
            return None
        return best_over(metric, self.text if text is None else text, self.golds)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of :data:`METRICS`.

    ``compute`` returns 0 to 1 (seconds for the unit ``seconds``), None if the metric does not apply. ``unit`` says how
    means are stored and shown: in percent, as a ratio, or in seconds. ``family`` gives the colour of its bar;
    retrieval metrics are in ``retrieval`` of a run's rows. ``compared`` metrics are in comparisons of two runs, and
    ``guarded`` ones fail ``rag eval compare --fail-if-worse``. A ``per_answer`` metric applies to answers of some kind,
    so that two runs measure it on different questions: its means are compared as ratios.
    """

    label: str
    compute: Callable[[Case], float | None]
    description: str
    unit: Unit = "percent"
    family: Family = "answer"
    higher_is_better: bool = True
    compared: bool = True
    guarded: bool = False
    per_answer: bool = False

    @property
    def scale(self) -> float:
        """The factor from a row's value to the unit of means: 100 for percent, else 1."""
        return 100.0 if self.unit == "percent" else 1.0


def _ranking(measure: Callable[[list[int], list[int]], float]) -> Callable[[Case], float | None]:
    """Return a metric that is a function of the grades of the ranked and of the relevant documents."""
    return lambda case: None if case.judged is None else measure(*case.judged)


def _average_precision(case: Case) -> float | None:
    """Return the average precision of a question with judgments; with one relevant document it would be its MRR."""
    return average_precision(*case.judged) if case.judged is not None and case.question.relevant else None


def _cited(case: Case, flag: str) -> float | None:
    if not case.answered_from_passages or not case.question.answers:
        return None
    return float(any(citation[flag] for citation in case.citations))


def _verdict(case: Case, verdict: Verdict) -> float | None:
    """Return whether an answerable question got this verdict."""
    return None if case.verdict is None or not case.question.answers else float(case.verdict == verdict)


def _wrong_high(case: Case) -> float | None:
    """Return whether an answer of high confidence is wrong; None for any other, and for small talk."""
    exact = case.best(exact_match)
    if case.prediction.abstained or case.prediction.band != HIGH or exact is None:
        return None
    return float(exact == 0.0 if case.verdict is None else case.verdict == "wrong")


def _supported(case: Case) -> float | None:
    prediction = case.prediction
    return prediction.supported / prediction.sentences if case.answered_from_passages and prediction.sentences else None


def _recall_metric(k: int) -> Metric:
    return Metric(
        f"Recall@{k}",
        _ranking(partial(recall, k=k)),
        f"Share of the relevant documents that are among the first {k}",
        family="retrieval",
        compared=k == 5,
    )


METRICS: dict[str, Metric] = {
    "em": Metric(
        "Exact match",
        lambda case: case.best(exact_match),
        "Share of answers equal to a gold answer after SQuAD's normalisation",
        guarded=True,
    ),
    "f1": Metric(
        "F1",
        lambda case: case.best(partial(f1, rule=case.rule)),
        "Token overlap with the best gold answer",
        guarded=True,
    ),
    "contains": Metric(
        "Contains gold",
        lambda case: case.best(contains, case.whole),
        "Share of answers that contain a gold answer, whatever else they say",
    ),
    "right": Metric(
        "Right",
        lambda case: _verdict(case, "right"),
        "Share of answerable questions whose answer states the gold answer and all its parts",
        family="verdict",
        guarded=True,
    ),
    "wrong_shown": Metric(
        "Wrong answer shown",
        lambda case: _verdict(case, "wrong"),
        "Share of answerable questions with a wrong answer",
        family="verdict",
        higher_is_better=False,
        guarded=True,
    ),
    "refused_wrongly": Metric(
        "Refused wrongly",
        lambda case: _verdict(case, "refused"),
        "Share of answerable questions without an answer",
        family="verdict",
        higher_is_better=False,
    ),
    "refused_rightly": Metric(
        "Refused rightly",
        lambda case: None if case.verdict is None or case.question.answers else float(case.verdict == "right"),
        "Share of unanswerable questions without an answer",
        family="verdict",
    ),
    "wrong_high": Metric(
        "Wrong among high",
        _wrong_high,
        "Share of wrong answers among those of high confidence, unanswerable questions included",
        family="verdict",
        higher_is_better=False,
        per_answer=True,
    ),
    "served": Metric(
        "Served",
        lambda case: None if case.served is None else float(case.served),
        f"Share of answerable questions with the gold answer in the answer or the first {SERVED_AMONG} passages",
        family="verdict",
        guarded=True,
    ),
    **{f"recall@{k}": _recall_metric(k) for k in RECALL_AT},
    "mrr": Metric(
        "MRR",
        _ranking(lambda grades, _: reciprocal_rank(grades)),
        "Mean reciprocal rank of the first relevant document",
        unit="ratio",
        family="retrieval",
        compared=False,
    ),
    "map": Metric(
        "MAP",
        _average_precision,
        "Mean average precision over the documents retrieved, for questions with relevance judgments",
        unit="ratio",
        family="retrieval",
        compared=False,
    ),
    "ndcg@10": Metric(
        "nDCG@10",
        _ranking(partial(ndcg, k=10)),
        "Discounted gain of the relevant documents among the first 10, over the best possible",
        unit="ratio",
        family="retrieval",
        guarded=True,
    ),
    "cited_contains": Metric(
        "Citation contains gold",
        lambda case: _cited(case, "contains_gold"),
        "Share of answers with a cited span that contains a gold answer",
        family="citation",
        compared=False,
    ),
    "cited_overlaps": Metric(
        "Citation overlaps gold",
        lambda case: _cited(case, "overlaps_gold"),
        "Share of answers with a cited span that shares a token with a gold answer",
        family="citation",
        compared=False,
    ),
    "grounded": Metric(
        "Supported sentences",
        _supported,
        "Share of an answer's sentences that a passage supports",
        family="citation",
        compared=False,
    ),
    "latency_s": Metric(
        "Latency",
        lambda case: round(sum(case.timings.values()), 6),
        "Seconds from question to answer",
        unit="seconds",
        family="speed",
        higher_is_better=False,
    ),
}

GUARDED = tuple(name for name, metric in METRICS.items() if metric.guarded)


def headline(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures to show first: verdicts where the run has them, else SQuAD's metrics."""
    return (
        ("right", "wrong_shown", "served", "recall@5") if "right" in metrics else ("em", "f1", "contains", "recall@5")
    )


def value_in(row: Mapping[str, Any], name: str) -> Any:
    """Return a metric's value in a row of a run; None if it does not apply or was not measured."""
    holder = row.get("retrieval") or {} if METRICS[name].family == "retrieval" else row
    return holder.get(name)


def format_value(value: object, unit: str | None = None) -> str:
    """Format a value of a unit: one decimal for percent, three for a ratio, else three significant digits.

    Anything but a number is a dash.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "–"
    if unit == "percent":
        return f"{value:.1f}"
    if unit == "ratio":
        return f"{value:.3f}"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".removesuffix(".")


def format_interval(entry: Mapping[str, float] | None, unit: str | None = None) -> str:
    """Format the interval of an entry with ``low`` and ``high`` as ``low – high``."""
    return "–" if entry is None else f"{format_value(entry['low'], unit)} – {format_value(entry['high'], unit)}"
