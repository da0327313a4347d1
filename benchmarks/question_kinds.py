"""Train and measure the classifier of question kinds (rag/answering/question_kinds.py).

    python -m benchmarks.question_kinds              # figures, about 2 minutes on 2 cores
    python -m benchmarks.question_kinds --write      # also writes the bundled weights

The training set is TREC's 5,452 questions (Li and Roth 2002) under our kinds, the office set's dev split, and questions
made from the templates in question_kinds.yaml. Everything is seeded: the same weights come out again on the same
machine. In cross-validation all questions of one template are in one fold. The office set's check split is never
trained on and only its totals are printed. The last figures are in question_kinds.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from indexes.system import sha256_file
from rag.answering.query_rewriting import Turn, rewrite
from rag.answering.question_kinds import BUCKETS, KINDS, WEIGHTS, QuestionClassifier, QuestionWeights, hashed_features
from rag.config import load_config
from rag.factory import make_embedder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TEMPLATES = Path(__file__).with_suffix(".yaml")
TREC_WEIGHT = 0.4  # of a question: most of them ask for encyclopedia facts
PER_TEMPLATE = 14  # questions, fewer for a template with few slots
FOLLOW_UPS = 0.08  # share of made questions that are written as rewritten follow-ups: "And when (Who left)?"
FOLDS = 5
REGULARISATION = 5.0  # inverse strength of the L2 penalty
DENSE_SCALE = 1.5  # of the embedding, against 1 for words and 1 for characters
OFFICE = {
    "number_with_unit": "number", "date": "date", "person": "person", "definition": "definition", "how_to": "procedure",
    "why": "reason", "yes_no": "yes_no", "list": "list", "compare": "comparison", "aggregate": "calculation",
    "summary": "summary", "chat": "small_talk",
}  # fmt: skip
SPECIAL = ("collection", "small_talk", "summary")  # kinds that are not answered from passages


@dataclass(frozen=True)
class Example:
    """A question, its kind, the group that stays in one fold, and its weight in training."""

    text: str
    kind: str
    group: str
    weight: float = 1.0


# Data ----------------------------------------------------------------------------------------------------------------


def trec() -> list[Example]:
    """Return TREC's training questions."""
    lines = (DATA / "trec-questions" / "train_5500.label").read_text(encoding="latin-1").splitlines()
    examples = []
    for n, line in enumerate(lines):
        label, text = line.split(" ", 1)
        text = re.sub(r" (?=[?.,!;:')])|(?<=\() ", "", text.replace("`` ", '"').replace(" ''", '"').strip())
        examples.append(Example(text, _trec_kind(label), f"trec {n}", TREC_WEIGHT))
    return examples


def _trec_kind(label: str) -> str:
    exact = {
        "DESC:def": "definition", "HUM:desc": "definition", "DESC:manner": "procedure", "DESC:reason": "reason",
        "HUM:ind": "person", "NUM:date": "date",
    }  # fmt: skip
    coarse = {"ABBR": "definition", "LOC": "place", "NUM": "number"}
    return exact.get(label) or coarse.get(label.split(":")[0], "fact")


def templates(seed: int = 0) -> list[Example]:
    """Return questions made from the templates: with openings, without capitals or marks, and with typing errors."""
    made = yaml.safe_load(TEMPLATES.read_text(encoding="utf-8"))
    chance = random.Random(seed)
    asked = [languages for kind, languages in made["kinds"].items() if kind != "small_talk"]
    forms_of = {language: [languages[language] for languages in asked] for language in made["slots"]}
    examples: dict[tuple[str, str], Example] = {}
    for kind, languages in made["kinds"].items():
        for language, forms in languages.items():
            slots, openings = made["slots"][language], made["openings"][language]
            for form in forms:
                fixed = "{" not in form
                # A sentence without slots has to count as much as one with many.
                count = 6 if fixed else PER_TEMPLATE
                for _ in range(count):
                    text = _filled(form, slots, chance)
                    text = _varied(text, "" if kind == "small_talk" else chance.choice(openings), chance)
                    if kind != "small_talk" and chance.random() < FOLLOW_UPS:
                        earlier = _filled(chance.choice(chance.choice(forms_of[language])), slots, chance)
                        text = f"{text.rstrip('?.! ')} ({earlier.rstrip('?.! ')})?"
                    examples[text, kind] = Example(text, kind, f"template {kind} {form}", 2.0 if fixed else 1.0)
    return list(examples.values())


def _filled(form: str, slots: dict[str, list[str]], chance: random.Random) -> str:
    used: set[str] = set()

    def word(match: re.Match[str]) -> str:
        free = [w for w in slots[match[1]] if w not in used] or slots[match[1]]
        used.add(chosen := chance.choice(free))
        return chosen

    text = re.sub(r"\{(\w+)\}", word, form)
    return text[:1].upper() + text[1:] if form[:1] == "{" and chance.random() < 0.5 else text


