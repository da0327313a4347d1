"""Tokenizers and texts for the tests of windows."""

from __future__ import annotations

from functools import cache
from typing import Any

from rag.extractive_qa.windows import Windower, WindowSettings
from rag.models.resolve import resolve_model

WORDS = (
    "the", "Basilica", "of", "Notre", "Dame", "don't", "unaffable", "antidisestablishmentarianism", "3,000", "(1858)",
    "U.S.", "naïve", "e\u0301tat", "cafe\u0301", "Толстои\u0306", "в", "Москве", "well-known", '"quoted"', "$5.20",
    "é", "x", "-",
)  # fmt: skip


@cache
def minilm_tokenizer() -> Any:
    """The bundled encoder's own: lower-casing WordPiece with token types."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(resolve_model("bundled:minilm").path)


@cache
def byte_tokenizer(kind: str) -> Any:
    """Byte-level BPE without token types: ``roberta`` trims its offsets, ``modern`` counts the space to the word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "roberta")
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    if kind == "roberta":
        made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    else:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )


@cache
def windower_named(name: str, settings: WindowSettings) -> Windower:
    """A windower over one of the three tokenizers: made once, because that takes longer than hundreds of windows."""
    return Windower(minilm_tokenizer() if name == "minilm" else byte_tokenizer(name), settings)
