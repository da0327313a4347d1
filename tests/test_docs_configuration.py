"""docs/configuration.md is what the configuration's models say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rag.config import Config, load_config
from rag.ops.config_reference import configuration_page

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    """If this fails, run ``python -m rag.ops.config_reference > docs/configuration.md``."""
    # In a process of its own: benchmarks that other tests import add prompts to the table.
    command = [sys.executable, "-m", "rag.ops.config_reference"]
    done = subprocess.run(command, cwd=PAGE.parents[1], capture_output=True, text=True, encoding="utf-8", check=True)
    assert PAGE.read_text(encoding="utf-8") == done.stdout


def test_every_key_has_a_sentence() -> None:
    keys = [key for key, _, _ in load_config("cpu").rows()]
    assert [key for key in keys if f"| `{key}` | " not in configuration_page()] == []
    assert set(Config.model_fields) == {key.split(".")[0] for key in keys}