def _varied(text: str, opening: str, chance: random.Random) -> str:
    draw = chance.random()
    if opening and draw < 0.2:
        text = opening + (text if opening.endswith((". ", "! ")) else text[:1].lower() + text[1:])
    elif draw < 0.35:
        text = text.lower().rstrip("?.!")
    elif draw < 0.42:
        text = text.rstrip("?.!")
    elif draw < 0.5:
        text = _mistyped(text, chance)
    return text


def _mistyped(text: str, chance: random.Random) -> str:
    """Exchange, leave out or double one letter."""
    if len(text) < 6:
        return text
    n = chance.randrange(1, len(text) - 2)
    return chance.choice(
        (text[:n] + text[n + 1] + text[n] + text[n + 2 :], text[:n] + text[n + 1 :], text[:n] + text[n] + text[n:])
    )


def office(split: str) -> list[tuple[str, str, str]]:
    """Return (question as a chat understands it, office kind, id) of a split."""
    folder = DATA / "office"
    wanted = set(json.loads((folder / "splits.json").read_text(encoding="utf-8"))[split])
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["id"] in wanted]
    return [(_understood(row), row["kind"], row["id"]) for row in rows]


def _understood(row: dict[str, Any]) -> str:
    return rewrite(row["question"], [Turn(turn["question"], turn["answer"]) for turn in row["history"]]).question


def office_dev() -> list[Example]:
    """Return the dev split: kinds that say what is asked for, and those labelled by hand in the templates' file."""
    by_hand = yaml.safe_load(TEMPLATES.read_text(encoding="utf-8"))["office_dev"]
    labelled = {number: kind for kind, numbers in by_hand.items() for number in numbers}
    examples = []
    for text, kind, number in office("dev"):
        known = labelled.get(number) or OFFICE.get(kind)
        if known:
            examples.append(Example(text, known, f"office {number}", 3.0))
    return examples


# Training ------------------------------------------------------------------------------------------------------------


