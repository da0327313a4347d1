"""The abstention threshold that ``rag eval calibrate`` fits for an index: ``calibration.json`` in its folder.

It is valid for one way of answering (generator, prompt, citation rule). With other settings, confidences mean something
else: the threshold is ignored, with a note.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexes.system import atomic_write, sha256_json
from rag.config import Config, Resolved
from rag.errors import UsageError
from rag.generation.registry import GENERATORS
from rag.text import without_userinfo

__all__ = ["CALIBRATION_FILE", "answering_digest", "apply_calibration", "public_tree", "save_calibration"]

CALIBRATION_FILE = "calibration.json"
_KEY = "answers.min_confidence"


class _Calibration(BaseModel):
    model_config = ConfigDict(extra="ignore")

    min_confidence: float = Field(ge=0, le=1)
    answering: str
    run: str


def answering_digest(config: Config) -> str:
    """Return 16 hex digits of everything that a confidence depends on."""
    tree = public_tree(config)
    parts = {name: tree[name] for name in ("generator", "prompt", "citations")}
    if GENERATORS[config.generator.type].make_extractor:
        parts = {"generator": config.generator.type, "reader": tree["reader"], "retrieval": tree["retrieval"]}
    return sha256_json(parts)[:16]


def public_tree(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, without passwords in addresses."""
    tree = config.model_dump(mode="json")
    endpoint = tree["generator"]["openai"]
    endpoint["base_url"] = without_userinfo(endpoint["base_url"])
    return tree


def save_calibration(index: Path, config: Config, min_confidence: float, run: str, report: Mapping[str, Any]) -> Path:
    """Write the threshold into an index folder; return the file."""
    path = index / CALIBRATION_FILE
    value = {
        "min_confidence": min_confidence,
        "answering": answering_digest(config),
        "run": run,
        "report": dict(report),
    }
    atomic_write(path, json.dumps(value, indent=1) + "\n")
    return path


def apply_calibration(resolved: Resolved, index: Path) -> tuple[Resolved, str | None]:
    """Return the configuration with the index's threshold, and a note if it has one that does not apply.

    A threshold set by the user takes precedence. Raises :class:`~rag.errors.UsageError` for an unreadable file.
    """
    path = index / CALIBRATION_FILE
    if not path.is_file() or _KEY in resolved.origins:
        return resolved, None
    try:
        found = _Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise UsageError(f"{path} is not a calibration", "delete it, or run `rag eval calibrate` again") from None
    if found.answering != answering_digest(resolved.config):
        return (
            resolved,
            f"the threshold in {path} was fitted for other settings of generator, prompt, or retrieval and is not used",
        )
    answers = resolved.config.answers.model_copy(update={"min_confidence": found.min_confidence})
    config = resolved.config.model_copy(update={"answers": answers})
    origins = {**resolved.origins, _KEY: f"calibration from {found.run}"}
    return Resolved(config, resolved.name, origins), None
