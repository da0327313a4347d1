"""What vLLM is told on each kind of machine. GPUs are stand-ins: nobody has run this on one yet."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from rag.config import VllmConfig
from rag.generation.vllm import _set_environment, cpu_has_bfloat16, machine_arguments

GIB = 2**30


def torch_with(gpus: int, free: int = 0, total: int = 1) -> SimpleNamespace:
    cuda = SimpleNamespace(is_available=lambda: gpus > 0, mem_get_info=lambda: (free, total))
    return SimpleNamespace(cuda=cuda)


def test_on_a_cpu_the_dtype_is_what_the_cpu_computes_fastest() -> None:
    expected = "bfloat16" if cpu_has_bfloat16() else "float32"
    assert machine_arguments(torch_with(0), VllmConfig()) == {"dtype": expected, "enforce_eager": True}


def test_on_a_cpu_a_chosen_dtype_stands() -> None:
    assert machine_arguments(torch_with(0), VllmConfig(dtype="bfloat16", enforce_eager=False)) == {
        "dtype": "bfloat16",
        "enforce_eager": False,
    }


def test_on_a_gpu_vllm_takes_what_embedder_and_index_leave_free() -> None:
    arguments = machine_arguments(torch_with(1, free=60 * GIB, total=80 * GIB), VllmConfig())
    assert arguments == {"gpu_memory_utilization": pytest.approx(59.5 / 80, abs=1e-3), "enforce_eager": False}


def test_on_a_gpu_a_chosen_share_stands() -> None:
    arguments = machine_arguments(
        torch_with(1, free=GIB, total=80 * GIB), VllmConfig(enforce_eager=True, memory_share=0.5)
    )
    assert arguments == {"gpu_memory_utilization": 0.5, "enforce_eager": True}


@pytest.mark.parametrize(("gpu", "multiprocessing"), [(False, "0"), (True, None)])
def test_the_engine_core_runs_in_process_on_a_cpu_only(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, multiprocessing: str | None
) -> None:
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_CPU_KVCACHE_SPACE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "-")
        monkeypatch.delenv(name)
    _set_environment(3, gpu=gpu)
    assert os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") == multiprocessing
    assert os.environ.get("VLLM_CPU_KVCACHE_SPACE") == (None if gpu else "3")
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_what_the_user_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "9")
    _set_environment(3, gpu=False)
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "9"
