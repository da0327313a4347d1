"""A trained reader to a folder that answers on a CPU: one int8 graph for OpenVINO, its tokenizer and its record.

The graph is quantised after training, its activations' ranges taken from passages like those it was trained on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rag.errors import InputError, MissingPackageError
from rag.extractive_qa.model import SpanReader
from rag.extractive_qa.record import RECORD_FILE, ReaderRecord
from rag.extractive_qa.scorer import GRAPH_FILE, batches, padded
from rag.extractive_qa.windows import Windower
from rag.models.openvino import load_openvino

__all__ = ["export_graph"]

_CALIBRATION_WINDOWS = 300
_COPIED = ("tokenizer.json", "tokenizer_config.json", "config.json")


class _Traced(torch.nn.Module):  # type: ignore[misc]
    """The reader with positional inputs and outputs, as tracing wants it."""

    def __init__(self, reader: SpanReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
        told = self.reader(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return told.start, told.end, told.relevance


def export_graph(
    folder: Path, target: Path, windower: Windower, pairs: Sequence[tuple[str, str]], *, int8: bool = True
) -> None:
    """Write ``target`` from a trained reader's folder. ``pairs`` of question and passage show it typical inputs.

    Raises :class:`~rag.errors.MissingPackageError` without OpenVINO or NNCF, :class:`~rag.errors.InputError` without
    pairs.
    """
    openvino = load_openvino("exporting")
    try:
        import nncf
    except ImportError:
        raise MissingPackageError(
            "exporting needs nncf", "run `pip install 'rag-qa[train]'`, or `make install`"
        ) from None
    windows = windower.cut([q for q, _ in pairs], [p for _, p in pairs])[:_CALIBRATION_WINDOWS]
    if not windows:
        raise InputError("there is nothing to calibrate the graph with", "name questions and passages")
    samples = [padded([windows[n] for n in chosen], windower.padding) for chosen in batches(windows, 2048)]
    reader = SpanReader.load(folder, trained=True).eval()
    graph = openvino.convert_model(
        _Traced(reader).eval(),
        example_input={name: torch.from_numpy(array) for name, array in samples[0].items()},
    )
    for port, name in zip(graph.inputs, ("input_ids", "attention_mask", "token_type_ids"), strict=True):
        port.get_tensor().set_names({name})
    if int8:
        graph = nncf.quantize(
            graph,
            nncf.Dataset(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
        )
    target.mkdir(parents=True, exist_ok=True)
    openvino.save_model(graph, target / GRAPH_FILE, compress_to_fp16=not int8)
    for name in _COPIED:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    record = ReaderRecord.load(folder)
    (target / RECORD_FILE).write_text(json.dumps(record.tree(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
