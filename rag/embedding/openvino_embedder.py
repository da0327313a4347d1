"""An embedder as an OpenVINO graph: the same vectors on a CPU without torch, and so a start in a tenth of the time.

The graph is made once from the model's own weights, by tracing what sentence-transformers computes from tokens to unit
vectors; it is kept under the user's cache with its checksums, and used only if its vectors are those of the model.

It reads on the CPU. Questions are read in fp32, passages in int8 where that is faster (:mod:`rag.embedding.int8`).
What a GPU is for stays with torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.embedding.base import EmbeddingWork, fingerprint
from rag.embedding.int8 import int8_graph, int8_obstacle
from rag.embedding.legible import legible
from rag.embedding.token_counter import TokenCounts
from rag.errors import MissingPackageError, ModelError
from rag.models.build_cache import fill, keep
from rag.models.openvino import compile_graph, load_openvino
from rag.models.quiet import held_back
from rag.models.resolve import LocalModel, cache_folder, resolve_model

__all__ = ["OpenVinoEmbedder", "embedding_graph", "graph_is_made", "suits_this_machine"]

_VERSION = 1
_GRAPH, _RECORD = "embedder.xml", "embedder.json"
_TOKENS_AT_ONCE = 2560  # padding included; what two cores read fastest, in int8 as in fp32
_MOST_STREAMS = 16
_NEAR = 0.9999  # the least cosine of a graph's vector and the model's own
_SAMPLES = (
    "The rent is due on the first of the month.",
    "Who wrote it?",
    "A longer passage, of several sentences. It is there so that padding has something to do. " * 6,
)

Float32 = npt.NDArray[np.float32]


def suits_this_machine() -> bool:
    """Tell whether OpenVINO is installed and no accelerator is in sight, without asking torch, which takes seconds."""
    signs = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's driver, AMD's, Windows' under WSL
    return find_spec("openvino") is not None and sys.platform != "darwin" and not any(map(os.path.exists, signs))


class OpenVinoEmbedder:
    """A sentence-transformers model on the CPU, through its graph. Safe to call from many threads."""

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        batch_size: int = 32,
        query_prefix: str = "",
        passage_prefix: str = "",
        int8: bool = True,
    ) -> None:
        from tokenizers import Tokenizer

        local = resolve_model(model, revision, weights=False)
        folder = embedding_graph(local)
        self._recorded = (folder / _RECORD).read_bytes()
        record = json.loads(self._recorded)
        self.dimension = int(record["dimension"])
        self.max_tokens = int(record["max_tokens"])
        self.fingerprint = fingerprint(model, local.fingerprint, query_prefix, passage_prefix)
        self._padding = int(record["padding"])
        self._batch_size = batch_size
        self._query_prefix, self._passage_prefix = query_prefix, passage_prefix
        self._tokenizer = Tokenizer.from_file(str(local.path / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_tokens)
        self._counter = Tokenizer.from_str(self._tokenizer.to_str())
        self._counter.no_truncation()
        self._counts = TokenCounts(self._counter)
        self._graph, self._int8 = folder / _GRAPH, int8
        self._making = Lock()
        self.work = EmbeddingWork()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each passage text, special ones included."""
        return self._counts.of([self._passage_prefix + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension)."""
        with self._making:
            compiled = self._for_passages
        return self._encode([self._passage_prefix + text for text in texts], compiled)

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension). A question longer than ``max_tokens`` is read up to there."""
        with self._making:
            compiled = self._for_queries
        return self._encode([self._query_prefix + text for text in texts], compiled)

    def close(self) -> None:
        """Hold nothing, free nothing."""

    @cached_property
    def _for_queries(self) -> Any:
        return compile_graph(self._graph)

    @cached_property
    def _for_passages(self) -> Any:
        """Compile for many passages: one stream a core, and int8 where it is faster."""
        path = self._graph
        if self._int8 and not int8_obstacle():
            with suppress(OSError, ModelError):  # fp32 finds the same passages, only later
                path = int8_graph(self._graph, self._recorded, cache_folder(), self._rows)
        return compile_graph(path, streams=min(os.cpu_count() or 1, _MOST_STREAMS))

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._ids(text, encoding) for text, encoding in legible(self._counter, texts)]

    def _encode(self, texts: Sequence[str], compiled: Any) -> Float32:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        with self.work.measured():
            rows = self._rows(texts)
        self.work.tokens += sum(map(len, rows))
        streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        requests = [compiled.create_infer_request() for _ in range(streams)]
        running: deque[tuple[Any, list[int]]] = deque()
        for chosen in _batches([len(row) for row in rows], self._batch_size):
            if len(running) == streams:
                requests.append(_collect(running, vectors))
            request = requests.pop()
            request.start_async(self._padded([rows[n] for n in chosen]))
            running.append((request, chosen))
        while running:
            _collect(running, vectors)
        return vectors

    def _padded(self, rows: Sequence[list[int]]) -> dict[str, npt.NDArray[np.int64]]:
        ids = np.full((len(rows), max(map(len, rows))), self._padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)], mask[place, : len(row)] = row, 1
        return {"input_ids": ids, "attention_mask": mask}

    def _ids(self, text: str, encoding: Any) -> list[int]:
        ids = encoding if len(encoding.ids) <= self.max_tokens else self._tokenizer.encode(text)
        return list(ids.ids)


