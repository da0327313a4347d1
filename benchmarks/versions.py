"""Planted versions: which are found, in which order, what is taken for a version and is none, and how long it takes.

    python -m benchmarks.versions [--families 60] [--documents 3000]      # half a minute on 2 cores

Documents are made with a seed: families of two to four versions under ten ways of naming, some moved or with a sentence
added or removed, and others that are no versions of each other: series (invoices, minutes), one form for several
people, running numbers, one document in two formats, the same name over another text, and documents of their own. A
pair of documents is counted as found if both are in one family; the order is right if all members stand newest first.
The last figures are in versions.md.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import rag

WORDS_TEXT = """
anchor beacon berth buoy cable canal captain cargo chain channel crane crew dock dredger engine ferry fog gate harbor
keeper lantern ledger mast mooring north office pier pilot port quay rail rope rudder sail shed signal storm tide timber
tower tug vessel warehouse watch west winch yard
"""
VERBS_TEXT = """
checks paints records opens closes repairs orders measures counts moves signs reports
"""
SUBJECTS_TEXT = """
leave travel safety parking visitor training purchase data key tool boat fuel radio storage waste noise uniform canteen
overtime lending printing insurance diving painting welding cleaning guest archive lamp bell
"""
WORDS, VERBS, SUBJECTS = WORDS_TEXT.split(), VERBS_TEXT.split(), SUBJECTS_TEXT.split()
KINDS = ("rules", "policy", "guide", "handbook")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Planted versions.")
    parser.add_argument("--families", type=int, default=60)
    parser.add_argument("--documents", type=int, default=3_000, help="further documents, for the time")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planted = [write_family(root, number, chance) for number in range(options.families)]
        others = write_others(root, chance)
        with rag.open(root / ".rag", config="test") as kb:
            kb.ingest(root)
            found = [[member.source for member in family.members] for family in kb.versions()]
            report(planted, found, others)
            for number in range(options.documents):
                write(root / "many" / f"note {chance.choice(WORDS)} {number}.md", text_of(chance, 12))
            kb.ingest(root)
            started = time.process_time()
            kb.versions()
            count = len(kb.documents())
            print(f"{count:,} documents: {time.process_time() - started:.2f} s of processor time to find the versions")


def report(planted: list[list[str]], found: list[list[str]], others: int) -> None:
    """Print precision and recall of pairs, and how many orders are right."""
    wanted = {frozenset(pair) for family in planted for pair in combinations(family, 2)}
    got = {frozenset(pair) for family in found for pair in combinations(family, 2)}
    right = len(wanted & got)
    print(f"{len(planted)} families, {sum(map(len, planted))} documents in them, {others} that are no versions")
    print(f"pairs: {len(wanted)} planted, {len(got)} found, {right} right")
    print(f"precision {100 * right / max(1, len(got)):.1f} %, recall {100 * right / len(wanted):.1f} %")
    whole = [family for family in found if sorted(family) in [sorted(one) for one in planted]]
    print(f"order right: {sum(family in planted for family in whole)} of {len(whole)} families found whole")
    for pair in sorted(map(sorted, got - wanted))[:10]:
        print("  wrong:", *pair)
    for pair in sorted(map(sorted, wanted - got))[:10]:
        print("  missed:", *pair)


def write_family(root: Path, number: int, chance: random.Random) -> list[str]:
    """Write the versions of one document; return their names, newest first."""
    subject = (
        f"{chance.choice(SUBJECTS)} {chance.choice(WORDS)} {chance.choice(['rules', 'policy', 'guide', 'handbook'])}"
    )
    kind, count = number % 10, chance.randint(2, 4)
    years = sorted(chance.sample(range(2015, 2026), count))
    sentences, values = text_of(chance, chance.randint(6, 14)).splitlines(), chance.sample(range(10, 99), 3)
    names = []
    for n, year in enumerate(years):
        body = edited(sentences, values, n, chance)
        dated = f"Effective from {chance.randint(1, 28)} May {year}."
        stem, extension = subject.replace(" ", chance.choice("-_ ") if kind < 8 else "-"), ".md"
        version = f"{n + 1}.{chance.randint(0, 3)}" if kind == 3 else str(n + 1)
        path = [
            f"{stem}-{year}{extension}",
            f"{year}/{stem}{extension}",
            f"{stem}_v{version}{extension}",
            f"{stem} version {version}{extension}",
            f"{stem}_{year}-0{n + 1}-12{extension}",
            f"{stem}{'' if n == count - 1 else f'-{year}'}{extension}",
            f"{stem} {['draft', 'v1', 'v2', 'final'][4 - count + n]}{extension}",
            f"{stem} (1 May {year}){'.txt' if n % 2 else '.md'}",
            f"{stem}-{chance.choice(WORDS)}-{'abcd'[n]}{number}{extension}",  # only the text says when
            f"sent by {chance.choice(WORDS)} {number}/{stem} {'abcd'[n]}{extension}",
        ][kind]
        place = f"f{number:03}/{path}"
        text = f"# {subject.capitalize()}\n\n" + (f"{dated}\n" if kind in (8, 9) else "") + "\n".join(body) + "\n"
        write(root / place, text)
        names.append(place)
    return names[::-1]


def edited(sentences: list[str], values: list[int], n: int, chance: random.Random) -> list[str]:
    """Return the sentences with other values, and some with one sentence more or less."""
    body = [
        *sentences,
        f"The {sentences[0].split()[1]} is open for {values[0] + n} hours and costs {values[1] + 3 * n} euros a day.",
        f"Requests are handed in {values[2] + 2 * n} days before.",
    ]
    if n and chance.random() < 0.3:
        body.insert(chance.randrange(len(body)), sentence_of(chance))
    if n and chance.random() < 0.2:
        body.pop(0)
    return body


def write_others(root: Path, chance: random.Random) -> int:
    """Write documents that are no versions of each other; return how many."""
    count = 0
    for number in range(12):
        form = text_of(chance, 8)
        for n in range(5):
            filled = f"# Form\n\n{form}The amount is {chance.randint(10, 999)} euros.\n"
            names = [
                f"invoices/invoice-2024-{n + 1:02}.md",
                f"minutes/minutes 2024-0{n + 1}-0{n + 2}.md",
                f"people/contract {WORDS[n]} {SUBJECTS[n]}.md",
                f"sheets/sheet-{n:04}.md",
            ]
            write(root / f"o{number}" / names[number % 4], filled)
            count += 1
    for number in range(20):
        text = f"# Notice\n\n{text_of(chance, 8)}"
        subject = f"{chance.choice(SUBJECTS)}-{number}"
        write(root / "formats" / f"{subject}.md", text)
        write(root / "formats" / f"{subject}.txt", text)
        for year in (2022, 2023):
            write(root / "same name" / f"{subject}-{year}.md", f"# Notice\n\n{text_of(chance, 8)}")
        count += 4
    return count


def text_of(chance: random.Random, sentences: int) -> str:
    """Return a text, one sentence a line."""
    return "".join(f"{sentence_of(chance)}\n" for _ in range(sentences))


def sentence_of(chance: random.Random) -> str:
    """Return a sentence of twelve words or more."""

    def group() -> Iterator[str]:
        yield from ("the", chance.choice(WORDS), "of", "the", chance.choice(WORDS))

    words = [*group(), chance.choice(VERBS), *group(), "by", *group()]
    return f"{' '.join(words).capitalize()}."


def write(path: Path, text: str) -> None:
    """Write a file, in a folder that is made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