class Features:
    """Embeddings and hashed n-grams of examples, each computed once."""

    def __init__(self, texts: Sequence[str]) -> None:
        embedder = make_embedder(load_config("cpu").config)
        unique = list(dict.fromkeys(texts))
        self._row = {text: n for n, text in enumerate(unique)}
        self.vectors = embedder.embed_queries(unique)
        self.hashed = _sparse(unique)

    def of(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Return the embeddings (n, 384) and the n-grams (n, buckets)."""
        rows = [self._row[text] for text in texts]
        return self.vectors[rows], self.hashed[rows]


def _sparse(texts: Sequence[str]) -> Any:
    from scipy.sparse import csr_matrix

    columns, values, ends = [], [], [0]
    for text in texts:
        buckets, weights = hashed_features(text)
        columns.append(buckets)
        values.append(weights)
        ends.append(ends[-1] + len(buckets))
    return csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(texts), BUCKETS))


def train(examples: Sequence[Example], features: Features) -> QuestionWeights:
    """Fit the regression. Kinds count by the square root of their number of examples."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression

    vectors, hashed = features.of([e.text for e in examples])
    counts = Counter(e.kind for e in examples)
    most = max(counts.values())
    weights = [e.weight * (most / counts[e.kind]) ** 0.5 for e in examples]
    model = LogisticRegression(C=REGULARISATION, max_iter=150, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 150 steps are enough, whatever lbfgs thinks of them
        matrix = hstack([csr_matrix(vectors * DENSE_SCALE), hashed], format="csr")
        model.fit(matrix, [KINDS.index(e.kind) for e in examples], sample_weight=weights)
    if list(model.classes_) != list(range(len(KINDS))):
        sys.exit("a kind has no examples")
    table = model.coef_.T.astype(np.float16).astype(np.float32)
    dimension = vectors.shape[1]
    dense = (table[:dimension] * DENSE_SCALE).astype(np.float16).astype(np.float32)
    return QuestionWeights(KINDS, dense, table[dimension:], model.intercept_.astype(np.float32))


def predict(weights: QuestionWeights, features: Features, texts: Sequence[str]) -> list[str]:
    """Return the kinds as the product chooses them."""
    vectors, _ = features.of(texts)
    chooser = QuestionClassifier(weights, lambda _: vectors)
    return [guess.kind for guess in chooser.classify(texts)]


# Measuring -----------------------------------------------------------------------------------------------------------


def cross_validate(examples: Sequence[Example], features: Features) -> list[str]:
    """Return the kind of each example as guessed by the model that did not see its group."""
    groups = sorted({e.group for e in examples})
    random.Random(1).shuffle(groups)
    fold = {group: n % FOLDS for n, group in enumerate(groups)}
    guessed = [""] * len(examples)
    for n in range(FOLDS):
        inside = [e for e in examples if fold[e.group] != n]
        outside = [k for k, e in enumerate(examples) if fold[e.group] == n]
        found = predict(train(inside, features), features, [examples[k].text for k in outside])
        for k, kind in zip(outside, found, strict=True):
            guessed[k] = kind
    return guessed


def print_matrix(title: str, gold: Sequence[str], guessed: Sequence[str]) -> None:
    """Print a confusion matrix as a Markdown table: a row for each true kind, a column for each guess."""
    right = sum(a == b for a, b in zip(gold, guessed, strict=True))
    print(f"\n{title}: {right} of {len(gold)} ({100 * right / len(gold):.1f} %)\n")
    counts = Counter(zip(gold, guessed, strict=True))
    rows = [kind for kind in KINDS if kind in gold]
    columns = [kind for kind in KINDS if kind in gold or kind in guessed]
    print("| | " + " | ".join(columns) + " | recall | precision |\n|---|" + "--:|" * (len(columns) + 2))
    for kind in rows:
        recall = 100 * counts[kind, kind] / max(1, gold.count(kind))
        precision = 100 * counts[kind, kind] / max(1, guessed.count(kind))
        cells = [str(counts[kind, other] or "") for other in columns]
        print(f"| {kind} | " + " | ".join(cells) + f" | {recall:.0f} | {precision:.0f} |")


def report(split: str, weights: QuestionWeights, features: Features, *, show: bool = False) -> None:
    """Print the totals of one split of the office set."""
    rows = office(split)
    guessed = predict(weights, features, [text for text, _, _ in rows])
    clear = [(OFFICE[kind], guess) for (_, kind, _), guess in zip(rows, guessed, strict=True) if kind in OFFICE]
    # Of chat questions, those about the collection may be called so.
    clear = [(g, g) if (g, p) == ("small_talk", "collection") else (g, p) for g, p in clear]
    print_matrix(f"office {split}, clear kinds", [g for g, _ in clear], [p for _, p in clear])
    others = [guess for (_, kind, _), guess in zip(rows, guessed, strict=True) if kind not in OFFICE]
    alarms = sum(guess in SPECIAL for guess in others)
    print(f"\noffice {split}, other kinds: {len(others)} questions, of them {alarms} guessed as {', '.join(SPECIAL)}")
    print(dict(Counter(others).most_common()))
    if show:
        for (text, kind, number), guess in zip(rows, guessed, strict=True):
            if OFFICE.get(kind, guess) != guess:
                print(f"  {number}: {text!r} -> {guess}")


def write(weights: QuestionWeights) -> None:
    """Write the bundled file."""
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(getattr(weights, name), dtype=np.float16) for name in ("dense", "hashed")}
    tensors["bias"] = weights.bias.astype(np.float16)
    metadata = {"kinds": " ".join(KINDS), "buckets": str(BUCKETS), "encoder": "bundled:minilm"}
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, WEIGHTS, metadata=metadata)
    print(f"\n{WEIGHTS.name}: {WEIGHTS.stat().st_size:,} bytes, SHA-256 {sha256_file(WEIGHTS)}")


def main() -> None:
    """Train, measure, and write the weights if asked."""
    parser = argparse.ArgumentParser(description="The classifier of question kinds.")
    parser.add_argument("--write", action="store_true", help="write the bundled weights")
    parser.add_argument("--no-folds", action="store_true", help="skip the cross-validation")
    parser.add_argument("--show-dev", action="store_true", help="train without dev and list its errors")
    options = parser.parse_args()
    if not (DATA / "office").is_dir() or not (DATA / "trec-questions").is_dir():
        sys.exit("the office set and TREC's questions are needed at ../shared/data beside the checkout")
    public = [*trec(), *templates()]
    examples = [*public, *office_dev()]
    features = Features([e.text for e in examples] + [text for s in ("dev", "check") for text, _, _ in office(s)])
    print(f"{len(examples):,} questions:", dict(Counter(e.group.split()[0] for e in examples)))
    if options.show_dev:
        report("dev", train(public, features), features, show=True)
        return
    if not options.no_folds:
        guessed = cross_validate(public, features)
        parts: dict[str, list[int]] = defaultdict(list)
        for n, example in enumerate(public):
            parts[example.group.split()[0]].append(n)
        for name, places in parts.items():
            gold = [public[n].kind for n in places]
            print_matrix(f"{FOLDS}-fold, {name}", gold, [guessed[n] for n in places])
        report("dev", train(public, features), features)
    weights = train(examples, features)
    report("check", weights, features)
    if options.write:
        write(weights)


if __name__ == "__main__":
    main()
