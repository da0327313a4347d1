"""Layers of YAML and assignments for any model: lists of groups, required keys, optional numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.config.yaml_settings import Layer, SettingsModel, YamlSettings
from rag.errors import UsageError


class Source(SettingsModel):
    path: Path
    share: float | None = None


class Job(SettingsModel):
    output: Path
    sources: tuple[Source, ...] = ()
    dev: Source | None = None


SETTINGS = YamlSettings(Job, "docs/job.md describes the file", "dev.share=0.5")


def refused(*layers: Layer) -> UsageError:
    with pytest.raises(UsageError) as caught:
        SETTINGS.resolve(layers)
    return caught.value


def test_layers_merge_inside_an_optional_group() -> None:
    layers = [Layer("file a", {"output": "x", "dev": {"path": "y"}}), SETTINGS.assignment("dev.share=0.5")]
    job, origins = SETTINGS.resolve(layers)
    assert job == Job(output=Path("x"), dev=Source(path=Path("y"), share=0.5))
    assert origins == {"output": "file a", "dev.path": "file a", "dev.share": "--set"}


@pytest.mark.parametrize("text", ["output=2001-12-24", "output=12", "output=off"])
def test_a_path_stays_as_it_is_written(text: str) -> None:
    assert SETTINGS.resolve([SETTINGS.assignment(text)])[0].output == Path(text.removeprefix("output="))


def test_a_missing_key_names_the_file() -> None:
    assert refused(Layer("file a", {"dev": {"path": "y"}})).message == "output is missing (file a)"


def test_an_unknown_key_in_a_list_names_its_origin() -> None:
    error = refused(Layer("file a", {"output": "x"}), Layer("file b", {"sources": [{"path": "y", "shore": 1}]}))
    assert error.message == "there is no configuration key 'sources.0.shore' (file b)"


def test_true_is_no_number_where_null_is_allowed() -> None:
    error = refused(Layer("file a", {"output": "x", "dev": {"path": "y", "share": True}}))
    assert error.message == "dev.share = True (file a): a number is needed"
    assert error.remedy == "docs/job.md describes the file"
