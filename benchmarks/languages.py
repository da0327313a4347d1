"""Questions in languages that the bundled extractive model cannot read: what is right, wrong, refused, and served.

    python -m benchmarks.languages [--language ru] [--half dev|test] [--details]         # about 1 minute on 2 cores

``languages/*.yaml`` are invented documents with questions, about 20 a language and 85 in Russian. The index holds the
documents of all languages and the English ones of examples/docs. The odd questions of a language (``dev``) may be used
for fitting, the even ones (``test``) may not. Figures are in languages.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

import rag
from benchmarks.squad import WORK
from eval.statistics import percentile
from eval.verdicts import holds_answer
from rag.types import Answer

HERE = Path(__file__).parent
SETS = HERE / "languages"
ENGLISH = HERE.parent / "examples" / "docs"
HALVES = ("dev", "test")


@dataclass(frozen=True)
class Asked:
    """A question of a language's set; no ``golds`` where the documents have no answer."""

    language: str
    half: str
    question: str
    golds: tuple[str, ...]


def main() -> None:
    """Print one line a language."""
    parser = argparse.ArgumentParser(description="Answers in languages that the extractive model cannot read.")
    parser.add_argument("--language", action="append", choices=sorted(path.stem for path in SETS.glob("*.yaml")))
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--details", action="store_true", help="print each question with its answer")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    print(f"{'':<6}{'right':>8}{'wrong':>8}{'refused':>9}{'of':>5}   {'served':>6}   refused rightly   median s")
    with knowledge(options.settings) as knowledge_base:
        for language in options.language or sorted(path.stem for path in SETS.glob("*.yaml")):
            asked = [a for a in questions(language) if options.half in (None, a.half)]
            report(language, asked, knowledge_base, details=options.details)


def knowledge(settings: list[str]) -> rag.KnowledgeBase:
    """Return an index of all documents, made again."""
    folder = WORK / "languages"
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(SETS.glob("*.yaml")):
        for name, text in yaml.safe_load(path.read_text(encoding="utf-8"))["documents"].items():
            file = folder / "docs" / path.stem / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    knowledge_base = rag.open(folder / "index", config="cpu", settings=settings)
    knowledge_base.ingest((folder / "docs", ENGLISH))
    knowledge_base.ask("Who is in charge?")  # loads the models
    return knowledge_base


def questions(language: str) -> Iterator[Asked]:
    """Yield the questions of a language, dev and test in turn within those with and without an answer."""
    seen: Counter[bool] = Counter()
    for line in yaml.safe_load((SETS / f"{language}.yaml").read_text(encoding="utf-8"))["questions"].splitlines():
        question, *golds = (part.strip() for part in line.split("|"))
        yield Asked(language, HALVES[seen[bool(golds)] % 2], question, tuple(golds))
        seen[bool(golds)] += 1


def states(asked: Asked, text: str) -> bool:
    """Return whether a text states the answer. Chinese is compared by characters, as it has no words."""
    if asked.language == "zh":
        return any(gold in text for gold in asked.golds)
    return holds_answer(text, asked.golds)


def verdict(answer: Answer, asked: Asked) -> str:
    """Return right, wrong, or refused."""
    if answer.abstained:
        return "refused" if asked.golds else "right"
    return "right" if states(asked, answer.text) else "wrong"


def report(language: str, asked: list[Asked], knowledge_base: rag.KnowledgeBase, *, details: bool) -> None:
    """Ask each question by itself and print the counts."""
    counts: Counter[str] = Counter()
    seconds = []
    for each in asked:
        started = time.perf_counter()
        answer = knowledge_base.ask(each.question)
        seconds.append(time.perf_counter() - started)
        found = verdict(answer, each)
        if details:
            row = (found, answer.confidence, each.question, answer.text[:120], answer.short, each.golds)
            print(json.dumps(row, ensure_ascii=False))
        if each.golds:
            counts[found] += 1
            first = "\n".join(passage.text for passage in answer.passages[:3])
            counts["served"] += found == "right" or states(each, first)
        else:
            counts["none"] += 1
            counts["refused rightly"] += found == "right"
    of = len(asked) - counts["none"]
    print(
        f"{language:<6}{counts['right']:>8}{counts['wrong']:>8}{counts['refused']:>9}{of:>5}   {counts['served']:>6}   "
        f"{counts['refused rightly']:>6} of {counts['none']:<6}{percentile(seconds, 50):>8.2f}"
    )


if __name__ == "__main__":
    main()
