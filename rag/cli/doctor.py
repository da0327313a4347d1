"""``rag doctor``: check what the configuration needs, one line each, with the fix."""

from __future__ import annotations

from pathlib import Path

import typer

from rag.cli.options import AsJson, ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import out, out_json

__all__ = ["doctor"]


def doctor(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Check the installation, the models and the index. Exit code 1 if a check fails."""
    resolved = resolve(config, settings)
    from rag.ops.doctor import examine

    findings = examine(resolved.config, index)
    if as_json:
        out_json([{"check": f.check, "state": f.state, "found": f.found, "fix": f.fix} for f in findings])
    else:
        for f in findings:
            out(f"{f.state:<4}  {f.check:<10}  {f.found}" + (f"\n{'':18}fix: {f.fix}" if f.fix else ""))
    if any(f.state == "fail" for f in findings):
        raise typer.Exit(1)
