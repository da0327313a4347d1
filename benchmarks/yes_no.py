"""Fit and test whether a sentence answers a question with yes or no (rag/evidence/yes_no.py).

    python -m benchmarks.yes_no          # figures, about 1 minute on 2 cores
    python -m benchmarks.yes_no --fit    # also prints newly fitted weights

The weights are fitted on questions made from yes_no.yaml and, with the same weight together, on the pairs of the split
``dev`` of yes_no_pairs.tsv. Those of the split ``test`` were written by hand too, before anything was fitted or
tuned, and only count here. Held-out made questions use other words and at least one pattern that the fit never saw.
A verdict with a question mark, such as "yes?", allows "unknown" too. The last figures are in yes_no.md.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from benchmarks.yes_no_data import Pair, made
from rag.evidence.yes_no import LEAST, NAMES, WEIGHTS, features_of
from rag.extractive_qa.engine import SpanEngine, load_engine
from rag.extractive_qa.windows import Pair as Window

PAIRS = Path(__file__).with_name("yes_no_pairs.tsv")
READER = Path(__file__).resolve().parents[1] / "rag" / "bundled" / "reader"
MADE, HELD_OUT = 4000, 1500
PENALTY = 2e-3
FOLDS = 5
Float = npt.NDArray[np.float64]


def main() -> None:
    """Print figures and, on demand, fitted weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    engine = load_engine(str(READER))
    sets = {name: Measured(engine, pairs) for name, pairs in named_sets().items()}
    weights = np.array([WEIGHTS[name] for name in NAMES])
    if options.fit:
        weights = fit([sets["made"], sets["dev"]])
        print("WEIGHTS =", {name: round(float(w), 2) for name, w in zip(NAMES, weights, strict=True)})
    print(f"{'':<22}{'pairs':>7}{'said':>7}{'wrong':>7}{'% wrong':>9}{'% of yes and no said rightly':>30}")
    for name, measured in sets.items():
        report(name, measured, measured.chance(weights))
    report("dev, cross-validated", sets["dev"], cross_validated(sets["made"], sets["dev"]))
    print("\nwrong by family, held-out patterns:", dict(sets["made, held out"].wrong(weights).most_common(8)))


def named_sets() -> dict[str, list[Pair]]:
    """Return the made pairs and the two splits of the written ones."""
    return {
        "made": made(MADE, held_out=False),
        "made, held out": made(HELD_OUT, held_out=True, seed=1),
        "dev": written("dev"),
        "test": written("test"),
    }


def written(split: str) -> list[Pair]:
    """Return the pairs of one split that were written by hand."""
    with PAIRS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Pair(row["question"], row["sentence"], row["verdict"], row["context"], row["context"])
        for row in rows
        if row["split"] == split
    ]


class Measured:
    """Pairs with their features; only those with a sign can be right or wrong."""

    def __init__(self, engine: SpanEngine, pairs: Sequence[Pair]) -> None:
        readings = engine.read([Window(pair.question, pair.sentence, pair.context) for pair in pairs])
        self.size = len(pairs)
        self.decidable = sum(pair.verdict in ("yes", "no") for pair in pairs)
        rows, self.right, self.pairs = [], [], []
        for pair, reading in zip(pairs, readings, strict=True):
            margin = reading.spans[0].margin if reading.spans else -10.0
            features = features_of(pair.question, pair.sentence, pair.context, margin=margin)
            if features.sign:
                rows.append(features.values)
                self.pairs.append(pair)
                self.right.append(("yes" if features.sign > 0 else "no") == pair.verdict.rstrip("?"))
        self.x: Float = np.array(rows)
        self.y: Float = np.array(self.right, dtype=np.float64)

    def chance(self, weights: Float) -> Float:
        """Return the probability that each sign is right."""
        return np.asarray(1 / (1 + np.exp(-(self.x @ weights))), dtype=np.float64)

    def wrong(self, weights: Float) -> Counter[str]:
        """Return how many wrong verdicts are given, by family."""
        said = self.chance(weights) >= LEAST
        return Counter(pair.family for pair, s, y in zip(self.pairs, said, self.right, strict=True) if s and not y)


def fit(parts: Sequence[Measured], kept: npt.NDArray[np.bool_] | None = None) -> Float:
    """Return the likeliest weights; each part counts as much as the others. ``kept`` chooses rows of the last part."""
    rows = [(part.x, part.y) for part in parts]
    if kept is not None:
        rows[-1] = (rows[-1][0][kept], rows[-1][1][kept])
    x = np.vstack([part[0] for part in rows])
    y = np.concatenate([part[1] for part in rows])
    counts = np.concatenate([np.full(len(part[1]), 1 / len(part[1]) / len(rows)) for part in rows])
    penalized = np.array([float(name != "bias") for name in NAMES]) * PENALTY

    def loss(weights: Float) -> tuple[float, Float]:
        logits = x @ weights
        chance = 1 / (1 + np.exp(-logits))
        cost = counts @ (np.logaddexp(0.0, logits) - logits * y) + penalized @ weights**2
        return float(cost), x.T @ (counts * (chance - y)) + 2 * penalized * weights

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x, dtype=np.float64)


def cross_validated(made_pairs: Measured, dev: Measured) -> Float:
    """Return the chance of each dev pair from weights that saw no pair of the same document."""
    documents = sorted({pair.context for pair in dev.pairs})
    fold = np.array([documents.index(pair.context) % FOLDS for pair in dev.pairs])
    chance = np.zeros(len(fold))
    for n in range(FOLDS):
        weights = fit([made_pairs, dev], fold != n)
        chance[fold == n] = dev.chance(weights)[fold == n]
    return chance


def report(name: str, measured: Measured, chance: Float) -> None:
    """Print how many verdicts are given, and how many of them are wrong."""
    said = chance >= LEAST
    right = measured.y[said].sum()
    wrong = said.sum() - right
    print(
        f"{name:<22}{measured.size:>7}{said.sum():>7}{wrong:>7.0f}{100 * wrong / max(1, said.sum()):>9.1f}"
        f"{100 * right / measured.decidable:>30.1f}"
    )


if __name__ == "__main__":
    main()
