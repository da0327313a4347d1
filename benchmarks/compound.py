"""Lists over table rows and in prose, and questions of two parts: how many answers are complete.

    python -m benchmarks.compound [--half first|second] [--verbose] [--set KEY=VALUE …]     # about 1 minute

Documents and questions are in compound.yaml; its first lines say when an answer is right. The last figures are in
compound.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

import rag
from eval.statistics import percentile
from eval.wording import states
from rag.types import Answer

FILE = Path(__file__).with_suffix(".yaml")
KINDS = ("list", "two_part", "single")
VERDICTS = ("right", "partly", "wrong", "refused")


def main() -> None:
    """Print the number of verdicts for each kind of question."""
    parser = argparse.ArgumentParser(description="Lists and questions of two parts.")
    parser.add_argument("--half", choices=("first", "second"))
    parser.add_argument("--verbose", action="store_true", help="print every answer")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    cases = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "documents")
        for name, text in cases["documents"].items():
            path = documents / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with rag.open(Path(folder, "index"), config="cpu", settings=options.settings) as knowledge_base:
            knowledge_base.ingest(documents)
            knowledge_base.ask("Who is in charge?")  # loads the models
            for kind in KINDS:
                counts: Counter[str] = Counter()
                for case in cases[kind]:
                    if options.half in (None, case["half"]):
                        started = time.perf_counter()
                        answer = knowledge_base.ask(case["q"])
                        seconds.append(time.perf_counter() - started)
                        counts[verdict(answer, case)] += 1
                        if options.verbose:
                            print(f"{verdict(answer, case):<8}{answer.confidence:.2f} {answer.kind:<12}{case['q']}")
                            print("        ", answer.text.replace("\n", "\n         "))
                            for note in answer.notes:
                                print("         note:", note.text)
                print(f"{kind:<10}" + "".join(f"{v:>9} {counts[v]:>2}" for v in VERDICTS) + f"   n = {counts.total()}")
    print(f"seconds a question {percentile(seconds, 50):.2f}, p95 {percentile(seconds, 95):.2f}")


def verdict(answer: Answer, case: dict[str, Any]) -> str:
    """Return the verdict on an answer to one of the file's questions."""
    if case.get("answer") == "none":
        return "wrong" if not answer.abstained and any(states(answer.text, w) for w in case["not"]) else "right"
    if answer.abstained:
        return "refused"
    if any(states(answer.text, wording) for wording in case.get("not", ())):
        return "wrong"
    stated = [states(answer.text, part) for part in case["parts"]]
    if all(stated):
        return "right"
    return "partly" if 2 * sum(stated) >= len(stated) else "wrong"


if __name__ == "__main__":
    main()
