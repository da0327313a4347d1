"""What the tests of training share: an encoder that takes milliseconds, and a small SQuAD-format file."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from rag.models.resolve import resolve_model
from rag.training.data.corpus import Example

__all__ = ["deliver", "examples", "tiny_encoder", "write_squad"]

_PEOPLE = ("Ada", "Cora", "Emil", "Gina", "Hans", "Ines", "Kara", "Lars")
_PLACES = ("Oslo", "Rome", "Bern", "Paris", "Lima", "Cairo", "Delhi", "Quito")


def examples(count: int) -> list[Example]:
    """Return so many questions, passages of different lengths, every fifth without an answer."""
    made = []
    for n in range(count):
        person, place = _PEOPLE[n % 8], _PLACES[(n * 3 + n // 8) % 8]
        more = " The house is made of stone." * (n % 3)
        context = f"{person} was born in {place} in a house by the river.{more}"
        start = context.index(place)
        if n % 5 == 4:
            made.append(Example(f"q{n}", "Who painted the bridge?", context, ()))
        else:
            made.append(Example(f"q{n}", f"Where was {person} born?", context, ((start, start + len(place)),)))
    return made


def write_squad(path: Path, count: int) -> Path:
    """Write :func:`examples` as a SQuAD-format file."""
    paragraphs = [
        {
            "context": e.context,
            "qas": [
                {
                    "id": e.id,
                    "question": e.question,
                    "is_impossible": not e.answers,
                    "answers": [{"text": e.context[a:b], "answer_start": a} for a, b in e.answers],
                }
            ],
        }
        for e in examples(count)
    ]
    tree = {"version": "v2.0", "data": [{"title": "people", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def tiny_encoder(folder: Path) -> Path:
    """Write a BERT of one layer and 16 dimensions with random weights, and MiniLM's tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

    tokenizer = AutoTokenizer.from_pretrained(resolve_model("bundled:minilm").path)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForQuestionAnswering(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def deliver(number: int) -> None:
    """Do what Python does when a signal comes, without the system: this process is full of other libraries' threads."""
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)
