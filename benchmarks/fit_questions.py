"""The questions on which ``python -m benchmarks.fit_reader`` fits: of office documents and of prose.

Two sets are asked of the product's own retrieval: the ``dev`` split of ../shared/data/office, and question-sentence
pairs from articles of SQuAD's training set (../shared/data/squad-train-sentences), of which every second one loses its
answer. Nothing of the ``check`` split or of SQuAD's development sets is read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import rag
from benchmarks.office import DATA, folded
from eval.datasets import Question, load_dataset
from eval.verdicts import Verdict, judge
from rag.retrieval.retriever import Retrieved
from rag.text import one_line
from rag.training.data.pairs import read_pairs
from rag.types import Answer

PAIRS = DATA.parent / "squad-train-sentences"
CANDIDATES, SENTENCES, ASKED = 20, 5, 600
PART_WEIGHT = 0.5  # of an office question that is asked of a part of the documents, in the confidence
PAIR_WEIGHT = 0.1  # of a pair among the office questions, in the confidence: prose says little about office documents


@dataclass(frozen=True)
class Asked:
    """A question with its candidates, of which those in ``holds`` hold the evidence; ``gold`` judges an answer.

    A question that is not ``answerable`` lost its evidence, or never had any: only a refusal is right. ``weight`` is
    how much it counts in the confidence.
    """

    found: Retrieved
    holds: tuple[bool, ...]
    gold: Question
    office: bool
    answerable: bool
    weight: float = 1.0

    def quotes(self, answer: Answer) -> bool:
        """Return whether an answer quotes the right sentence: of a yes/no question also without saying yes or no."""
        if self.office and self.found.kind == "yes_no" and self._verdict(answer) == "partly":
            return True
        return self.right(answer)

    def _verdict(self, answer: Answer) -> Verdict:
        return judge(answer.text, self.gold.answers, self.gold.parts, refused=answer.abstained)

    def right(self, answer: Answer) -> bool:
        """Return whether an answer states the gold answer. A pair's is its sentence, in which the span must lie."""
        if self.office:
            return self._verdict(answer) == "right"
        citation = answer.citations[0]
        place = citation.passage.text.find(self.gold.answers[0]) if self.answerable else -1
        start = citation.start - citation.passage.start
        return 0 <= place <= start < place + len(self.gold.answers[0])


def office_questions(scratch: Path) -> list[Asked]:
    """Ask the ``dev`` split of the office set: of all documents, of each organization's, and of single documents.

    A small index has few candidates, of which none stands out much: the confidence must hold there as well. In a part
    of the documents its own questions are asked, and some that have no answer there. Small talk is left out.
    """
    wanted = set(json.loads((DATA / "splits.json").read_text(encoding="utf-8"))["dev"])
    lines = (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    evidence = {
        row["id"]: [(e["source"], folded(e["quote"])) for e in row["evidence"]] for row in map(json.loads, lines)
    }
    questions = [q for q in load_dataset(DATA / "questions.jsonl").questions if q.id in wanted and q.has_verdict]
    held = [q for q in questions if evidence[q.id]]
    asked = ask_part(scratch / "office", DATA / "docs", "", questions, evidence, 1.0)
    draw = random.Random(6)
    sources = sorted({evidence[q.id][0][0] for q in held})
    for n, part in enumerate(sorted({source.partition("/")[0] + "/" for source in sources}) + sources):
        mine = [q for q in held if all(source.startswith(part) for source, _ in evidence[q.id])]
        folder = part.partition("/")[0] + "/"
        foreign = [q for q in questions if not any(source.startswith(folder) for source, _ in evidence[q.id])]
        strange = draw.sample(foreign, 5 if part == folder else 1)
        asked += ask_part(scratch / f"part-{n}", DATA / "docs" / part, part, [*mine, *strange], evidence, PART_WEIGHT)
    return asked


def ask_part(
    index: Path,
    documents: Path,
    part: str,
    questions: Sequence[Question],
    evidence: dict[str, list[tuple[str, str]]],
    weight: float,
) -> list[Asked]:
    """Ask questions of an index of ``documents``, a file or folder, whose sources begin with ``part``."""
    asked = []
    with rag.open(index, settings={"retrieval.rerank": "off"}) as knowledge_base:
        knowledge_base.ingest(documents)
        for question in questions:
            found = retrieve(knowledge_base, question)
            quotes = [(Path(source).name, quote) for source, quote in evidence[question.id]]
            holds = tuple(
                any(p.source.endswith(name) and quote in folded(p.text) for name, quote in quotes)
                for p in found.passages
            )
            answerable = bool(question.answers) and all(s.startswith(part) for s, _ in evidence[question.id])
            asked.append(Asked(found, holds, question, True, answerable, weight))
    return asked


def pair_questions(scratch: Path) -> list[Asked]:
    """Ask question-sentence pairs of an index of their own sentences, five a document."""
    corpus = read_pairs(PAIRS / "sentences.txt", PAIRS / "questions.txt")
    folder = scratch / "pairs"
    folder.mkdir()
    for first in range(0, len(corpus.sentences), SENTENCES):
        text = " ".join(corpus.sentences[first : first + SENTENCES])
        (folder / f"{first // SENTENCES:05}.txt").write_text(text, encoding="utf-8")
    draw = random.Random(4)
    chosen = draw.sample(range(len(corpus.questions)), ASKED)
    asked: list[Asked] = []
    with rag.open(scratch / "pairs-index", settings={"retrieval.rerank": "off"}) as knowledge_base:
        knowledge_base.ingest(folder)
        for n in chosen:
            sentence = corpus.sentences[corpus.questions[n].sentence]
            question = Question(f"pair-{n}", corpus.questions[n].text, (sentence,))
            found = replace(retrieve(knowledge_base, question), kind="")  # all are short facts
            found = replace(found, passages=tuple(replace(p, title="") for p in found.passages))  # numbers, no titles
            holds = tuple(sentence in p.text for p in found.passages)
            if len(asked) % 2:
                kept = [p for p, holding in zip(found.passages, holds, strict=True) if not holding]
                found, holds = replace(found, passages=tuple(kept)), (False,) * len(kept)
            asked.append(Asked(found, holds, question, False, len(asked) % 2 == 0, PAIR_WEIGHT))
    return asked


def retrieve(knowledge_base: rag.KnowledgeBase, question: Question) -> Retrieved:
    """Return 20 fused candidates for a question as it is understood after its history."""
    understood = knowledge_base.understand(question.question, question.history)
    found = knowledge_base.retrieve(understood.question, k=CANDIDATES)
    (found,) = knowledge_base.with_kinds([found])
    # Without its neighbors, which would keep each of many indexes open and in memory.
    return replace(found, question=one_line(found.question), neighbors=None)
