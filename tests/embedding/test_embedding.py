"""Embedders: unit vectors that depend on the text alone, and the choice of devices and dtypes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import load_config
from rag.embedding.base import Embedder, EmbedderSettings, choose_devices, choose_dtype
from rag.embedding.fake import FakeEmbedder
from rag.embedding.sentence_transformers import SentenceTransformerEmbedder
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.factory import index_settings
from rag.models.resolve import resolve_model

TEXTS = ["The fog sensor weighs 3.4 kg.", "Soup on Mondays.", "Датчик тумана стоит на мачте.", "fog " * 100, "?"]

BOTH = pytest.mark.parametrize("name", ["fake", "minilm"])


@pytest.fixture
def embedder(name: str, request: pytest.FixtureRequest) -> Embedder:
    """The embedder of that name."""
    return FakeEmbedder() if name == "fake" else request.getfixturevalue(name)


# The real one -----------------------------------------------------------------------------------------------


def test_minilm_gives_unit_vectors_of_384_numbers(minilm: Embedder) -> None:
    vectors = minilm.embed_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, 384) == (5, minilm.dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_minilm_reads_queries_like_passages(minilm: Embedder) -> None:
    near = (minilm.embed_queries(TEXTS) * minilm.embed_passages(TEXTS)).sum(axis=1)
    assert near.min() > 0.88  # passages may be read in int8, which strays most where a text is no language


def test_minilm_vectors_do_not_depend_on_their_neighbours(minilm: Embedder) -> None:
    together = minilm.embed_passages(TEXTS)
    assert minilm.embed_passages(TEXTS[::-1])[::-1] == pytest.approx(together, abs=1e-5)
    for row, text in zip(together, TEXTS, strict=True):
        assert minilm.embed_passages([text])[0] == pytest.approx(row, abs=1e-5)


def test_minilm_puts_related_texts_nearer(minilm: Embedder) -> None:
    query, near, far = minilm.embed_passages(["How heavy is the device?", *TEXTS[:2]])
    assert query @ near > query @ far


@pytest.mark.slow
def test_minilm_counts_like_its_tokenizer(minilm: Embedder) -> None:
    tokenizer = load_tokenizer(resolve_model("bundled:minilm").path, "bundled:minilm")
    texts = [*TEXTS, "", "long " * 500]
    assert minilm.count_tokens(texts) == [len(tokenizer(text, verbose=False)["input_ids"]) for text in texts]
    assert minilm.count_tokens([""]) == [2]


def test_minilm_reads_a_long_text_up_to_its_limit(minilm: Embedder) -> None:
    limit = minilm.max_tokens - 2
    whole = minilm.embed_queries([("fog " * limit) + "mast " * 300])
    assert whole == pytest.approx(minilm.embed_queries(["fog " * limit]), abs=1e-5)


@pytest.mark.slow
def test_counting_does_not_change_how_another_thread_encodes() -> None:
    # Encoding sets the tokenizer's truncation and padding, then uses them: counting in between must leave them alone.
    through_torch = SentenceTransformerEmbedder(EmbedderSettings("bundled:minilm", device="cpu"))
    backend = through_torch._model.tokenizer.backend_tokenizer
    through_torch.embed_queries(["fog " * 300, "mast"])
    before = (backend.truncation, backend.padding)
    assert None not in before
    through_torch.count_tokens(["fog " * 300])
    assert (backend.truncation, backend.padding) == before


def test_the_fingerprint_names_model_and_prefixes(minilm: Embedder) -> None:
    assert minilm.fingerprint.startswith("bundled:minilm:")
    settings = index_settings(load_config("cpu").config, minilm)
    assert settings["embedding.fingerprint"] == minilm.fingerprint
    assert settings["embedding.dimension"] == 384


THAI = "การเดินทางไปยังสถานีรถไฟฟ้าที่ใกล้ที่สุดใช้เวลาประมาณสิบห้านาทีจากโรงแรมของเรา"
UNSPACED = {
    "Latin": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoabc" * 10,
    "Thai": THAI,
    "Korean": "우리호텔에서가장가까운지하철역까지약십오분이걸립니다" * 5,
    "Cyrillic": "датчиктуманастоитнамачте" * 10,
    "emoji": "fog😀sensor🚀" * 20,
}


@pytest.mark.parametrize("script", UNSPACED)
def test_a_run_of_letters_is_not_one_unknown_token(minilm: Embedder, script: str) -> None:
    text = UNSPACED[script]
    counter = minilm._counter  # type: ignore[attr-defined]
    assert len(counter.tokenizer.encode(text).ids) <= 42, "as the tokenizer alone counts"
    assert minilm.count_tokens([text])[0] >= len(text) // 6
    ((read, encoding),) = counter.encode([text])
    assert read.replace(" ", "") == text
    unknown = counter.tokenizer.token_to_id("[UNK]")
    assert all(end - start == 1 for i, (start, end) in zip(encoding.ids, encoding.offsets, strict=True) if i == unknown)


@pytest.mark.parametrize("script", UNSPACED)
def test_the_vector_of_a_run_of_letters_depends_on_its_letters(minilm: Embedder, script: str) -> None:
    text = UNSPACED[script]
    nothing, whole, half = minilm.embed_passages(["￿", text, text[: len(text) // 2]])
    assert whole @ nothing < 0.9
    assert whole @ half > whole @ nothing
    assert minilm.embed_queries([text])[0] @ whole > 0.85  # passages may be read in int8


def test_an_unknown_character_does_not_take_its_word_with_it(minilm: Embedder) -> None:
    counter = minilm._counter  # type: ignore[attr-defined]
    texts = ["The fog😀sensor is here.", "Nothing unknown.", "", "😀", "a 😀 b"]
    read = [text for text, _ in counter.encode(texts)]
    assert read == ["The fog 😀 sensor is here.", *texts[1:]]


# Both -------------------------------------------------------------------------------------------------------


@BOTH
def test_no_texts_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)
    assert embedder.embed_queries([]).shape == (0, embedder.dimension)
    assert embedder.count_tokens([]) == []


@BOTH
def test_the_same_text_has_the_same_vector(embedder: Embedder) -> None:
    first, second = embedder.embed_passages([TEXTS[0], TEXTS[0]])
    assert first == pytest.approx(second, abs=1e-6)
    assert embedder.embed_passages([TEXTS[0]])[0] == pytest.approx(first, abs=1e-6)


# The fake ---------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_fake_vectors_are_units_or_nothing(text: str) -> None:
    fake = FakeEmbedder()
    (vector,) = fake.embed_passages([text])
    assert (vector == fake.embed_queries([text])[0]).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0) or not vector.any()


def test_fake_vectors_are_pinned_so_that_indexes_of_fakes_stay_readable() -> None:
    (vector,) = FakeEmbedder().embed_passages(["Fog fog"])
    assert [(int(n), float(vector[n])) for n in np.flatnonzero(vector)] == [(48, -1.0)]
    assert FakeEmbedder.fingerprint == "fake:1"


def test_fake_texts_that_share_words_are_near() -> None:
    query, near, far = FakeEmbedder().embed_passages(["fog sensor mass", "the fog sensor", "soup on mondays"])
    assert query @ near > query @ far


# Devices and dtypes -----------------------------------------------------------------------------------------


def machine(*, gpus: int = 0, native_bf16: bool = False, emulated_bf16: bool = False, mps: bool = False) -> Any:
    """Stand for torch on a machine, with the signatures that torch 2 has."""

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return native_bf16 or (emulated_bf16 and including_emulation)

    cuda = SimpleNamespace(
        is_available=lambda: gpus > 0, device_count=lambda: gpus, is_bf16_supported=is_bf16_supported
    )
    return SimpleNamespace(cuda=cuda, backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)))


@pytest.mark.parametrize(
    ("device", "torch", "devices"),
    [
        ("auto", machine(), ["cpu"]),
        ("auto", machine(gpus=1), ["cuda:0"]),
        ("auto", machine(gpus=2, mps=True), ["cuda:0", "cuda:1"]),
        ("auto", machine(mps=True), ["mps"]),
        ("cpu", machine(gpus=2), ["cpu"]),
        ("cuda:1", machine(gpus=2), ["cuda:1"]),
        ("cuda:0,cuda:1", machine(gpus=4), ["cuda:0", "cuda:1"]),
        ("cuda:0, cuda:1", machine(gpus=4), ["cuda:0", "cuda:1"]),
    ],
)
def test_devices(device: str, torch: Any, devices: list[str]) -> None:
    assert choose_devices(device, torch) == devices


@pytest.mark.parametrize(
    ("dtype", "device", "torch", "chosen"),
    [
        ("auto", "cpu", machine(gpus=1, native_bf16=True), "float32"),
        ("auto", "mps", machine(mps=True), "float32"),
        ("auto", "cuda:0", machine(gpus=1, native_bf16=True), "bfloat16"),
        ("auto", "cuda:0", machine(gpus=1), "float16"),
        ("auto", "cuda:0", machine(gpus=1, emulated_bf16=True), "float16"),
        ("float32", "cuda:0", machine(gpus=1, native_bf16=True), "float32"),
        ("float16", "cpu", machine(), "float16"),
    ],
    ids=["cpu", "mps", "ampere", "old gpu", "old gpu that emulates", "said so on gpu", "said so on cpu"],
)
def test_dtypes(dtype: str, device: str, torch: Any, chosen: str) -> None:
    assert choose_dtype(dtype, device, torch) == chosen
