"""The GPU copy, against a stand-in for FAISS's GPU module that keeps FAISS's own limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes.search.dense_faiss import FaissIndex, FaissOptions, gpu_count, load_faiss
from indexes.search.dense_gpu import GpuIndex
from indexes.search.protocols import Hits
from indexes.store.rows import Float32

N, DIMENSION = 2400, 16


class ClonerOptions:
    shard: bool | None = None
    useFloat16: bool | None = None  # noqa: N815 - FAISS's name


class CopiedIndex:
    """What a copy on a GPU does: takes ``nprobe`` from its original, gives positions, knows no masks."""

    def __init__(self, index: Any, threads: list[int]) -> None:
        self._index = load_faiss().clone_index(index)
        self._threads = threads
        self._busy = threading.Lock()

    def search(self, queries: Float32, k: int, params: Any = None) -> Any:
        if k > 2048:
            raise RuntimeError("k must be at most 2048")
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("two threads in one GPU index")
        self._threads.append(threading.get_ident())
        try:
            return self._index.search(queries, k, params=params)
        finally:
            self._busy.release()


class GpuFaiss:
    GpuMultipleClonerOptions = ClonerOptions

    def __init__(self) -> None:
        self.options: Any = None
        self.threads: list[int] = []

    def get_num_gpus(self) -> int:
        return 2

    def index_cpu_to_all_gpus(self, index: Any, co: Any = None) -> CopiedIndex:
        self.options = co
        self.threads.append(threading.get_ident())
        return CopiedIndex(index, self.threads)


def vectors(n: int, seed: int) -> Float32:
    return np.random.default_rng(seed).integers(-99, 99, (n, DIMENSION)).astype(np.float32)


@pytest.fixture
def cpu() -> FaissIndex:
    """Ids unlike their positions, and some of them removed."""
    ids = np.arange(1, 2 * N, 2)
    index = FaissIndex.build(DIMENSION, FaissOptions(), ids, vectors(N, 1))
    index.remove(ids[::100])
    return index


@pytest.fixture
def module() -> GpuFaiss:
    return GpuFaiss()


@pytest.fixture
def gpu(cpu: FaissIndex, module: GpuFaiss) -> Iterator[GpuIndex]:
    index = GpuIndex(cpu, module)
    yield index
    index.close()


def told(hits: list[Hits]) -> list[tuple[list[int], list[float]]]:
    return [(h.ids.tolist(), h.scores.tolist()) for h in hits]


@pytest.mark.parametrize("k", [0, 1, 10, 500])
def test_a_gpu_copy_answers_as_the_cpu_does(cpu: FaissIndex, gpu: GpuIndex, k: int) -> None:
    queries = vectors(10, 2)
    assert told(gpu.search(queries, k)) == told(cpu.search(queries, k))
    assert gpu.search(queries[:0], k) == []
    assert (len(gpu), gpu.ids().tolist()) == (len(cpu), cpu.ids().tolist())


@pytest.mark.parametrize("kind", ["ivf", "ivf that is still flat", "empty"])
def test_a_copy_of_another_index_answers_as_the_cpu_does(module: GpuFaiss, kind: str) -> None:
    n = {"ivf": N, "ivf that is still flat": 500, "empty": 0}[kind]
    options = FaissOptions("ivf", nlist=32, nprobe=16)
    cpu = FaissIndex.build(DIMENSION, options, np.arange(n), vectors(n, 1))
    assert cpu.built_type == ("ivf" if kind == "ivf" else "flat")
    assert GpuIndex.supports(cpu)
    gpu = GpuIndex(cpu, module)
    assert told(gpu.search(vectors(10, 2), 10)) == told(cpu.search(vectors(10, 2), 10))
    gpu.close()


def test_removed_ids_are_dropped_and_still_k_are_found(cpu: FaissIndex, module: GpuFaiss) -> None:
    queries = vectors(10, 2)
    first = cpu.search(queries, 3)
    cpu.remove(np.unique(np.concatenate([h.ids for h in first])))
    gpu = GpuIndex(cpu, module)
    found = gpu.search(queries, 20)
    assert told(found) == told(cpu.search(queries, 20))
    assert [len(h) for h in found] == [20] * 10
    assert len(module.threads) == 2, "copied and searched on the GPU"
    gpu.close()


def test_a_filtered_search_is_the_cpus(cpu: FaissIndex, gpu: GpuIndex, module: GpuFaiss) -> None:
    queries, allowed = vectors(5, 2), np.arange(1, 200)
    found = gpu.search(queries, 10, allowed=allowed)
    assert told(found) == told(cpu.search(queries, 10, allowed=allowed))
    assert all(len(h) == 10 and set(h.ids.tolist()) <= set(allowed.tolist()) for h in found)
    assert len(module.threads) == 1, "copied to the GPU and never searched there"


@pytest.mark.parametrize(("k", "searches"), [(2048 - N // 100, 1), (2048 - N // 100 + 1, 0), (2048, 0), (9999, 0)])
def test_more_hits_than_a_gpu_gives_come_from_the_cpu(
    cpu: FaissIndex, gpu: GpuIndex, module: GpuFaiss, k: int, searches: int
) -> None:
    assert told(gpu.search(vectors(2, 2), k)) == told(cpu.search(vectors(2, 2), k))
    assert len(module.threads) - 1 == searches


def test_one_thread_owns_the_gpu(cpu: FaissIndex, gpu: GpuIndex, module: GpuFaiss) -> None:
    start = threading.Barrier(8)
    expected = told(cpu.search(vectors(4, 2), 10))

    def search(_: int) -> bool:
        start.wait()
        return all(told(gpu.search(vectors(4, 2), 10)) == expected for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(search, range(8)))
    assert len(module.threads) == 1 + 8 * 5
    assert len(set(module.threads)) == 1
    assert module.threads[0] != threading.get_ident()


@pytest.mark.parametrize("shard", [True, False])
@pytest.mark.parametrize("fp16", [True, False])
def test_faiss_is_told_how_to_copy(cpu: FaissIndex, module: GpuFaiss, shard: bool, fp16: bool) -> None:
    GpuIndex(cpu, module, shard=shard, fp16=fp16).close()
    assert (module.options.shard, module.options.useFloat16) == (shard, fp16)


@pytest.mark.parametrize(("kind", "supported"), [("flat", True), ("hnsw", False), ("sq", False)])
def test_types_that_faiss_cannot_hold_on_a_gpu_are_not_supported(kind: str, supported: bool) -> None:
    options = FaissOptions(kind, sq_bits=16)
    assert GpuIndex.supports(FaissIndex(DIMENSION, options)) is supported


def test_a_copy_is_never_changed(gpu: GpuIndex) -> None:
    before = len(gpu)
    with pytest.raises(TypeError, match="change the CPU index"):
        gpu.add(np.array([1]), vectors(1, 3))
    with pytest.raises(TypeError, match="change the CPU index"):
        gpu.remove(np.array([1]))
    assert len(gpu) == before


def test_a_clone_is_a_cpu_index_of_its_own(cpu: FaissIndex, gpu: GpuIndex) -> None:
    clone = gpu.clone()
    clone.remove(cpu.ids()[:1])
    assert isinstance(clone, FaissIndex)
    assert len(clone) == len(cpu) - 1 == len(gpu) - 1


def test_what_is_saved_is_the_cpu_index(cpu: FaissIndex, gpu: GpuIndex, tmp_path: Path) -> None:
    gpu.save(tmp_path)
    loaded = FaissIndex.load(tmp_path, FaissOptions())
    assert told(loaded.search(vectors(5, 2), 10)) == told(cpu.search(vectors(5, 2), 10))
    assert gpu.needs_rebuild() is cpu.needs_rebuild() is False


def test_gpus_are_counted() -> None:
    assert gpu_count(GpuFaiss()) == 2
    assert gpu_count(object()) == 0


def test_the_cpu_build_of_faiss_counts_no_gpu() -> None:
    faiss = load_faiss()
    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this is faiss-gpu")
    assert gpu_count(faiss) == 0
