"""An embedder's graph in int8: some twice as fast on processors with VNNI or AMX, its vectors near the model's own.

It is made once from the fp32 graph by NNCF, which takes the ranges of activations from the passages in
``bundled/embedder/calibration.txt``, the example documents in chunks. It is kept under the user's cache with its
checksums, and used only if its vectors are near those of the fp32 graph. How near is near enough for retrieval was
measured (benchmarks/int8.md), and is why vectors of both may stand in one index.

It knows neither tokenizers nor indexes: it takes token ids.
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

from rag.errors import ModelError
from rag.models.build_cache import fill, keep
from rag.models.openvino import compile_graph, load_openvino
from rag.models.quiet import held_back

__all__ = ["int8_graph", "int8_obstacle", "multiplies_bytes"]

GRAPH, _RECORD = "int8.xml", "int8.json"
_VERSION = 1
_NEAR = 0.95  # the least cosine of its vector and the fp32 graph's over the calibration passages; .969 was measured
_CALIBRATION = Path(__file__).parents[1] / "bundled" / "embedder" / "calibration.txt"
_WIDE_MULTIPLY = re.compile(r"^flags\s*:.*\b(avx512_vnni|avx_vnni|amx_int8)\b", re.MULTILINE)

Ids = npt.NDArray[np.int64]


def int8_obstacle() -> str:
    """Say why passages are not read in int8 on this machine; the empty string where nothing is in the way."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "what this processor can do is not known"
    if not multiplies_bytes(told):
        return "this processor has neither VNNI nor AMX"
    return "" if find_spec("nncf") else "nncf is not installed"


def multiplies_bytes(cpuinfo: str) -> bool:
    """Tell whether a processor adds products of bytes in one step: VNNI or AMX.

    Without that int8 is hardly faster, and sums of products can overflow.
    """
    return _WIDE_MULTIPLY.search(cpuinfo) is not None


def int8_graph(fp32: Path, recorded: bytes, cache: Path, tokens: Callable[[Sequence[str]], list[list[int]]]) -> Path:
    """Return the int8 form of the graph ``fp32``, made at the first call in some twenty seconds.

    ``recorded`` changes when the graph does: the record of its checksums. ``tokens`` makes ids of texts. Raises
    :class:`~rag.errors.ModelError` where it cannot be made.
    """
    text = _CALIBRATION.read_bytes()
    key = " ".join((str(_VERSION), _digest(recorded), _digest(text), version("openvino"), version("nncf")))
    target = cache / f"embedder-int8-{_digest(key.encode())[:16]}"
    return keep(target, _RECORD, partial(_make, fp32, text.decode().splitlines(), tokens)) / GRAPH


def _make(fp32: Path, texts: list[str], tokens: Callable[[Sequence[str]], list[list[int]]], target: Path) -> None:
    try:
        with held_back():
            fill(target, _RECORD, partial(_quantise, fp32, [_alone(row) for row in tokens(texts)]))
    except Exception as error:  # whatever kind the libraries choose: it is told, and fp32 does without
        told = " ".join(str(error).split())[:200]
        raise ModelError(
            f"no int8 graph can be made of the embedder: {told}", "run with --set embedding.dtype=float32"
        ) from error


def _alone(row: list[int]) -> dict[str, Ids]:
    ids = np.array([row], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def _quantise(fp32: Path, samples: list[dict[str, Ids]], folder: Path) -> dict[str, Any]:
    """Write the graph. Raises ValueError where its vectors are not near those of the fp32 graph."""
    openvino = load_openvino("making a graph")
    import nncf

    graph = nncf.quantize(
        openvino.Core().read_model(fp32),
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(samples),
    )
    openvino.save_model(graph, folder / GRAPH, compress_to_fp16=False)
    before, after = (_vectors(path, samples) for path in (fp32, folder / GRAPH))
    least = float((before * after).sum(axis=1).min())
    if least < _NEAR:
        raise ValueError(f"its vectors are not near those of the model: a cosine is {least:.3f}")
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
