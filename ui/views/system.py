"""What the system page shows, as plain records: findings, models, memory, an index, live figures, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.answering.abstention import public_tree
from rag.config import Config, Resolved
from rag.errors import RagError
from rag.models.resolve import local_model
from rag.ops.doctor import Finding
from rag.ops.environment import Memory
from rag.ops.index_stats import IndexStats, Recall
from ui.i18n import Texts
from ui.server.metrics import Live
from ui.text.safe import one_line
from ui.views.words import named

__all__ = ["checks", "index_rows", "live_rows", "memory_rows", "model_rows", "models_of", "recall_text", "setting_rows"]

_ORDER = {"fail": 0, "warn": 1, "ok": 2}


def checks(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with each text in one line, what fails first."""
    ordered = sorted(findings, key=lambda finding: _ORDER.get(finding.state, 0))
    return [replace(f, found=one_line(f.found, 500), fix=one_line(f.fix, 500)) for f in ordered]


def models_of(config: Config) -> list[tuple[str, str, str | None]]:
    """Return (role, name, revision) of every model that the configuration uses, remote ones included."""
    found = config.models()
    if config.generator.type == "openai":
        found.append(("writer", config.generator.model, config.generator.revision))
    return found


def model_rows(config: Config) -> list[dict[str, str]]:
    """Return role, name, checksum and place of every model; ``problem`` says what is wrong with one, and is
    ``missing`` where it is not on this machine yet. It reads files and fetches nothing.
    """
    rows = []
    for role, name, revision in models_of(config):
        row = {"role": role, "name": one_line(name), "fingerprint": "", "place": "", "problem": ""}
        if role == "writer" and config.generator.type == "openai":
            row["place"] = str(public_tree(config)["generator"]["openai"]["base_url"])
        elif name != "fake":
            row |= _found(name, revision)
        rows.append(row)
    return rows


def _found(name: str, revision: str | None) -> dict[str, str]:
    try:
        model = local_model(name, revision)
    except RagError as error:
        return {"problem": one_line(f"{error.message}; {error.remedy}", 500)}
    if model is None:
        return {"problem": "missing"}
    return {"fingerprint": model.fingerprint, "place": _short(model.path)}


def _short(path: Path) -> str:
    """Write a path with ~ for the user's home folder."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def memory_rows(memory: Memory, t: Texts) -> list[tuple[str, str]]:
    """Return used and available memory, as the system reports it."""
    facts = [("process", memory.process), ("available", memory.available), ("machine", memory.machine)]
    return [(t(f"system.memory_{name}"), t.size(value)) for name, value in facts if value is not None]


def index_rows(found: IndexStats, t: Texts) -> list[tuple[str, str]]:
    """Return the figures of an index."""
    counts = found.counts
    rows = [
        (t("system.index_generation"), t.number(found.generation)),
        (t("system.index_documents"), t.number(counts["ready"])),
        (t("system.index_chunks"), t.number(counts["chunks"])),
        (t("system.index_size"), t.size(found.size)),
    ]
    rows += [
        (t(f"system.index_{state}"), t.number(counts[state])) for state in ("stale", "failed") if counts.get(state)
    ]
    if found.unused_vectors:
        rows.append((t("system.index_unused"), t.number(found.unused_vectors)))
    for kind, generation in found.derived.items():
        state = t("system.index_to_build") if generation is None else t("system.index_at", generation=generation)
        rows.append((t(f"system.index_{kind}"), state))
    return rows


def recall_text(found: Recall, t: Texts) -> str:
    """Return a measured recall as a sentence."""
    if not found.queries:
        return t("system.recall_none")
    return t(
        "system.recall_found",
        mean=t.percent(found.mean, 1),
        k=found.k,
        queries=found.queries,
        chunks=found.chunks,
        whole=found.whole,
        seed=found.seed,
    )


def live_rows(live: Live, t: Texts) -> list[dict[str, Any]]:
    """Return p50 and p95 of each stage in milliseconds, the wait for the first piece at the top."""
    stages = [*([live.first_piece] if live.first_piece else []), *live.stages]
    return [
        {
            "stage": named(t, f"plots.stage_{stage.name}", stage.name),
            "n": stage.n,
            "p50": round(1000 * stage.p50, 1),
            "p95": round(1000 * stage.p95, 1),
        }
        for stage in stages
    ]


def setting_rows(resolved: Resolved, t: Texts, *, changed_only: bool = False) -> list[dict[str, str]]:
    """Return every setting, its value and where that came from; no address shows a password."""
    public = _flat(public_tree(resolved.config))
    rows = []
    for key, value, origin in resolved.rows():
        if changed_only and origin == "default":
            continue
        shown = public.get(key, value)
        said = "–" if shown is None else ", ".join(map(str, shown)) if isinstance(shown, list | tuple) else str(shown)
        rows.append({"key": key, "value": one_line(said), "origin": _origin(origin, t)})
    return rows


def _origin(origin: str, t: Texts) -> str:
    return t("system.origin_default") if origin == "default" else one_line(origin)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
