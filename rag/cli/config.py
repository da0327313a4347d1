"""``rag config show``: every value and where it came from."""

from __future__ import annotations

import json
from typing import Any

from rag.cli.options import AsJson, ConfigName, Settings, resolve
from rag.cli.output import out, out_json
from rag.text import without_userinfo

__all__ = ["show"]


def show(config: ConfigName = "cpu", settings: Settings = None, as_json: AsJson = False) -> None:
    """Print every key with its value and where it came from: a default, a preset, a file or --set.

    User names and passwords in addresses are shown as ***.
    """
    resolved = resolve(config, settings)
    rows = [(key, _shown(value), origin) for key, value, origin in resolved.rows()]
    if as_json:
        values = {key: {"value": value, "from": origin} for key, value, origin in rows}
        out_json({"digest": resolved.config.digest(), "values": values})
        return
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        out(f"{key:<{width}}  {json.dumps(value, ensure_ascii=False):<28}  {origin}")
    out(f"digest {resolved.config.digest()}")


def _shown(value: Any) -> Any:
    return without_userinfo(value) if isinstance(value, str) else value
