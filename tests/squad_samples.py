"""An invented dataset in SQuAD's format: beacons, how tall they are and when they were lit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Juniper", "Larch", "Maple", "Oak")


def beacons(names: Sequence[str] = NAMES, *, impossible: bool = False, extra: str = "") -> dict[str, Any]:
    """Two questions for each name; with ``impossible``, a third that no text answers.

    ``extra`` is added to every text and to every first question.
    """
    articles = []
    for number, name in enumerate(names):
        text = (
            f"The beacon of {name} is {20 + number} metres tall. {extra}The lamp of {name} was lit in {1850 + number}."
        )
        tall = f"How many metres tall is the beacon of {name}? {extra}".rstrip()
        qas = [
            question_about(f"{name}-tall", tall, f"{20 + number} metres", text),
            question_about(f"{name}-lit", f"When was the lamp of {name} lit?", str(1850 + number), text),
        ]
        if impossible:
            qas.append({"id": f"{name}-who", "question": f"Who painted {name}?", "is_impossible": True, "answers": []})
        articles.append({"title": name, "paragraphs": [{"context": text, "qas": qas}]})
    return {"version": "v2.0" if impossible else "1.1", "data": articles}


def question_about(key: str, question: str, answer: str, text: str) -> dict[str, Any]:
    """A question whose answer is the first occurrence in the text."""
    return {"id": key, "question": question, "answers": [{"text": answer, "answer_start": text.index(answer)}]}
