"""Questions over office documents: what is right, wrong, refused, and served, and how far confidence can be trusted.

    python -m benchmarks.office [--split dev|check] [--set KEY=VALUE …]      # about 2 minutes on 2 cores

The set is ../shared/data/office: 60 invented documents and 240 questions, split into ``dev`` (to tune on) and ``check``
(to report on, without looking at single questions). The index is built again for each run. Evidence recall is the share
of questions whose first quoted evidence stands in one of the first k passages, follow-ups included. Each question is
asked by itself, with its history, so that the seconds are those of a warm question. The last figures are in office.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import rag
from benchmarks.squad import WORK
from eval import Prediction, Question, evaluate, load_dataset
from eval.metrics import METRICS, format_interval, format_value
from eval.predictions import RankedPassage
from eval.report_sections import run_sections
from eval.statistics import percentile
from rag.types import Answer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "office"
SHOWN = ("right", "wrong_shown", "refused_wrongly", "refused_rightly", "wrong_high", "served")
DEPTHS = (1, 3, 5, 10)


def main() -> None:
    """Print the table of one split."""
    parser = argparse.ArgumentParser(description="Answers over office documents.")
    parser.add_argument("--split", choices=("dev", "check", "all"), default="dev")
    parser.add_argument("--config", default="cpu")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("the office set is needed at ../shared/data/office beside the checkout")
    dataset = load_dataset(DATA / "questions.jsonl")
    splits = json.loads((DATA / "splits.json").read_text(encoding="utf-8"))
    if options.split != "all":
        wanted = set(splits[options.split])
        dataset = replace(dataset, questions=tuple(q for q in dataset.questions if q.id in wanted))
    folder = WORK / "office"
    shutil.rmtree(folder, ignore_errors=True)
    with rag.open(folder, config=options.config, settings=options.settings) as knowledge_base:
        knowledge_base.ingest(DATA / "docs")
        knowledge_base.ask("Who is in charge?")  # loads the models
        seconds: list[float] = []

        def answer(questions: Sequence[Question]) -> list[Prediction]:
            return [ask(question) for question in questions]

        def ask(question: Question) -> Prediction:
            started = time.perf_counter()
            found = knowledge_base.ask(question.question, history=question.history)
            seconds.append(time.perf_counter() - started)
            return prediction(found)

        run = evaluate(dataset, answer)
    print(f"{options.split}: {len(dataset.questions)} questions")
    for name in (name for name in SHOWN if name in run.metrics):
        entry = run.metrics[name]
        interval = format_interval(entry, METRICS[name].unit)
        print(
            f"  {METRICS[name].label:<22}{format_value(entry['mean'], 'percent'):>6} %   {interval}   n = {entry['n']}"
        )
    for depth, share in evidence_recall(run.rows).items():
        print(f"  {f'Evidence recall@{depth}':<22}{100 * share:6.1f} %")
    print(f"  {'Seconds a question':<22}{percentile(seconds, 50):6.2f}     p95 {percentile(seconds, 95):.2f}")
    for section in run_sections(run.manifest, run.rows):
        if section.key in ("kinds", "reliability") and section.table is not None:
            print(f"\n{section.title}. {section.text[0]}")
            for row in (section.table.columns, *section.table.rows):
                print("  " + f"{row[0]:<20}" + "".join(f"{cell:>12}" for cell in row[1:]))


def prediction(answer: Answer) -> Prediction:
    """Return an answer as the evaluation takes it."""
    passages = tuple(
        RankedPassage(p.id, p.source, p.page, p.headings, p.text, p.score, rank, True)
        for rank, p in enumerate(answer.passages, start=1)
    )
    return Prediction(answer.text, answer.abstained, answer.confidence, passages, short=answer.short, band=answer.band)


def evidence_recall(rows: Sequence[dict[str, Any]]) -> dict[int, float]:
    """Return the share of questions with evidence whose first quote stands in one of the first k passages."""
    lines = (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    evidence = {row["id"]: row["evidence"] for row in map(json.loads, lines)}
    ranks = []
    for row in rows:
        if quotes := evidence[row["id"]]:
            source, quote = quotes[0]["source"], folded(quotes[0]["quote"])
            holding = (
                passage["rank"]
                for passage in row["passages"]
                if passage["source"].endswith(source) and quote in folded(passage["text"])
            )
            ranks.append(next(holding, 1000))
    return {depth: sum(rank <= depth for rank in ranks) / len(ranks) for depth in DEPTHS}


def folded(text: str) -> str:
    """Return a text's words alone, in lower case: tables write their cells with other signs between.

    Numbers are compared by value: a cell with 5640 may be shown as 5,640.00.
    """
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"(\d\.\d*?)0+\b", r"\1", text)
    text = re.sub(r"(?<=\d)\.(?!\d)", "", text)
    return re.sub(r"\W+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


if __name__ == "__main__":
    main()
