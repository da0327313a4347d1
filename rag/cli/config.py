"""``rag config``: every value and where it came from."""

from __future__ import annotations

import json

import typer

from rag.cli.options import AsJson, ConfigName, Settings, resolve
from rag.cli.output import out, out_json

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show the configuration.")


@app.callback()
def group() -> None:
    """Show the configuration."""


@app.command()
def show(config: ConfigName = "cpu", settings: Settings = None, as_json: AsJson = False) -> None:
    """Print every key with its value and where that came from: a default, a preset, a file or --set."""
    resolved = resolve(config, settings)
    if as_json:
        values = {key: {"value": value, "from": origin} for key, value, origin in resolved.rows()}
        out_json({"digest": resolved.config.digest(), "values": values})
        return
    width = max(len(key) for key, _, _ in resolved.rows())
    for key, value, origin in resolved.rows():
        out(f"{key:<{width}}  {json.dumps(value, ensure_ascii=False):<28}  {origin}")
    out(f"digest {resolved.config.digest()}")
