"""How much of what matters an extractive summary holds, against rivals of the same length, and how fast it is.

    python -m benchmarks.summaries [--split dev|held_out|all] [--show]      # about a minute on 2 cores

The documents are in ``summary_documents`` (a letter, minutes, a policy, mails, price lists, …), the questions and key
facts in ``summaries.yaml``. A fact counts if the summary states one of its wordings (:mod:`eval.wording`). Rivals get
as many words as the summary: ``lead`` takes the first sentences, ``mmr`` is maximal marginal relevance over sentence
embeddings (Carbonell and Goldstein 1998), which the product used before; ``mmr 5`` are its usual five sentences.
``choice`` counts the questions, other wordings included, for which the right document was summarised. The last figures
are in summaries.md.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

import rag
from benchmarks.squad import WORK
from eval.wording import states
from indexes import ChunkRow
from rag.answering.special_replies import SpecialReplies
from rag.embedding.base import Float32
from rag.evidence.citations import sentence_spans
from rag.evidence.quotation import quotation
from rag.knowledge_base import KnowledgeBase
from rag.types import Answer

HERE = Path(__file__).resolve().parent
PAGES = 200
_LEAST_WORDS = 4  # of a sentence that a rival takes
Embed = Callable[[Sequence[str]], Float32]


@dataclass(frozen=True, slots=True)
class Case:
    """A document, the questions that ask for its summary, and the wordings of each key fact."""

    source: str
    split: str
    questions: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]


def main() -> None:
    """Print the share of key facts by document and system, the share of right documents, and the time."""
    parser = argparse.ArgumentParser(description="Extractive summaries.")
    parser.add_argument("--split", choices=("dev", "held_out", "all"), default="dev")
    parser.add_argument("--show", action="store_true", help="print the summaries, and each missing fact")
    options = parser.parse_args()
    cases = [case for case in load() if options.split in ("all", case.split)]
    folder = WORK / "summaries"
    shutil.rmtree(folder, ignore_errors=True)
    with rag.open(folder, config="cpu") as knowledge_base:
        knowledge_base.ingest(HERE / "summary_documents")
        print_facts(knowledge_base, cases, show=options.show)
        print_choice(knowledge_base, cases)
    print_time(folder.with_name("summaries_long"))


def load() -> list[Case]:
    """Return the cases of ``summaries.yaml``."""
    rows = yaml.safe_load((HERE / "summaries.yaml").read_text(encoding="utf-8"))
    return [
        Case(
            row["source"],
            row["split"],
            (row["question"], *row["also"]),
            tuple(tuple(str(wording) for wording in fact) for fact in row["facts"]),
        )
        for row in rows
    ]


def print_facts(knowledge_base: KnowledgeBase, cases: Sequence[Case], *, show: bool) -> None:
    """Print for each document and system the key facts that its summary states."""
    store = knowledge_base.retriever.reader.store
    names = {Path(document.source).name: document.source for document in store.documents()}
    embed = knowledge_base.models.embedder(knowledge_base.config.config).embed_passages
    columns = ("summary", "lead", "mmr", "mmr 5", "words")
    print(f"{'':<30}" + "".join(f"{name:>10}" for name in columns))
    shares: dict[str, list[float]] = {name: [] for name in columns}
    for case in cases:
        answer = summary_of(knowledge_base, case.questions[0])
        text = answer.text.partition("\n\n")[2]
        words = len(text.split())
        sentences = plain_sentences(store.chunks_of(names[case.source]))
        ranked = by_marginal_relevance(case.questions[0], sentences, embed)
        rivals = {
            "summary": text,
            "lead": "\n".join(shortened(sentences, range(len(sentences)), words)),
            "mmr": "\n".join(shortened(sentences, ranked, words)),
            "mmr 5": "\n".join(sentences[n] for n in ranked[:5]),
        }
        cells = []
        for name, said in rivals.items():
            held = [any(states(said, wording) for wording in fact) for fact in case.facts]
            shares[name].append(sum(held) / len(held))
            cells.append(f"{sum(held)} of {len(held)}")
        shares["words"].append(words)
        print(f"{case.source:<30}" + "".join(f"{cell:>10}" for cell in cells) + f"{words:>10}")
        if show:
            missing = [fact[0] for fact in case.facts if not any(states(text, wording) for wording in fact)]
            print(f"\n{answer.text}\n\nnotes: {[note.text for note in answer.notes]}\nmissing: {missing}\n")
    means = [f"{100 * np.mean(shares[name]):.1f} %" for name in columns[:-1]]
    print(f"{'mean':<30}" + "".join(f"{cell:>10}" for cell in means) + f"{np.mean(shares['words']):>10.0f}")


def summary_of(knowledge_base: KnowledgeBase, question: str) -> Answer:
    """Return the summary that is shown if the question is recognized as one that asks for it."""
    retriever = knowledge_base.retriever
    embed = knowledge_base.models.embedder(knowledge_base.config.config).embed_passages
    retrieved = replace(retriever.retrieve(question), kind="summary")
    summary = SpecialReplies(retriever, embed, extracts=True).summary(retrieved, None)
    if summary is None:
        raise SystemExit(f"no summary for {question!r}")
    return summary


def print_choice(knowledge_base: KnowledgeBase, cases: Sequence[Case]) -> None:
    """Print how many questions got a summary of the right document, and list the others."""
    right, asked, recognized, seconds = 0, 0, 0, []
    for case in cases:
        for question in case.questions:
            started = time.perf_counter()
            answer = summary_of(knowledge_base, question)
            seconds.append(time.perf_counter() - started)
            asked += 1
            found = {Path(citation.source).name for citation in answer.citations}
            right += found == {case.source}
            if found != {case.source}:
                print(f"  {question!r}: {sorted(found)}, {[note.text for note in answer.notes]}")
            kind = knowledge_base.ask(question).kind
            recognized += kind == "summary"
            if kind != "summary":
                print(f"  {question!r} is taken for {kind}")
    print(f"right document: {right} of {asked} questions; median {np.median(seconds):.2f} s")
    print(f"recognized as asking for a summary: {recognized} of {asked}")


def print_time(folder: Path) -> None:
    """Print how long a summary of a document of 200 pages takes, warm."""
    shutil.rmtree(folder, ignore_errors=True)
    texts = [path.read_text(encoding="utf-8") for path in sorted((HERE / "summary_documents").iterdir())]
    pages = [f"# Part {n + 1}\n\n" + texts[n % len(texts)].replace("20", str(20 + n)) for n in range(PAGES)]
    folder.mkdir(parents=True)
    (folder / "long.md").write_text("\n\n".join(pages), encoding="utf-8")
    with rag.open(folder / ".rag", config="cpu") as knowledge_base:
        knowledge_base.ingest(folder)
        seconds = []
        for question in ("Summarise the document", "Sum up the long document", "Summarise long.md"):
            started = time.perf_counter()
            answer = summary_of(knowledge_base, question)
            seconds.append(time.perf_counter() - started)
        words = sum(len(page.split()) for page in pages)
        print(f"{PAGES} pages, {words:,} words, answered by {answer.generator}: {min(seconds[1:]):.2f} s warm")


def plain_sentences(chunks: Sequence[ChunkRow]) -> list[str]:
    """Return the sentences of a document for the rivals: whole lines of a table and headings left out."""
    found, covered = [], 0
    for chunk in chunks:
        for start, end in sentence_spans(chunk.text):
            line = chunk.text[chunk.text.rfind("\n", 0, start) + 1 : end]
            if chunk.start + start < covered or line.lstrip().startswith(("#", "|")):
                continue
            covered = chunk.start + end
            text = quotation(chunk.text, start, end).text
            if len(text.split()) >= _LEAST_WORDS:
                found.append(text)
    return found


def by_marginal_relevance(question: str, sentences: Sequence[str], embed: Embed) -> list[int]:
    """Return the sentences by maximal marginal relevance, nearness to their mean and to the question."""
    vectors = embed([*sentences, question])
    vectors, asked = vectors[:-1], vectors[-1]
    mean = vectors.mean(axis=0)
    relevance = 0.7 * (vectors @ (mean / np.linalg.norm(mean))) + 0.3 * (vectors @ asked)
    likeness = vectors @ vectors.T
    chosen = [int(relevance.argmax())]
    while len(chosen) < len(vectors):
        score = 0.6 * relevance - 0.4 * likeness[:, chosen].max(axis=1)
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return chosen


def shortened(sentences: Sequence[str], order: Sequence[int], words: int) -> list[str]:
    """Return sentences in this order until they have as many words as wished; the last one may go beyond."""
    found: list[str] = []
    for n in order:
        if sum(len(text.split()) for text in found) >= words:
            break
        found.append(sentences[n])
    return found


if __name__ == "__main__":
    main()
