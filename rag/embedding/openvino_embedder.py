"""An embedder as an OpenVINO graph: the model's vectors on a CPU without torch, and a start in a tenth of the time.

The graph is made once from the model's own weights, by tracing what sentence-transformers computes from tokens to unit
vectors. It is cached in the user's cache folder with checksums, and used only if its vectors equal the model's.

Questions are read in fp32, passages in int8 if that is faster (:mod:`rag.embedding.int8`). GPUs are left to torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
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

from rag.embedding.base import EmbedderSettings, EmbeddingWork, Float32, fingerprint
from rag.embedding.int8 import int8_graph, int8_obstacle
from rag.embedding.token_counter import TokenCounter, untruncated
from rag.errors import MissingPackageError, ModelError, model_errors
from rag.models.loading import sentence_transformer
from rag.models.openvino import compile_graph, load_openvino, save_graph, trace_graph
from rag.models.resolve import LocalModel, cache_folder, cached_folder, resolve_model

__all__ = ["OpenVinoEmbedder", "embedding_graph", "graph_is_cached", "suits_this_machine"]

_VERSION = 1
_GRAPH, _RECORD = "embedder.xml", "embedder.json"
_BATCH_TOKENS = 2560  # padding included; what two cores read fastest, in int8 and in fp32
_MOST_STREAMS = 16
_LEAST_COSINE = 0.9999  # of a graph's vector and the model's own
_SAMPLES = (
    "The rent is due on the first of the month.",
    "Who wrote it?",
    "A longer passage, of several sentences. It is there so that padding has something to do. " * 6,
)


def suits_this_machine() -> bool:
    """Return whether OpenVINO is installed and there is no accelerator. Asking torch would take seconds."""
    drivers = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and Windows' under WSL
    return find_spec("openvino") is not None and sys.platform != "darwin" and not any(map(os.path.exists, drivers))


class OpenVinoEmbedder:
    """A sentence-transformers model on the CPU, through its graph. Safe to call from many threads.

    ``device`` of the settings is ignored. With ``dtype: auto``, passages are read in int8 if that is faster.
    """

    def __init__(self, settings: EmbedderSettings) -> None:
        from tokenizers import Tokenizer

        local = resolve_model(settings.model, settings.revision, weights=False)
        folder = embedding_graph(local)
        self._record = (folder / _RECORD).read_bytes()
        record = json.loads(self._record)
        self.dimension = int(record["dimension"])
        self.max_tokens = int(record["max_tokens"])
        self.latin_only = settings.latin_only
        self.fingerprint = fingerprint(settings, local.fingerprint)
        self._padding = int(record["padding"])
        self._settings = settings
        self._tokenizer = Tokenizer.from_file(str(local.path / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_tokens)
        self._counter = TokenCounter(untruncated(self._tokenizer))
        self._graph = folder / _GRAPH
        self._compiling = Lock()
        self.work = EmbeddingWork()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each passage text, prefix and special tokens included."""
        return self._counter.count([self._settings.passage_prefix + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension)."""
        with self._compiling:
            compiled = self._for_passages
        return self._encode([self._settings.passage_prefix + text for text in texts], compiled)

    def embed_queries(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors (n, dimension). A question longer than ``max_tokens`` is truncated."""
        with self._compiling:
            compiled = self._for_queries
        return self._encode([self._settings.query_prefix + text for text in texts], compiled)

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    @cached_property
    def _for_queries(self) -> Any:
        return compile_graph(self._graph)

    @cached_property
    def _for_passages(self) -> Any:
        """Compile for many passages: one stream per core, in int8 if that is faster."""
        path = self._graph
        if self._settings.dtype == "auto" and not int8_obstacle():
            with suppress(OSError, ModelError):  # fp32 finds the same passages, only more slowly
                path = int8_graph(self._graph, self._record, cache_folder(), self._token_ids)
        return compile_graph(path, streams=min(os.cpu_count() or 1, _MOST_STREAMS))

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        readable = self._counter.encode(texts)
        return [
            list(encoding.ids if len(encoding.ids) <= self.max_tokens else self._tokenizer.encode(text).ids)
            for text, encoding in readable
        ]

    def _encode(self, texts: Sequence[str], compiled: Any) -> Float32:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        started = time.perf_counter()
        rows = self._token_ids(texts)
        self.work.tokenising += time.perf_counter() - started
        self.work.tokens += sum(map(len, rows))
        streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        requests = [compiled.create_infer_request() for _ in range(streams)]
        running: deque[tuple[Any, list[int]]] = deque()
        for chosen in _batches([len(row) for row in rows], self._settings.batch_size):
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
        for n, row in enumerate(rows):
            ids[n, : len(row)], mask[n, : len(row)] = row, 1
        return {"input_ids": ids, "attention_mask": mask}


def embedding_graph(local: LocalModel) -> Path:
    """Return the folder of a model's graph. The first call makes it: some ten seconds, and torch.

    Raises :class:`~rag.errors.ModelError` if it cannot be made, :class:`~rag.errors.MissingPackageError`.
    """
    if find_spec("openvino") is None:
        raise MissingPackageError(
            "embedding.engine is openvino, which is not installed",
            "run `pip install openvino`, or --set embedding.engine=torch",
        )
    return cached_folder(_folder_of(local), _RECORD, partial(_make, local))


def graph_is_cached(model: str, revision: str | None = None) -> bool:
    """Return whether a model's graph is in the cache. Raises what :func:`~rag.models.resolve.resolve_model` raises."""
    return find_spec("openvino") is not None and _folder_of(resolve_model(model, revision, weights=False)).is_dir()


def _folder_of(local: LocalModel) -> Path:
    key = f"{_VERSION} {local.fingerprint} {version('openvino')}"
    return cache_folder() / f"embedder-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _make(local: LocalModel, folder: Path) -> dict[str, Any]:
    message = f"the embedder {local.name} cannot be converted to a graph"
    with model_errors(message, "run with --set embedding.engine=torch"):
        return _convert(local, folder)


def _convert(local: LocalModel, folder: Path) -> dict[str, Any]:
    """Write the graph; return what is recorded of it. Raises ``ValueError`` if its vectors are not the model's."""
    if local.name.startswith("bundled:"):
        resolve_model(local.name)  # checks the weights, which are loaded here
    load_openvino("making a graph")
    import torch

    model = sentence_transformer(local.path, "cpu").eval()

    class Traced(torch.nn.Module):  # type: ignore[misc]  # torch's types are not visible to mypy
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            output = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
            return torch.nn.functional.normalize(output["sentence_embedding"], dim=-1)

    batch = model.tokenizer(list(_SAMPLES), padding=True, truncation=True, max_length=128, return_tensors="pt")
    example = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        save_graph(trace_graph(Traced().eval(), example), folder / _GRAPH)
    max_tokens = int(model.max_seq_length or 512)
    _compare(model, folder / _GRAPH, max_tokens)
    return {
        "dimension": int(model.get_embedding_dimension()),
        "max_tokens": max_tokens,
        "padding": int(model.tokenizer.pad_token_id or 0),
    }


def _compare(model: Any, graph: Path, max_tokens: int) -> None:
    """Raise ``ValueError`` if the graph's vectors of the samples are not the model's."""
    own = model.encode(list(_SAMPLES), normalize_embeddings=True)
    request = compile_graph(graph).create_infer_request()
    for text, vector in zip(_SAMPLES, own, strict=True):
        inputs = model.tokenizer([text], truncation=True, max_length=max_tokens, return_tensors="np")
        request.infer({name: inputs[name] for name in ("input_ids", "attention_mask")})
        if float(request.get_output_tensor(0).data[0] @ vector) < _LEAST_COSINE:
            raise ValueError("its vectors differ from the model's")


def _collect(running: deque[tuple[Any, list[int]]], vectors: Float32) -> Any:
    """Wait for the batch that started first, take its vectors, and return its request for reuse.

    OpenVINO's own queue calls back into Python from its threads, which sometimes crashed the process at exit.
    """
    request, chosen = running.popleft()
    request.wait()
    vectors[chosen] = request.get_output_tensor(0).data
    return request


def _batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the numbers of texts in batches of similar length, the longest first, so that the last batch is short."""
    batch: list[int] = []
    for n in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) == size or (len(batch) + 1) * lengths[batch[0]] > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(n)
    if batch:
        yield batch
