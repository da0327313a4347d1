"""The embedder as a graph: the model's own vectors without torch, built once, rebuilt if damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.cli.progress import loading
from rag.config import load_config
from rag.embedding import openvino_embedder as module
from rag.embedding.base import EmbedderSettings
from rag.embedding.openvino_embedder import OpenVinoEmbedder, embedding_graph
from rag.embedding.sentence_transformers import SentenceTransformerEmbedder
from rag.errors import MissingPackageError, ModelError, UsageError
from rag.factory import embedder_is_prepared, make_embedder
from rag.models.resolve import LocalModel, cache_folder, resolve_model

TEXTS = (
    "",
    "?",
    "How heavy is the device?",
    "The device weighs nine kilograms with its batteries in.",
    "Naïve café, 12 °C; 東京と大阪 Ёлка",
    "ловушка" * 60,  # one word for WordPiece, and one that it does not know
    "A long passage about horns and foggy harbours. " * 60,  # more than the 256 tokens that are read
)


@pytest.fixture(scope="module")
def graph() -> OpenVinoEmbedder:
    return OpenVinoEmbedder(EmbedderSettings("bundled:minilm", batch_size=3, dtype="float32"))


@pytest.mark.slow
def test_vectors_and_counts_are_those_of_the_model(graph: OpenVinoEmbedder) -> None:
    torch_one = SentenceTransformerEmbedder(EmbedderSettings("bundled:minilm", device="cpu"))
    assert (graph.fingerprint, graph.dimension, graph.max_tokens) == (
        torch_one.fingerprint, torch_one.dimension, torch_one.max_tokens,
    )  # fmt: skip
    assert graph.count_tokens(TEXTS) == torch_one.count_tokens(TEXTS)
    for ours, theirs in (
        (graph.embed_passages(TEXTS), torch_one.embed_passages(TEXTS)),
        (graph.embed_queries(TEXTS[:3]), torch_one.embed_queries(TEXTS[:3])),
    ):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_prefix_counts_and_is_embedded(graph: OpenVinoEmbedder) -> None:
    with_prefix = OpenVinoEmbedder(
        EmbedderSettings("bundled:minilm", query_prefix="query: ", passage_prefix="passage: ")
    )
    assert with_prefix.fingerprint != graph.fingerprint
    assert with_prefix.count_tokens(["nine"]) == graph.count_tokens(["passage: nine"])
    np.testing.assert_allclose(with_prefix.embed_queries(["nine"]), graph.embed_queries(["query: nine"]), atol=1e-6)


def test_nothing_in_nothing_out(graph: OpenVinoEmbedder) -> None:
    assert graph.embed_passages([]).shape == (0, 384)
    assert graph.count_tokens([]) == []


@pytest.fixture
def copied_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a copy of the graph in a cache of its own, and return its folder."""
    own = embedding_graph(resolve_model("bundled:minilm"))
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    return Path(shutil.copytree(own, tmp_path / own.name))


def test_a_damaged_graph_is_rebuilt(copied_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def remake(local: LocalModel, folder: Path) -> dict[str, Any]:
        made.append(folder)
        return {}

    monkeypatch.setattr(module, "_make", remake)
    local = resolve_model("bundled:minilm")
    assert embedding_graph(local) == copied_cache
    assert made == []
    weights = copied_cache / "embedder.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    embedding_graph(local)
    assert len(made) == 1
    assert copied_cache.is_dir()
    (copied_cache / "embedder.json").write_text("{", encoding="utf-8")
    embedding_graph(local)
    assert len(made) == 2


def test_an_embedder_whose_graph_is_not_made_is_not_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_graph = load_config("cpu", ["embedding.engine=openvino"]).config
    assert embedding_graph(resolve_model("bundled:minilm")).is_dir()
    assert embedder_is_prepared(by_graph)
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    assert not embedder_is_prepared(by_graph)
    assert embedder_is_prepared(load_config("cpu", ["embedding.engine=torch"]).config)
    assert embedder_is_prepared(load_config("test").config)
    for config, message in (
        (by_graph, "preparing the embedder for this machine, once: up to a minute…\n"),
        (load_config("test").config, ""),
    ):
        with loading(config):
            assert capsys.readouterr().err == message


def test_a_conversion_that_fails_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))
    empty = tmp_path / "model"
    empty.mkdir()
    with pytest.raises(ModelError, match="the embedder broken cannot be converted to a graph") as caught:
        embedding_graph(LocalModel("broken", empty, "1"))
    assert "embedding.engine=torch" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["model"]


def test_without_openvino_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="openvino, which is not installed"):
        embedding_graph(resolve_model("bundled:minilm"))


@pytest.mark.parametrize(
    ("settings", "suits", "expected"),
    [
        ([], True, OpenVinoEmbedder),
        ([], False, SentenceTransformerEmbedder),
        (["embedding.engine=torch"], True, SentenceTransformerEmbedder),
        (["embedding.engine=openvino"], False, OpenVinoEmbedder),
        (["embedding.dtype=float32"], True, OpenVinoEmbedder),
        (["embedding.dtype=float32"], False, SentenceTransformerEmbedder),
    ],
)
def test_which_engine_is_chosen(
    monkeypatch: pytest.MonkeyPatch, settings: list[str], suits: bool, expected: type
) -> None:
    monkeypatch.setattr(module, "suits_this_machine", lambda: suits)
    assert type(make_embedder(load_config("cpu", settings).config)) is expected


@pytest.mark.parametrize("setting", ["embedding.device=cuda:0", "embedding.dtype=bfloat16"])
def test_what_a_graph_cannot_do_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=r"embedding\.engine is openvino"):
        make_embedder(load_config("cpu", ["embedding.engine=openvino", setting]).config)


@pytest.mark.slow
def test_a_question_is_embedded_without_torch() -> None:
    code = (
        "import json, sys\n"
        "from rag.factory import make_embedder\n"
        "from rag.config import load_config\n"
        "made = make_embedder(load_config('cpu').config).embed_queries(['who?'])\n"
        "print(json.dumps([made.shape[1], [m for m in ('torch', 'transformers') if m in sys.modules]]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [384, []]


def test_the_compiled_graph_is_cached() -> None:
    OpenVinoEmbedder(EmbedderSettings("bundled:minilm"))
    assert list((cache_folder() / "openvino").glob("*.blob"))


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_without_a_writable_cache_torch_embeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "file" / "below"))  # a folder that nobody can make
    config = load_config("cpu", [f"embedding.engine={engine}"]).config
    if engine == "openvino":
        with pytest.raises((OSError, ModelError)):
            make_embedder(config)
    else:
        assert type(make_embedder(config)) is SentenceTransformerEmbedder
