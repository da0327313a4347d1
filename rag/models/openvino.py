"""OpenVINO graphs on this CPU: loaded in the same way wherever one is read, and compiled once on each machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from rag.errors import MissingPackageError, ModelError
from rag.models.resolve import cache_folder

__all__ = ["compile_graph", "load_openvino"]


def load_openvino(what: str) -> Any:
    """Import OpenVINO without its telemetry. Raises :class:`~rag.errors.MissingPackageError`; ``what`` needs it."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # nothing is sent
    try:
        import openvino
    except ImportError:
        raise MissingPackageError(f"{what} needs OpenVINO", "run `pip install openvino`, or `make install`") from None
    return openvino


def compile_graph(path: Path, *, streams: int = 1) -> Any:
    """Return a compiled model; each caller makes its own requests of it.

    With ``streams`` it reads as many batches side by side, each on its share of the cores; with one, each is done
    sooner and all of them later.

    Floating-point parts stay fp32, so that a processor with bf16 units gives the same answers. What was compiled is
    kept under the user's cache, which saves a second at the next start.

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
        pass  # a cache that cannot be written or read
    try:
        return core.compile_model(path, "CPU", options)
    except RuntimeError as error:
        told = " ".join(str(error).split())[:200]
        raise ModelError(f"the graph {path} cannot be loaded: {told}", "make it again") from None
