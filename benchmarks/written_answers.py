"""The citation check on answers as language models write them, right ones and wrong ones.

    python -m benchmarks.written_answers [--split dev|check] [--witness]      # about 2 minutes on 2 cores

The set is ../shared/data/office: 120 written answers with verdicts over 60 invented documents, split with their
questions into ``dev`` (to tune on) and ``check`` (to report on, without looking at single answers). An answer is
checked against the retrieved passages of its question and those that hold the evidence. All claims of a right answer
should be found, but not those of a wrong one. ``--witness`` adds the spans of the extractive model. The last figures
are in written_answers.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import rag
from benchmarks.office import DATA, folded
from benchmarks.squad import WORK
from eval.statistics import percentile, wilson
from rag.answering.answerer import ExtractingAnswerer
from rag.evidence.check import check
from rag.generation.base import ExtractionTask, PassageText
from rag.types import Passage

VERDICTS = ("right", "wrong", "partly")
_MOST_PASSAGES = 300  # of one document


def main() -> None:
    """Print the table of one split."""
    parser = argparse.ArgumentParser(description="The citation check on written answers.")
    parser.add_argument("--split", choices=("dev", "check"), default="dev")
    parser.add_argument("--witness", action="store_true")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("the office set is needed at ../shared/data/office beside the checkout")
    wanted = set(json.loads((DATA / "splits.json").read_text(encoding="utf-8"))[options.split])
    questions = {row["id"]: row for row in _rows("questions.jsonl")}
    answers = [row for row in _rows("written_answers.jsonl") if row["question_id"] in wanted]
    outcomes: dict[str, list[set[str]]] = {verdict: [] for verdict in VERDICTS}
    seconds = []
    with rag.open(WORK / "written_answers", config="cpu") as knowledge_base:
        knowledge_base.ingest(DATA / "docs")
        for answer in answers:
            question = questions[answer["question_id"]]
            passages = shown(knowledge_base, question)
            spans = _spans(knowledge_base, question["question"], passages) if options.witness else ()
            started = time.perf_counter()
            checked = check(answer["answer"], passages, question["question"], witness=lambda *_, spans=spans: spans)
            seconds.append(time.perf_counter() - started)
            outcomes[answer["verdict"]].append({claim.outcome for claim in checked.claims})
    print(f"{options.split}: {len(answers)} written answers")
    print(f"  {'':<8}{'n':>4}{'all found':>24}{'any contradicted':>24}{'any not found':>24}")
    for verdict, found in outcomes.items():
        counts = [sum(one == {"found"} for one in found)]
        counts += [sum(name in one for one in found) for name in ("contradicted", "not_found")]
        print(f"  {verdict:<8}{len(found):>4}" + "".join(f"{_share(n, len(found)):>24}" for n in counts))
    print(f"  seconds an answer: {percentile(seconds, 50):.3f}, p95 {percentile(seconds, 95):.3f}")


def shown(knowledge_base: rag.KnowledgeBase, question: dict[str, Any]) -> list[Passage]:
    """Return the retrieved passages of a question and the first one that holds each piece of its evidence."""
    passages = knowledge_base.search(question["question"])
    sources = [document.source for document in knowledge_base.documents()]
    for evidence in question["evidence"]:
        quote = folded(evidence["quote"])
        source = next(name for name in sources if name.endswith(evidence["source"]))
        if not any(passage.source == source and quote in folded(passage.text) for passage in passages):
            inside = knowledge_base.search(question["question"], k=_MOST_PASSAGES, filter=f"source={source}")
            holding = [passage for passage in inside if quote in folded(passage.text)]
            known = {passage.id for passage in passages}
            passages += [passage for passage in holding[:1] if passage.id not in known]
    return passages


def _spans(
    knowledge_base: rag.KnowledgeBase, question: str, passages: Sequence[Passage]
) -> list[tuple[int, int, int, float]]:
    """Return what the extractive model answers, as a witness."""
    texts = tuple(PassageText(p.text, p.source, p.start, p.score, p.context) for p in passages)
    answerer = knowledge_base.answerer
    assert isinstance(answerer, ExtractingAnswerer), "the preset cpu extracts"
    (extraction,) = answerer.generator.extract([ExtractionTask(question, texts)])
    return [(span.passage, span.start, span.end, extraction.confidence) for span in extraction.evidence]


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _share(count: int, total: int) -> str:
    share = wilson(count, total)
    return f"{count} = {100 * count / total:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"


if __name__ == "__main__":
    main()
