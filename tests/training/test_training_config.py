"""Training files: what is read, what is refused and with which sentence, and what ships."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rag.errors import UsageError
from rag.training.config import Qamr, RankedPairs, Squad, load_reranker_config, load_training_config

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs" / "training").glob("*.yaml"))
RERANKERS = [path for path in SHIPPED if path.stem == "reranker"]
SMALL = "output: out\ntrain: [{kind: squad, path: train.json}]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *assignments: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_training_config(path, assignments)
    return caught.value


def test_a_small_file_has_defaults_for_the_rest(tmp_path: Path) -> None:
    config = load_training_config(written(tmp_path, SMALL))
    assert config.encoder == "bundled:minilm"
    assert config.train == (Squad(kind="squad", path=Path("train.json")),)
    assert (config.training.epochs, config.window.size) == (1.0, 320)


def test_assignments_are_laid_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL + "training: {epochs: 3, batch_size: 8}\n")
    config = load_training_config(
        path, ["training.epochs=2", "training.learning_rate=3e-5", "window.size=384", "hard_negatives=[lexical]"]
    )
    assert (config.training.epochs, config.training.batch_size, config.training.learning_rate) == (2.0, 8, 3e-5)
    assert (config.window.size, config.hard_negatives) == (384, ("lexical",))


def test_all_files_that_are_read_are_named_once(tmp_path: Path) -> None:
    text = (
        "output: out\ndev: {kind: squad, path: dev.json}\nnever: [dev.json, test.json]\n"
        "train: [{kind: qamr, sentences: s.tsv, questions: [a.tsv, b.tsv]}]\n"
    )
    config = load_training_config(written(tmp_path, text))
    assert isinstance(config.train[0], Qamr)
    assert [path.name for path in config.files()] == ["s.tsv", "a.tsv", "b.tsv", "dev.json", "test.json"]


@pytest.mark.parametrize(
    ("more", "told", "remedy"),
    [
        ("training: {epoch: 3}", "no configuration key 'training.epoch'", "did you mean training.epochs?"),
        ("windows: {size: 3}", "no configuration key 'windows.size'", "did you mean window.size?"),
        ("xyzzy: 1", "no configuration key 'xyzzy'", "docs/training.md describes the file"),
        ("training: {epochs: many}", "training.epochs = ", "docs/training.md describes the file"),
        ("training: {epochs: 0}", "training.epochs = ", "docs/training.md describes the file"),
        ("dev: {kind: squad}", "dev.path is missing", "docs/training.md describes the file"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, more: str, told: str, remedy: str) -> None:
    error = refused(written(tmp_path, f"{SMALL}{more}\n"))
    assert told in error.message
    assert error.remedy == remedy


@pytest.mark.parametrize("text", ["", "- a\n", "output: [\n", "output: 2001-13-45\n", "\x00"])
def test_what_is_no_training_file_is_refused(tmp_path: Path, text: str) -> None:
    assert str(tmp_path / "c.yaml") in refused(written(tmp_path, text)).message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.yaml").message
    assert "cannot be read" in refused(tmp_path).message


@pytest.mark.parametrize("text", ["training.epochs", "=3"])
def test_an_assignment_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    error = refused(written(tmp_path, SMALL), text)
    assert f"--set {text!r}" in error.message
    assert "training.epochs=2" in error.remedy


def test_an_assignment_to_part_of_a_value_is_refused(tmp_path: Path) -> None:
    assert "'output.deep' (--set)" in refused(written(tmp_path, SMALL), "output.deep=3").message


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_is_valid_and_found_by_its_name(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = load_reranker_config if path in RERANKERS else load_training_config
    monkeypatch.chdir(tmp_path)
    assert load(Path(path.stem)) == load(path)
    assert RERANKERS


def test_a_rerankers_file_needs_no_teacher_and_has_keys_of_its_own(tmp_path: Path) -> None:
    text = "output: out\ntrain: [{kind: pairs, sentences: s.txt, questions: q.txt}]\n"
    config = load_reranker_config(written(tmp_path, text), ["negatives=7", "training.epochs=2"])
    assert isinstance(config.train[0], RankedPairs)
    assert (config.negatives, config.candidates, config.length, config.training.epochs) == (7, 20, 256, 2)
    assert [path.name for path in config.files()] == ["s.txt", "q.txt"]


@pytest.mark.parametrize(
    ("more", "told", "remedy"),
    [
        ("training: {relevance_weight: 1}", "no configuration key 'training.relevance_weight'", ""),
        ("training: {epoch: 3}", "no configuration key 'training.epoch'", "did you mean training.epochs?"),
        ("negative: 3", "no configuration key 'negative'", "did you mean negatives?"),
        ("dev: {kind: squad, path: a, shares: 1}", "no configuration key 'dev.shares'", "did you mean dev.share?"),
        ("hard_negatives: []", "hard_negatives = ", ""),
        ("candidates: 1", "candidates = ", ""),
    ],
)
def test_a_wrong_key_of_a_reranker_is_named(tmp_path: Path, more: str, told: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_reranker_config(written(tmp_path, f"{SMALL}{more}\n"))
    assert told in caught.value.message
    assert caught.value.remedy == (remedy or "docs/training.md describes the file")


def test_the_bert_large_recipe_is_the_published_one() -> None:
    config = load_training_config(Path("bert-large-squad"))
    training, window = config.training, config.window
    assert (training.epochs, training.learning_rate, training.warmup) == (2, 3e-5, 0.1)
    assert training.batch_size * training.accumulation == 24
    assert training.dropout is None
    assert (window.size, window.stride, window.question, window.answer) == (384, 128, 64, 30)


def test_every_package_and_shipped_file_is_installed() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("configs", "eval", "indexes", "rag", "ui")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert found == set(tool["packages"])
    assert SHIPPED
    assert "training/*.yaml" in tool["package-data"]["configs"]
