"""What the machine offers a generator: small, testable functions over what it reports."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cpu_has_bfloat16", "free_memory_share"]

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel and AMD name the first two, Arm the last
_RESERVE_BYTES = 512 * 2**20  # for CUDA graphs and the embedder's temporary allocations
_MOST = 0.92


def cpu_has_bfloat16(cpuinfo: str | None = None) -> bool:
    """Return whether the CPU has bf16 arithmetic. Otherwise bf16 is emulated, several times slower than fp32."""
    if cpuinfo is None:
        path = Path("/proc/cpuinfo")
        cpuinfo = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return not _BF16_FLAGS.isdisjoint(value.split())
    return False


def free_memory_share(free: int, total: int) -> float:
    """Return the share of a GPU's memory that vLLM may take: what embedder and index leave free, less a reserve.

    ``free`` and ``total`` are bytes, as ``torch.cuda.mem_get_info`` returns them after both were loaded.
    """
    return round(max(0.0, min(_MOST, (free - _RESERVE_BYTES) / total)), 3)
