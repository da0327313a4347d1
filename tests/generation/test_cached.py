"""What was generated, counted or embedded once is not made again, and never mistaken for something else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.embedding.cached import CachedEmbedder
from rag.embedding.fake import FakeEmbedder
from rag.generation.base import Generator, Message, Prompt, Sampling
from rag.generation.cached import CachedCompleter
from rag.generation.fake import FakeCompleter

PROMPTS = [
    Prompt("Text:\nThe mast is red.\n\nQuestion: What colour is the mast?\nAnswer:"),
    Prompt("Text:\nThe hull is blue.\n\nQuestion: What colour is the hull?\nAnswer:"),
    Prompt(messages=(Message("system", "Be brief."), Message("user", "Question: What?"))),
]
GREEDY = Sampling(16)


class Starts:
    """Counts how often the real generator was started."""

    def __init__(self) -> None:
        self.real = FakeCompleter()
        self.count = 0

    def __call__(self) -> Generator:
        self.count += 1
        return self.real


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def generator(tmp_path: Path, starts: Starts) -> Iterator[CachedCompleter]:
    made = CachedCompleter(starts, tmp_path / "memory" / "completions.sqlite", "a model")
    yield made
    made.close()


def test_completions_are_those_of_the_real_generator(generator: CachedCompleter) -> None:
    assert generator.generate(PROMPTS, GREEDY) == FakeCompleter().generate(PROMPTS, GREEDY)
    assert generator.generate(PROMPTS[::-1], GREEDY) == FakeCompleter().generate(PROMPTS[::-1], GREEDY)
    assert generator.made == 3


def test_only_what_is_new_is_generated(generator: CachedCompleter, starts: Starts) -> None:
    generator.generate(PROMPTS[:2], GREEDY)
    generator.generate([PROMPTS[0], PROMPTS[2], PROMPTS[2], PROMPTS[1]], GREEDY)
    assert starts.real.prompts == PROMPTS
    generator.generate(PROMPTS[:1], Sampling(17))
    generator.generate(PROMPTS[:1], Sampling(16, stop=("\n",)))
    assert generator.made == 5


def test_a_later_process_starts_nothing_for_what_is_known(tmp_path: Path, generator: CachedCompleter) -> None:
    first = generator.generate(PROMPTS, GREEDY)
    counts = generator.count_prompts(PROMPTS), generator.count_tokens(["a b", "c"]), generator.context_length
    starts = Starts()
    later = CachedCompleter(starts, tmp_path / "memory" / "completions.sqlite", "a model")
    assert later.generate(PROMPTS, GREEDY) == first
    assert (later.count_prompts(PROMPTS), later.count_tokens(["a b", "c"]), later.context_length) == counts
    assert starts.count == 0
    later.close()


def test_another_identity_shares_nothing(tmp_path: Path, generator: CachedCompleter) -> None:
    generator.generate(PROMPTS, GREEDY)
    starts = Starts()
    other = CachedCompleter(starts, tmp_path / "memory" / "completions.sqlite", "another model")
    other.generate(PROMPTS, GREEDY)
    assert (starts.count, other.made) == (1, 3)
    other.close()


def test_a_text_and_a_prompt_of_the_same_words_are_counted_apart(generator: CachedCompleter) -> None:
    [text] = generator.count_tokens(["one two"])
    [prompt] = generator.count_prompts([Prompt("one two")])
    [empty] = generator.count_tokens([""])
    assert (text, prompt, empty, generator.context_length) == (2, 2, 0, 2048)


def test_an_interruption_keeps_what_was_committed(generator: CachedCompleter, starts: Starts) -> None:
    generator.generate(PROMPTS[:1], GREEDY)
    real = starts.real.generate

    def dying(prompts: object, sampling: object) -> list[object]:
        raise KeyboardInterrupt

    starts.real.generate = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        generator.generate(PROMPTS, GREEDY)
    starts.real.generate = real  # type: ignore[method-assign]
    generator.generate(PROMPTS, GREEDY)
    assert starts.real.prompts == PROMPTS


class Counting(FakeEmbedder):
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        self.seen += list(texts)
        return super().embed_passages(texts)


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    real = Counting()
    embedder = CachedEmbedder(real, tmp_path / "vectors.sqlite")
    texts = ["red mast", "blue hull", "red mast"]
    first = embedder.embed_passages(texts)
    assert real.seen == ["red mast", "blue hull"]
    again = CachedEmbedder(Counting(), tmp_path / "vectors.sqlite")
    np.testing.assert_array_equal(again.embed_passages(texts), first)
    np.testing.assert_array_equal(first, FakeEmbedder().embed_passages(texts))
    assert again.embedded == 0
    assert embedder.embed_passages([]).shape == (0, 64)
    embedder.close()
    again.close()


def test_a_query_is_not_a_passage(tmp_path: Path) -> None:
    embedder = CachedEmbedder(FakeEmbedder(), tmp_path / "vectors.sqlite")
    embedder.embed_passages(["red mast"])
    embedder.embed_queries(["red mast"])
    assert embedder.embedded == 2
    embedder.close()


@pytest.mark.parametrize(
    "open_cache",
    [lambda file: CachedEmbedder(FakeEmbedder(), file), lambda file: CachedCompleter(FakeCompleter, file, "identity")],
    ids=["embedder", "completer"],
)
def test_a_file_that_is_no_cache_is_closed_again(open_cache: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no database " * 1000)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        open_cache(tmp_path / "file")
    [cache] = [entry.locals["self"] for entry in caught.traceback if entry.name == "__init__"]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        cache._database.execute("SELECT 1")
