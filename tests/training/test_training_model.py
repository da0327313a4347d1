"""The span reader as a model: saved and loaded, what it refuses, and that dropout and frozen embeddings act."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rag.errors import ModelError
from rag.extractive_qa.model import RELEVANCE_FILE, SpanReader, freeze_embeddings
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.extractive_qa.windows import Windower, WindowSettings
from rag.models.resolve import resolve_model


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def inputs(width: int = 12) -> dict[str, torch.Tensor]:
    ids = torch.arange(1000, 1000 + 2 * width).reshape(2, width)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        SpanReader.load(folder, name="the model")
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value.message


def test_what_is_saved_is_loaded_with_the_same_scores(tiny: Path, tmp_path: Path) -> None:
    model = SpanReader.load(tiny).eval()
    model.save(tmp_path / "saved", load_tokenizer(tiny, "tiny"), {"window": {"size": 96}})
    again = SpanReader.load(tmp_path / "saved").eval()
    with torch.inference_mode():
        for before, after in zip(model(**inputs()), again(**inputs()), strict=True):
            assert torch.equal(before, after)
    assert json.loads((tmp_path / "saved" / "reader.json").read_text()) == {"window": {"size": 96}}
    assert load_tokenizer(tmp_path / "saved", "saved").is_fast


def test_without_a_head_relevance_is_zero_and_none_is_saved(tiny: Path, tmp_path: Path) -> None:
    model = SpanReader.load(tiny, with_relevance=False).eval()
    assert model(**inputs()).relevance.tolist() == [0.0, 0.0]
    model.save(tmp_path / "saved", load_tokenizer(tiny, "tiny"), {})
    assert not (tmp_path / "saved" / RELEVANCE_FILE).exists()


def test_dropout_is_replaced_everywhere(tiny: Path) -> None:
    def differs(dropout: float | None) -> bool:
        model = SpanReader.load(tiny, dropout=dropout).train()
        torch.manual_seed(0)
        return not torch.equal(model(**inputs()).start, model(**inputs()).start)

    assert differs(None)
    assert differs(0.5)
    assert not differs(0.0)
    rates = {m.p for m in SpanReader.load(tiny, dropout=0.25).modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.25}


def test_frozen_embeddings_take_no_gradient(tiny: Path) -> None:
    model = SpanReader.load(tiny)
    freeze_embeddings(model.qa)
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if ".embeddings." in name}
    assert len(frozen) >= 3


def test_a_decoder_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    assert refused(copy) == "the model is a llama model, which is no encoder"


def test_an_encoder_with_a_decoder_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "bart"}), encoding="utf-8")
    assert refused(copy) == "the model is a bart model, which is no encoder"


def test_pickled_weights_are_refused_before_anything_is_read(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    assert refused(copy) == "the model holds no safetensors file"


def test_weights_of_something_else_are_refused(copy: Path) -> None:
    from safetensors.torch import save_file

    save_file({"unrelated": torch.zeros(2)}, copy / "model.safetensors", metadata={"format": "pt"})
    assert "of its encoder's weights, such as bert." in refused(copy)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", RELEVANCE_FILE])
def test_a_file_cut_short_is_refused(copy: Path, file: str) -> None:
    if file == RELEVANCE_FILE:
        SpanReader.load(copy).save(copy, load_tokenizer(copy, "copy"), {})
    content = (copy / file).read_bytes()
    (copy / file).write_bytes(content[: len(content) // 2])
    assert refused(copy).count("the model") == 1


def test_a_tokenizer_that_is_not_fast_is_refused(copy: Path, tmp_path: Path) -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="not a fast one"):
        Windower(Slow(), WindowSettings())
    for path in copy.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError) as caught:
        Windower(load_tokenizer(copy, "the model"), WindowSettings())
    assert "tokenizer.json" in caught.value.remedy


def test_an_encoder_that_has_learned_nothing_is_no_reader(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has not learned to mark answers"):
        SpanReader.load(resolve_model("bundled:minilm").path, name="minilm", trained=True)
    SpanReader.load(tiny).save(tmp_path / "saved", load_tokenizer(tiny, "tiny"), {})
    SpanReader.load(tmp_path / "saved", trained=True)
