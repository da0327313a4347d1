"""Counting word by word gives what reading the whole text gives, and is done only where it must."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from rag.embedding.token_counter import TokenCounter, splits_at_spaces
from rag.models.resolve import resolve_model


def tokenizer_of(model: str) -> Any:
    tokenizer = Tokenizer.from_file(str(resolve_model(model, weights=False).path / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


MINILM = tokenizer_of("bundled:minilm")
COUNTER = TokenCounter(MINILM)
# What tokenizers treat in ways of their own: spaces of many kinds, control and joining characters, marks, scripts.
ODD = st.sampled_from(
    [*" \t\n\r\x0b\x0c\x1c\x85\xa0\u2003\u2028\u200b\u00ad\ufeff\ufffd\x00\u0301\u1680",
     "[SEP]", "[MASK]", "##ing", "水", "ไทย", "우리", "датчик", "😀", "é", "don't", "3.14", "x" * 101]
)  # fmt: skip


@given(st.lists(st.one_of(ODD, st.text(max_size=8)), max_size=30).map("".join))
@example("")
@example("a\x1cb a\x0bb \x00 \u2028x")
@settings(max_examples=400, deadline=None)
def test_words_together_are_as_many_tokens_as_the_text(text: str) -> None:
    ((_, encoding),) = COUNTER.encode([text])
    assert COUNTER.count([text, text]) == 2 * [len(encoding.ids)]


@pytest.mark.slow
def test_a_tokenizer_that_minds_its_spaces_reads_whole_texts() -> None:
    tokenizer = tokenizer_of("bundled:smollm2")
    assert not splits_at_spaces(tokenizer)
    texts = ["The fog  sensor\n\nis here.", "", "of of  of"]
    assert TokenCounter(tokenizer).count(texts) == [len(tokenizer.encode(text).ids) for text in texts]
    assert TokenCounter(tokenizer).count([]) == []


def test_a_token_of_several_words_makes_a_tokenizer_read_whole_texts() -> None:
    tokenizer = tokenizer_of("bundled:minilm")
    assert splits_at_spaces(tokenizer)
    tokenizer.add_tokens([AddedToken("fog sensor", normalized=False)])
    assert not splits_at_spaces(tokenizer)
    whole = len(tokenizer.encode("the fog sensor").ids)
    assert TokenCounter(tokenizer).count(["the fog sensor"]) == [whole] != COUNTER.count(["the fog sensor"])


@pytest.mark.parametrize(
    ("part", "kind"), [("normalizer", "Lowercase"), ("pre_tokenizer", "Metaspace"), ("model", "BPE")]
)
def test_any_other_kind_of_tokenizer_reads_whole_texts(part: str, kind: str) -> None:
    from tokenizers import models, normalizers, pre_tokenizers

    parts = {"Lowercase": normalizers.Lowercase, "Metaspace": pre_tokenizers.Metaspace, "BPE": models.BPE}
    tokenizer = tokenizer_of("bundled:minilm")
    setattr(tokenizer, part, parts[kind]())
    assert not splits_at_spaces(tokenizer)
