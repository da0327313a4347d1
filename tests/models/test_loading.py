"""No loader runs code that lies in a model's folder, and none asks on the terminal whether it may."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, BertModel

from rag.embedding.base import EmbedderSettings
from rag.embedding.sentence_transformers import SentenceTransformerEmbedder
from rag.errors import ModelError
from rag.extractive_qa.model import encoder_config, load_whole
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.generation.token_counter import TokenizerCounter
from rag.models.loading import cross_encoder, pretrained, sentence_transformer
from rag.models.resolve import resolve_model
from rag.retrieval.rerankers import CrossEncoderReranker

CODE = """
from pathlib import Path
Path(__file__).with_name("ran").write_text("yes")
raise SystemExit("code of the folder ran")
"""
LOADERS: dict[str, Callable[[Path], object]] = {
    "configuration": lambda folder: encoder_config(folder, "it"),
    "tokenizer": lambda folder: load_tokenizer(folder, "it"),
    "model": lambda folder: load_whole(AutoModel, folder, "it", "a head"),
    "token counter": lambda folder: TokenizerCounter.load(str(folder)),
    "embedder": lambda folder: SentenceTransformerEmbedder(EmbedderSettings(model=str(folder))),
    "sentence transformer": lambda folder: sentence_transformer(folder, "cpu"),
    "cross-encoder": lambda folder: cross_encoder(folder, "cpu"),
    "reranker": lambda folder: CrossEncoderReranker(str(folder)),
    "auto classes": lambda folder: [pretrained(kind, folder) for kind in (AutoConfig, AutoTokenizer, AutoModel)],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with a tokenizer and the files of sentence-transformers."""
    folder = tmp_path_factory.mktemp("model")
    bundled = resolve_model("bundled:minilm").path
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "modules.json"):
        if (bundled / name).is_file():
            shutil.copy(bundled / name, folder / name)
    if (bundled / "1_Pooling").is_dir():
        shutil.copytree(bundled / "1_Pooling", folder / "1_Pooling")
    small = BertConfig(hidden_size=384, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    BertModel(small).save_pretrained(folder)
    return folder


def hostile(model: Path, target: Path, file: str, changes: object) -> Path:
    shutil.copytree(model, target)
    path = target / file
    tree = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(changes if isinstance(changes, list) else tree | dict(changes)))  # type: ignore[call-overload]
    (target / "evil.py").write_text(CODE)
    return target


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        (
            "config.json",
            {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}},
        ),
        ("tokenizer_config.json", {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Slow", None]}}),
        ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]),
        ("1_Pooling/config.json", {"activation_function": "evil.Function"}),
        ("config.json", {"sentence_transformers": {"activation_fn": "evil.Function"}}),
    ],
)
def test_code_of_a_folder_is_refused_by_every_loader(
    loader: str, file: str, changes: object, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hostile(model, tmp_path / "hostile", file, changes)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    monkeypatch.syspath_prepend(str(folder))  # as where a command is run inside it
    if "auto_map" in str(changes):  # only those who read that file notice it
        with suppress(ModelError):
            LOADERS[loader](folder)
    else:
        with pytest.raises(ModelError, match=r"names code of its own: evil\."):
            LOADERS[loader](folder)
    assert not (folder / "ran").exists()


def test_a_model_type_that_only_code_of_the_folder_knows_is_refused_in_a_sentence(model: Path, tmp_path: Path) -> None:
    changes = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    folder = hostile(model, tmp_path / "hostile", "config.json", changes)
    for loader in ("configuration", "model", "embedder", "cross-encoder"):
        with pytest.raises(ModelError, match="code of its own"):
            LOADERS[loader](folder)


def test_a_known_model_type_is_loaded_by_its_own_class_in_spite_of_a_map(model: Path, tmp_path: Path) -> None:
    folder = hostile(model, tmp_path / "mapped", "config.json", {"auto_map": {"AutoModel": "evil.Model"}})
    assert type(pretrained(AutoModel, folder)).__name__ == "BertModel"
    assert not (folder / "ran").exists()


def test_an_ordinary_folder_is_loaded(model: Path) -> None:
    sentence_transformer(resolve_model("bundled:minilm").path, "cpu")
    assert LOADERS["configuration"](model) and LOADERS["tokenizer"](model) and LOADERS["sentence transformer"](model)


def test_code_behind_a_link_or_in_a_huge_configuration_is_refused(model: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text(json.dumps({"activation_function": "evil.Function"}))
    linked = shutil.copytree(model, tmp_path / "linked")
    (linked / "2_Dense").symlink_to(outside)
    (outside / "round").symlink_to(linked)
    with pytest.raises(ModelError, match=r"names code of its own: evil\."):
        sentence_transformer(linked, "cpu")
    huge = shutil.copytree(model, tmp_path / "huge")
    (huge / "modules.json").write_text(json.dumps([{"type": "evil.Module", "filler": "x" * 5_000_000}]))
    with pytest.raises(ModelError, match="too large for a configuration"):
        sentence_transformer(huge, "cpu")
