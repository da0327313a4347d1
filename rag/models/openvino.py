"""OpenVINO on this CPU: one way to import and configure it, and to make graphs from torch models.

Compiled graphs are cached, once per machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import MissingPackageError, ModelError
from rag.models.resolve import cache_folder
from rag.text import error_line

__all__ = ["compile_graph", "load_openvino", "quantize_graph", "save_graph", "trace_graph"]


def load_openvino(what: str) -> Any:
    """Import OpenVINO without its telemetry. Raises :class:`~rag.errors.MissingPackageError`; ``what`` needs it."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # keeps it from being imported
    try:
        import openvino
    except ImportError:
        raise MissingPackageError(f"{what} needs OpenVINO", "run `pip install openvino`, or `make install`") from None
    return openvino


def compile_graph(path: Path, *, streams: int = 1) -> Any:
    """Return a compiled model, from which each caller makes its own requests.

    With several ``streams``, as many batches are read in parallel, each on its share of the cores. With one, each batch
    is done sooner, but all of them later. Floating-point parts stay fp32, so that processors with bf16 units give the
    same answers. The compiled model is cached in the user's cache folder, which saves a second at the next start.

    Raises :class:`~rag.errors.MissingPackageError`, :class:`~rag.errors.ModelError`.
    """
    openvino = load_openvino(f"reading {path.name}")
    options: dict[str, Any] = {
        **({"PERFORMANCE_HINT": "LATENCY"} if streams == 1 else {"NUM_STREAMS": streams}),
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": os.cpu_count() or 1,
    }
    core = openvino.Core()
    try:
        return core.compile_model(path, "CPU", {**options, "CACHE_DIR": str(cache_folder() / "openvino")})
    except RuntimeError:
        pass  # the cache cannot be written or read
    try:
        return core.compile_model(path, "CPU", options)
    except RuntimeError as error:
        raise ModelError(
            f"the graph {path} cannot be loaded: {error_line(error, 200)}", "remove its folder, so that it is rebuilt"
        ) from None


def trace_graph(model: Any, example: Mapping[str, Any]) -> Any:
    """Return the graph of a torch module, traced with example inputs, whose names and order are those of the graph."""
    graph = load_openvino("making a graph").convert_model(model, example_input=dict(example))
    for port, name in zip(graph.inputs, example, strict=True):
        port.get_tensor().set_names({name})
    return graph


def quantize_graph(graph: Any, samples: Sequence[Mapping[str, Any]]) -> Any:
    """Return a transformer's graph in int8. The samples are typical inputs, which set the ranges of activations.

    Raises :class:`~rag.errors.MissingPackageError` without NNCF.
    """
    try:
        import nncf
    except ImportError:
        raise MissingPackageError("int8 needs nncf", "run `pip install 'rag-qa[train]'`, or `make install`") from None
    return nncf.quantize(
        graph,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(samples),
    )


def save_graph(graph: Any, path: Path) -> None:
    """Write a graph in the precision that it has."""
    load_openvino("making a graph").save_model(graph, path, compress_to_fp16=False)
