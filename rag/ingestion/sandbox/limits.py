"""What one file may cost before its worker is stopped, and when a worker is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rag.errors import DocumentError
from rag.ingestion.loaders.limits import Bounds

__all__ = ["Limits", "out_of_memory"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one file, and for one worker.

    ``memory_mb`` is address space beyond an idle worker's. A worker is replaced after ``files_per_worker`` files, or
    when it holds ``growth_mb`` more memory than at its start. The loaders check ``bounds`` themselves.
    """

    memory_mb: int = 1024
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    file_mb: int = 256
    files_per_worker: int = 500
    growth_mb: int = 256
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        for name, value in {**asdict(self), **asdict(self.bounds)}.items():
            if name != "bounds" and value <= 0:
                raise ValueError(f"{name} is {value} and must be more than 0")

    def as_dict(self) -> dict[str, Any]:
        """Return the limits as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Limits:
        """Return the limits that :meth:`as_dict` wrote."""
        return cls(**{**values, "bounds": Bounds(**values["bounds"])})


def out_of_memory(limits: Limits) -> DocumentError:
    """Return the error for a file that takes too much memory."""
    message = f"reading it takes more than {limits.memory_mb} MiB of memory"
    return DocumentError("memory", message, "split it, or raise the limit on memory")
