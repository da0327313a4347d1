"""Questions and tokens per second by batch size and precision, as ``rag eval --throughput`` reports them.

Each precision gets a process of its own. Each batch size uses other questions, so that none profits from the prefix
cache; with too few questions, the larger batches are left out.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rag.cli.evaluation.child import call, serve
from rag.config import Config
from rag.errors import GeneratorError

__all__ = ["measure"]

# (batch size, questions)
_ON_CPU = ((1, 8), (4, 16), (16, 32), (64, 64))
_ON_GPU = ((1, 32), (8, 64), (64, 512), (256, 1024))


def measure(config: Config, rows: Sequence[Mapping[str, Any]], precisions: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each precision and batch size. Raises :class:`~rag.errors.GeneratorError`."""
    asked = [
        {"question": row["question"], "passages": [p for p in row["passages"] if p["shown"]]}
        for row in rows
        if any(p["shown"] for p in row["passages"]) or not row["passages"]
    ]
    table: list[dict[str, Any]] = []
    for precision in precisions if config.generator.type == "vllm" else precisions[:1]:
        tree = config.model_dump(mode="json")
        tree["generator"]["vllm"]["dtype"] = precision
        measured, child = call(
            __name__, {"config": tree, "asked": asked, "precision": precision}, stderr=subprocess.PIPE
        )
        if measured is None:
            reason = (child.stderr.strip().splitlines() or ["unknown reason"])[-1]
            raise GeneratorError(f"the throughput of {precision} could not be measured: {reason}", "run `rag doctor`")
        table += measured
    return table


def _measure_one(config: Config, asked: Sequence[Mapping[str, Any]], precision: str) -> list[dict[str, Any]]:
    from rag.factory import forbid_downloads, make_answerer
    from rag.retrieval.retriever import Retrieved

    forbid_downloads(config)
    answerer = make_answerer(config, whole_context=True)
    left = [Retrieved(a["question"], tuple(_passage(p) for p in a["passages"]), 1.0, 0) for a in asked]
    answerer.answer_batch(left[:1])  # warms up
    left = left[1:]
    label = precision if config.generator.type == "vllm" else config.generator.type
    table = []
    for batch, count in _batches():
        if len(left) < count:
            break
        part, left = left[:count], left[count:]
        started = time.monotonic()
        done = [answer for n in range(0, count, batch) for answer in answerer.answer_batch(part[n : n + batch])]
        seconds = time.monotonic() - started or 1e-9
        read = sum(c.usage.prompt_tokens for c in done)
        written = sum(c.usage.completion_tokens for c in done)
        table.append(
            {
                "precision": label,
                "batch": batch,
                "questions_per_s": round(count / seconds, 3),
                "tokens_per_s": round(written / seconds, 1),
                "prompt_tokens_per_s": round(read / seconds, 1),
            }
        )
    answerer.generator.close()
    return table


def _batches() -> tuple[tuple[int, int], ...]:
    torch = sys.modules.get("torch")
    return _ON_GPU if torch is not None and torch.cuda.is_available() else _ON_CPU


def _passage(row: Mapping[str, Any]) -> Any:
    from rag.types import Passage

    return Passage(
        id=row["id"],
        source=row["source"],
        title=row["source"],
        page=row["page"],
        headings=tuple(row["headings"]),
        start=0,
        end=len(row["text"]),
        text=row["text"],
        score=row["score"],
    )


if __name__ == "__main__":
    serve(lambda job: _measure_one(Config.model_validate(job["config"]), job["asked"], job["precision"]))
