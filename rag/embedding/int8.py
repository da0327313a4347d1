"""An embedder's graph in int8: about twice as fast on processors with VNNI or AMX, with nearly the same vectors.

NNCF makes it once from the fp32 graph. The ranges of activations come from the passages in
``bundled/embedder/calibration.txt``, the example documents in chunks. It is cached in the user's cache folder with
checksums, and used only if its vectors are near those of the fp32 graph. How near is near enough for retrieval was
measured (benchmarks/int8.md), so vectors of both may be in one index.

It does not know tokenizers or indexes: it takes token ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import model_errors
from rag.models.openvino import compile_graph, load_openvino, quantize_graph, save_graph
from rag.models.resolve import cached_folder

__all__ = ["int8_graph", "int8_obstacle", "multiplies_bytes"]

GRAPH, _RECORD = "int8.xml", "int8.json"
_VERSION = 1
_LEAST_COSINE = 0.95  # of its vector and the fp32 graph's, over the calibration passages; 0.969 was measured
_CALIBRATION = Path(__file__).parents[1] / "bundled" / "embedder" / "calibration.txt"
_WIDE_MULTIPLY = re.compile(r"^flags\s*:.*\b(avx512_vnni|avx_vnni|amx_int8)\b", re.MULTILINE)

Ids = npt.NDArray[np.int64]
Tokenize = Callable[[Sequence[str]], list[list[int]]]
"""Returns the token ids of each text."""


def int8_obstacle() -> str:
    """Return why this machine does not read passages in int8; an empty string if it does."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "the processor's abilities are unknown"
    if not multiplies_bytes(cpuinfo):
        return "this processor has neither VNNI nor AMX"
    return "" if find_spec("nncf") else "nncf is not installed"


def multiplies_bytes(cpuinfo: str) -> bool:
    """Return whether a processor adds products of bytes in one step, by VNNI or AMX.

    Without that int8 is hardly faster, and sums of products can overflow.
    """
    return _WIDE_MULTIPLY.search(cpuinfo) is not None


def int8_graph(fp32: Path, record: bytes, cache: Path, tokenize: Tokenize) -> Path:
    """Return the int8 form of the graph ``fp32``. The first call makes it, in about twenty seconds.

    ``record`` holds the checksums of the fp32 graph. Raises :class:`~rag.errors.ModelError` if it cannot be made.
    """
    text = _CALIBRATION.read_bytes()
    key = " ".join((str(_VERSION), _digest(record), _digest(text), version("openvino"), version("nncf")))
    target = cache / f"embedder-int8-{_digest(key.encode())[:16]}"
    return cached_folder(target, _RECORD, partial(_make, fp32, text.decode().splitlines(), tokenize)) / GRAPH


def _make(fp32: Path, texts: list[str], tokenize: Tokenize, folder: Path) -> dict[str, Any]:
    with model_errors("the embedder cannot be converted to int8", "run with --set embedding.dtype=float32"):
        return _quantize(fp32, [_inputs(row) for row in tokenize(texts)], folder)


def _inputs(row: list[int]) -> dict[str, Ids]:
    ids = np.array([row], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def _quantize(fp32: Path, samples: list[dict[str, Ids]], folder: Path) -> dict[str, Any]:
    """Write the graph. Raises ``ValueError`` if its vectors are not near those of the fp32 graph."""
    graph = load_openvino("making a graph").Core().read_model(fp32)
    save_graph(quantize_graph(graph, samples), folder / GRAPH)
    before, after = (_vectors(path, samples) for path in (fp32, folder / GRAPH))
    least = float((before * after).sum(axis=1).min())
    if least < _LEAST_COSINE:
        raise ValueError(f"its vectors are far from the model's: a cosine is {least:.3f}")
    return {"least_cosine": round(least, 4)}


def _vectors(path: Path, samples: list[dict[str, Ids]]) -> npt.NDArray[np.float32]:
    request = compile_graph(path).create_infer_request()
    vectors = []
    for sample in samples:
        request.infer(sample)
        vectors.append(request.get_output_tensor(0).data[0].copy())
    return np.stack(vectors)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
