"""Passages in int8: near the model's own vectors, questions untouched, and fp32 wherever int8 cannot be had."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.config import load_config
from rag.embedding import int8 as embedding_int8
from rag.embedding import openvino_embedder as embedding_graph
from rag.embedding.base import EmbedderSettings
from rag.embedding.int8 import int8_graph, int8_obstacle, multiplies_bytes
from rag.embedding.openvino_embedder import OpenVinoEmbedder
from rag.errors import ModelError
from rag.factory import make_embedder
from rag.models.resolve import cache_folder

TEXTS = [f"The lantern on quay {n} burns {n % 7} litres of oil a week. " * (1 + n % 9) for n in range(40)]

needs_int8 = pytest.mark.skipif(bool(int8_obstacle()), reason=int8_obstacle())


@pytest.fixture(scope="module")
def exact() -> OpenVinoEmbedder:
    return OpenVinoEmbedder(EmbedderSettings("bundled:minilm", dtype="float32"))


@pytest.mark.slow
@needs_int8
def test_passages_are_near_and_questions_the_same(exact: OpenVinoEmbedder) -> None:
    default = make_embedder(load_config("cpu").config)
    assert default.fingerprint == exact.fingerprint
    passages, own = default.embed_passages(TEXTS), exact.embed_passages(TEXTS)
    cosines = (passages * own).sum(axis=1)
    assert cosines.min() > 0.97
    assert not np.allclose(passages, own, atol=1e-4)  # else int8 was not used
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(default.embed_queries(TEXTS[:4]), exact.embed_queries(TEXTS[:4]))


@pytest.mark.slow
@needs_int8
def test_fp32_may_be_set(exact: OpenVinoEmbedder) -> None:
    by_config = make_embedder(load_config("cpu", ["embedding.dtype=float32"]).config)
    np.testing.assert_array_equal(by_config.embed_passages(TEXTS), exact.embed_passages(TEXTS))


@needs_int8
def test_a_damaged_graph_is_rebuilt(exact: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = int8_graph(exact._graph, exact._record, cache_folder(), exact._token_ids)
    weights = graph.with_suffix(".bin")
    whole, made = weights.read_bytes(), []

    def remake(fp32: Path, texts: list[str], tokens: object, folder: Path) -> dict[str, Any]:
        made.append(len(texts))
        (folder / "int8.xml").write_bytes(description)
        (folder / "int8.bin").write_bytes(whole)
        return {}

    description = graph.read_bytes()
    monkeypatch.setattr(embedding_int8, "_make", remake)
    weights.write_bytes(whole[:-1])
    assert int8_graph(exact._graph, exact._record, cache_folder(), exact._token_ids) == graph
    assert made == [90]
    assert weights.read_bytes() == whole


@pytest.mark.slow
def test_where_int8_cannot_be_made_passages_are_fp32(exact: OpenVinoEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise ModelError("the embedder cannot be converted to int8: broken", "…")

    monkeypatch.setattr(embedding_graph, "int8_obstacle", lambda: "")
    monkeypatch.setattr(embedding_graph, "int8_graph", fail)
    default = OpenVinoEmbedder(EmbedderSettings("bundled:minilm"))
    np.testing.assert_array_equal(default.embed_passages(TEXTS), exact.embed_passages(TEXTS))


def test_what_is_not_a_graph_is_refused_with_a_remedy(exact: OpenVinoEmbedder, tmp_path: Path) -> None:
    for name in ("embedder.xml", "embedder.bin"):
        (tmp_path / name).write_bytes(b"no graph")
    with pytest.raises(ModelError, match="the embedder cannot be converted to int8") as caught:
        int8_graph(tmp_path / "embedder.xml", b"", tmp_path / "cache", exact._token_ids)
    assert "embedding.dtype=float32" in caught.value.remedy
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


@pytest.mark.slow
def test_many_threads_embed_at_once(exact: OpenVinoEmbedder) -> None:
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(exact.embed_passages, [TEXTS[n : n + 10] for n in range(0, 40, 10)]))
    np.testing.assert_allclose(np.concatenate(parts), exact.embed_passages(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse avx2 avx512f", False),
        ("fpu avx512_vnni md_clear", True),
        ("fpu avx2 avx_vnni", True),
        ("amx_tile amx_int8", True),
        ("", False),
    ],
)
def test_which_processors_multiply_bytes(flags: str, expected: bool) -> None:
    assert multiplies_bytes(f"processor\t: 0\nmodel name\t: X\nflags\t\t: {flags}\nbugs\t\t:\n") is expected
