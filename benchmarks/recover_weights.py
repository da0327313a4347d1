"""The fp32 weights of the bundled extractive model, read back from its int8 graph, to continue training from.

    python -m benchmarks.recover_weights models/reader-base [--graph rag/bundled/reader]      # seconds

Training froze the embeddings, so those are MiniLM's own. A weight of the graph is an int8 matrix times one scale per
row, times the factors by which the graph multiplies its inputs before it rounds them (SmoothQuant, Xiao et al. 2023).
Rounding to eight bits loses a little: the last figures are in reader.md.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.tokenizer import load_tokenizer
from rag.models.resolve import resolve_model

_PREFIX = "__module.reader."


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    parser.add_argument(
        "--graph", type=Path, default=Path(__file__).resolve().parents[1] / "rag" / "bundled" / "reader"
    )
    options = parser.parse_args()
    encoder = resolve_model("bundled:minilm")
    reader = SpanReader.load(encoder.path, name="bundled:minilm")
    found = weights(options.graph / "reader.xml")
    missing, unexpected = reader.load_state_dict(found, strict=False)
    left = [name for name in missing if ".embeddings." not in name]
    if left or unexpected:
        raise SystemExit(f"the graph lacks {left} and has besides {unexpected}")
    record = json.loads((options.graph / "reader.json").read_text(encoding="utf-8"))
    reader.save(options.target, load_tokenizer(encoder.path, "bundled:minilm"), {"window": record["window"]})
    print(f"{len(found)} tensors written to {options.target}")


def weights(graph: Path) -> dict[str, torch.Tensor]:
    """Return the weights and biases of the linear layers and the norms of the encoder's layers, by their names."""
    import openvino

    found: dict[str, torch.Tensor] = {}
    for node in openvino.Core().read_model(graph).get_ordered_ops():
        match = re.fullmatch(
            re.escape(_PREFIX) + r"(.+)/aten::(linear|layer_norm)/(MatMul|Add|Multiply_1)", node.get_friendly_name()
        )
        if not match or ".embeddings." in match[1]:
            continue
        name, _, operation = match.groups()
        if operation == "MatMul":
            found[f"{name}.weight"] = _matrix(node)
        else:
            constant = torch.from_numpy(_inputs(node)[1].get_data().astype(np.float32).reshape(-1).copy())
            found[f"{name}.{'weight' if operation == 'Multiply_1' else 'bias'}"] = constant
    return found


def _matrix(node: Any) -> torch.Tensor:
    """Return the (out, in) matrix of a MatMul in fp32."""
    activations, scaled = _inputs(node)
    convert, scale = _inputs(scaled)
    matrix = _inputs(convert)[0].get_data().astype(np.float32) * scale.get_data().astype(np.float32)
    smoothed = _inputs(activations)[0] if activations.get_type_name() == "FakeQuantize" else activations
    if smoothed.get_friendly_name().endswith("nncf_smooth_quant"):
        matrix = matrix * _inputs(smoothed)[1].get_data().astype(np.float32).reshape(1, -1)
    return torch.from_numpy(np.ascontiguousarray(matrix))


def _inputs(node: Any) -> list[Any]:
    return [port.get_source_output().get_node() for port in node.inputs()]


if __name__ == "__main__":
    main()