def embedding_graph(local: LocalModel) -> Path:
    """Return the folder of a model's graph, made at the first call: some ten seconds, and torch.

    Raises :class:`~rag.errors.ModelError` where it cannot be made, :class:`~rag.errors.MissingPackageError`.
    """
    if find_spec("openvino") is None:
        raise MissingPackageError(
            "embedding.engine is openvino, which is not installed",
            "run `pip install openvino`, or --set embedding.engine=torch",
        )
    return keep(_folder_of(local), _RECORD, partial(_make, local))


def graph_is_made(model: str, revision: str | None = None) -> bool:
    """Tell whether a model's graph lies in the cache. Raises what :func:`~rag.models.resolve.resolve_model` raises."""
    return find_spec("openvino") is not None and _folder_of(resolve_model(model, revision, weights=False)).is_dir()


def _folder_of(local: LocalModel) -> Path:
    key = f"{_VERSION} {local.fingerprint} {version('openvino')}"
    return cache_folder() / f"embedder-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _make(local: LocalModel, target: Path) -> None:
    try:
        with held_back():
            fill(target, _RECORD, partial(_convert, local))
    except Exception as error:  # whatever kind the libraries choose: it is told, with the engine that does without
        told = " ".join(str(error).split())[:200]
        raise ModelError(
            f"no graph can be made of the embedder {local.name}: {told}", "run with --set embedding.engine=torch"
        ) from error


def _convert(local: LocalModel, folder: Path) -> dict[str, Any]:
    """Write the graph; return what its user must know. Raises ValueError where its vectors are not the model's."""
    graph = folder / _GRAPH
    if local.name.startswith("bundled:"):
        resolve_model(local.name)  # its weights are loaded here, and so they are checked
    openvino = load_openvino("making a graph")
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(local.path), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
    ).eval()

    class Traced(torch.nn.Module):  # type: ignore[misc]  # mypy is not shown torch's types
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            told = self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]
            return torch.nn.functional.normalize(told, dim=-1)

    batch = model.tokenizer(list(_SAMPLES), padding=True, truncation=True, max_length=128, return_tensors="pt")
    example = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        converted = openvino.convert_model(Traced().eval(), example_input=example)
    for port, name in zip(converted.inputs, example, strict=True):
        port.get_tensor().set_names({name})
    openvino.save_model(converted, graph, compress_to_fp16=False)
    own = model.encode(list(_SAMPLES), normalize_embeddings=True)
    request = compile_graph(graph).create_infer_request()
    most = int(model.max_seq_length or 512)
    for text, vector in zip(_SAMPLES, own, strict=True):
        alone = model.tokenizer([text], truncation=True, max_length=most, return_tensors="np")
        request.infer({name: alone[name] for name in example})
        if float(request.get_output_tensor(0).data[0] @ vector) < _NEAR:
            raise ValueError("its vectors are not those of the model")
    return {
        "dimension": int(own.shape[1]),
        "max_tokens": most,
        "padding": int(model.tokenizer.pad_token_id or 0),
    }


def _collect(running: deque[tuple[Any, list[int]]], vectors: Float32) -> Any:
    """Wait for the batch that began first, take its vectors, and return its request, free again.

    OpenVINO's own queue calls back from its threads into Python, which now and then ended the process at its exit.
    """
    request, chosen = running.popleft()
    request.wait()
    vectors[chosen] = request.get_output_tensor(0).data
    return request


def _batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield places in batches of like length, the longest first: the last to end is then a short one."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) == size or (len(batch) + 1) * lengths[batch[0]] > _TOKENS_AT_ONCE):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
