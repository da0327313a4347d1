"""Checks of the installation: what is installed, what is missing, and the command that fixes it."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from indexes import IndexMissingError
from indexes.store.database import journal_mode
from rag.config import Config
from rag.embedding.int8 import int8_obstacle
from rag.errors import FAILURES, NEW_FOLDER, RagError, explain
from rag.factory import ocr_settings, through_graph
from rag.generation.registry import GENERATORS
from rag.models.resolve import BUNDLED, bundled_problem, cache_folder, installed, is_offline, resolve_model
from rag.text import counted, documents_by_state
from rag.types import Finding

__all__ = ["Finding", "examine"]

_LOW_DISK = 5 * 2**30


def examine(config: Config, index: Path) -> list[Finding]:
    """Run every check. A check that fails with an error becomes a finding."""
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("python", _python),
        ("sqlite", _sqlite),
        ("torch", _torch),
        ("faiss", _faiss),
        ("tantivy", _tantivy),
        ("gpu", lambda: _gpu(config)),
        ("generator", lambda: _generator(config)),
        ("models", lambda: _models(config)),
        ("embedder", lambda: _embedder(config)),
        ("ocr", lambda: _ocr(config)),
        ("disk", lambda: _disk(index)),
        ("index", lambda: _index(config, index)),
    ]
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001 - a broken package can raise anything, and that is the finding
            findings.append(Finding(name, "fail", *_explained(error)))
    return findings


def _explained(error: Exception) -> tuple[str, str]:
    """Return the message and the fix for an error that stopped a check."""
    if isinstance(error, FAILURES) and not isinstance(error, ImportError):
        failure = explain(error)
        return failure.message, failure.remedy
    return f"{type(error).__name__}: {error}", "run `make install` again"


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if ok else "fail", platform.python_version(), "" if ok else "install Python 3.11")


def _sqlite() -> Iterator[Finding]:
    yield Finding("sqlite", "ok", f"{sqlite3.sqlite_version}, journal mode {journal_mode()}")


def _torch() -> Iterator[Finding]:
    if find_spec("torch") is None:
        yield Finding("torch", "fail", "not installed", "run `make install`")
        return
    import torch

    devices = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    yield Finding("torch", "ok", f"{torch.__version__}, {', '.join(devices) if devices else 'no GPU'}")
    # The vision and audio packages that vLLM's CPU build installs are CUDA builds and fail with a CPU torch.
    broken = [name for name in ("torchvision", "torchaudio", "torchcodec") if find_spec(name)]
    if broken and not torch.cuda.is_available():
        fix = f"pip uninstall -y {' '.join(broken)}"
        yield Finding("torch", "warn", f"{', '.join(broken)} may not load with a CPU torch, and then break vLLM", fix)


def _faiss() -> Iterator[Finding]:
    found = installed("faiss-cpu", "faiss-gpu")
    if not found:
        yield Finding("faiss", "fail", "not installed", "run `make install`, or `pip install faiss-cpu`")
        return
    if len(found) > 1:
        fix = "pip uninstall -y faiss-cpu faiss-gpu, then install the one you want"
        yield Finding("faiss", "fail", "faiss-cpu and faiss-gpu are both installed and overwrite each other", fix)
        return
    from indexes.search.dense_faiss import gpu_count, load_faiss

    [(package, number)] = found.items()
    yield Finding("faiss", "ok", f"{package} {number}, {gpu_count(load_faiss())} GPUs")


def _gpu(config: Config) -> Iterator[Finding]:
    """Compare the GPUs that the configuration needs with those that torch and FAISS see.

    Only a setting that names a GPU needs one. A model for vLLM that is not bundled would also run on a CPU, but slowly:
    that is a warning.
    """
    if find_spec("torch") is None:
        return  # reported already
    import torch

    from indexes.search.dense_faiss import gpu_count, load_faiss

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    no_gpu = "no GPU that torch can use"
    install = "on a machine with a GPU, run `pip install 'rag-qa[gpu]'` in a fresh environment; here, "
    device, dense, generator = config.embedding.device, config.index.dense.gpu, config.generator
    if "cuda" in device and not gpus:
        yield Finding("gpu", "fail", f"embedding.device is {device}, and there is {no_gpu}", f"{install}--config cpu")
    if dense in ("replicate", "shard") and not gpu_count(load_faiss()):
        problem = f"index.dense.gpu is {dense}, and this FAISS sees no GPU"
        yield Finding("gpu", "fail", problem, f"{install}--set index.dense.gpu=auto")
    if generator.type != "vllm":
        return
    if generator.vllm.tensor_parallel_size > max(gpus, 1):
        seen = f"{gpus} GPU" if gpus else no_gpu
        problem = f"generator.vllm.tensor_parallel_size is {generator.vllm.tensor_parallel_size}, and there is {seen}"
        yield Finding("gpu", "fail", problem, f"{install}--set generator.vllm.tensor_parallel_size=1")
    elif not gpus and generator.model not in BUNDLED:
        problem = f"{no_gpu}: {generator.model} would run on the CPU, many times slower, if its weights fit into memory"
        yield Finding("gpu", "warn", problem, f"{install}--config cpu")


def _tantivy() -> Iterator[Finding]:
    yield Finding("tantivy", "ok", f"tantivy {installed('tantivy')['tantivy']}")


def _generator(config: Config) -> Iterator[Finding]:
    return GENERATORS[config.generator.type].check(config.generator_settings())


def _models(config: Config) -> Iterator[Finding]:
    for name, revision in {name: revision for _, name, revision in config.models()}.items():
        if name == "fake":
            continue
        if name in BUNDLED:
            yield _bundled(name)
        elif Path(name).expanduser().is_dir():
            yield Finding("model", "ok", f"{name}, a folder")
        else:
            yield _from_hub(name, revision)


def _embedder(config: Config) -> Iterator[Finding]:
    """Report the engine and the precision of embedding, which decide how long an ingestion takes."""
    part = config.embedding
    if part.model == "fake":
        return
    if not through_graph(config):
        yield Finding("embedder", "ok", f"through torch, device {part.device}, dtype {part.dtype}")
        return
    obstacle = "embedding.dtype is float32" if part.dtype == "float32" else int8_obstacle()
    passages = f"passages too, as {obstacle}" if obstacle else "passages in int8, made at the first ingestion"
    fix = "run `pip install nncf` for passages in int8, twice as fast" if "nncf" in obstacle else ""
    yield Finding("embedder", "ok", f"through OpenVINO, questions in fp32, {passages}", fix)


def _ocr(config: Config) -> Iterator[Finding]:
    """Report whether text in scans and pictures is read, in which languages, and the command that is missing."""
    from rag.ingestion.loaders.ocr_engine import installed_languages, ocr_command, ocr_is_ready, ocr_version

    settings = ocr_settings(config)
    if settings.mode == "off":
        yield Finding("ocr", "ok", "off: scans and pictures are not read", "")
        return
    command, ready = ocr_command(settings), ocr_is_ready(settings)
    fix = f"run `{command}`" if command else ""
    if not ready:
        state: Literal["warn", "fail"] = "fail" if settings.mode == "on" else "warn"
        yield Finding("ocr", state, "not installed: scans and pictures are not read", fix)
        return
    known = [name for name in settings.languages if name in installed_languages()]
    missing = [name for name in settings.languages if name not in known]
    found = f"tesserocr {ocr_version()} reads {', '.join(known)}"
    found += f", and not {', '.join(missing)}" if missing else ""
    yield Finding("ocr", "warn" if missing else "ok", found, fix)


def _bundled(name: str) -> Finding:
    command = bundled_problem(name)
    if command:
        return Finding("model", "fail", f"{name} is not installed", command)
    if name == "bundled:smollm2" and not any(cache_folder().glob("smollm2-*")):
        return Finding("model", "ok", f"{name}, converted into {cache_folder()} at the first answer (once, ~40 s)")
    try:
        return Finding("model", "ok", f"{name}, its files match their checksums, in {resolve_model(name).path}")
    except RagError as error:
        return Finding("model", "fail", error.message, error.remedy)


def _from_hub(name: str, revision: str | None) -> Finding:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        snapshot_download(name, revision=revision, local_files_only=True)
    except HFValidationError:
        return Finding("model", "fail", f"{name!r} is neither a model folder nor a Hugging Face id", "correct the name")
    except LocalEntryNotFoundError:
        fix = f"run `hf download {name}` with a network, or use one of {', '.join(BUNDLED)}"
        return Finding("model", "fail" if is_offline() else "warn", f"{name} is not on this machine", fix)
    return Finding("model", "ok", f"{name}, on this machine")


def _disk(index: Path) -> Iterator[Finding]:
    existing = next(p for p in (index.resolve(), *index.resolve().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    low = free < _LOW_DISK
    yield Finding("disk", "warn" if low else "ok", f"{free / 2**30:.1f} GiB free", "free some space" if low else "")


def _index(config: Config, index: Path) -> Iterator[Finding]:
    from rag.factory import open_index

    try:
        with open_index(index, config) as opened:
            problems, counts = opened.verify(), opened.store.counts()
    except IndexMissingError:
        yield Finding("index", "warn", f"none in {index} yet", "run `rag ingest PATH`")
        return
    if problems:
        fix = "rag index verify --repair" if all(p.repairable for p in problems) else NEW_FOLDER
        yield Finding("index", "fail", f"{counted(len(problems), 'problem')}, first: {problems[0].message}", fix)
    else:
        yield Finding("index", "ok", f"{documents_by_state(counts)}, {counted(counts['chunks'], 'chunk')}, verified")
