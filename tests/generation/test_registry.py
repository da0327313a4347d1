"""The table of generators: a dummy of each kind needs one class and one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from rag_project import Project

from rag.config import Config, load_config
from rag.errors import UsageError
from rag.factory import generator_identity, make_generator, make_packer
from rag.generation.base import Evidence, Extraction, ExtractionTask
from rag.generation.fake import FakeCompleter
from rag.generation.registry import GENERATORS, GeneratorSettings, GeneratorSpec
from rag.ops.doctor import examine
from rag.types import Finding, Usage


class FirstWord:
    """An extractor that marks the first word of the first passage."""

    name = "first-word"
    alive = True
    threshold = high_threshold = 0.0

    def extract(self, tasks: Sequence[ExtractionTask]) -> list[Extraction]:
        found = []
        for task in tasks:
            word = task.passages[0].text.split()[0]
            start = task.passages[0].text.index(word)
            evidence = (Evidence(0, start, start + len(word)),)
            found.append(Extraction(word, "stop", Usage(), 0.5, evidence=evidence))
        return found

    def close(self) -> None:
        pass


def check(_: GeneratorSettings) -> Iterator[Finding]:
    yield Finding("generator", "ok", "a dummy for a test")


@pytest.fixture(params=["first-word", "echo"])
def dummy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a generator that is added as a row: an extractor or a completer."""
    name: str = request.param
    make: dict[str, Any] = {"make_extractor": lambda _: FirstWord()}
    if name == "echo":
        make = {"make_completer": lambda _: FakeCompleter(lambda prompt: "The fog sensor weighs 3.4 kg.")}
    monkeypatch.setitem(GENERATORS, name, GeneratorSpec("dummy", lambda _: name, check, **make))
    return name


def test_a_dummy_generator_needs_only_a_row_in_the_table(fog: Project, dummy: str) -> None:
    knowledge_base = fog.knowledge_base(f"generator.type={dummy}", generator=make_generator(config(dummy)))
    answer = knowledge_base.ask("How much does the fog sensor weigh?")
    assert not answer.abstained
    assert answer.citations[0].source == "fog.md"
    assert answer.generator.startswith(dummy)
    assert generator_identity(config(dummy), 8) == f"{dummy} window=8"
    assert make_packer(config(dummy))("?", answer.passages).shown
    findings = examine(config(dummy), fog.folder / ".rag")
    assert "a dummy for a test" in [finding.found for finding in findings]


def config(name: str) -> Config:
    return load_config("test", [f"generator.type={name}"]).config


def test_an_unknown_generator_lists_the_keys_of_the_table() -> None:
    with pytest.raises(UsageError, match=f"choose one of {', '.join(GENERATORS)}"):
        load_config("test", ["generator.type=oracle"])


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_either_writes_or_marks(name: str) -> None:
    spec = GENERATORS[name]
    assert (spec.make_completer is None) != (spec.make_extractor is None)
    assert spec.label
