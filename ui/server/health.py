"""What ``rag doctor`` says, asked in a process of its own.

The checks import every library there is: here that would cost the page's memory and its answers' time, and a package
that crashes at import would take the page with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rag.config import load_config
from rag.errors import RagError
from rag.ops.doctor import Finding
from ui.jobs.process import child_environment

__all__ = ["ask_doctor", "read_findings"]

_LONGEST_S = 180


def ask_doctor(index: Path, config: str, assignments: Sequence[str]) -> list[Finding]:
    """Return the doctor's findings. Raises :class:`~rag.errors.RagError` where it does not answer."""
    command = [sys.executable, "-P", "-m", "rag", "doctor", f"--index={index}", f"--config={config}", "--json"]
    command += [f"--set={assignment}" for assignment in assignments]
    try:
        keep = [load_config(config, assignments).config.generator.openai.api_key_env]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_S,
            check=False,
            env=child_environment(keep),
        )
    except subprocess.TimeoutExpired:
        raise RagError(f"`rag doctor` took more than {_LONGEST_S} s", "run it in a terminal") from None
    return read_findings(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def read_findings(out: str, err: str) -> list[Finding]:
    """Return the findings in what ``rag doctor --json`` wrote.

    Raises :class:`~rag.errors.RagError` for anything else.
    """
    try:
        return [Finding(**found) for found in json.loads(out)]
    except (ValueError, TypeError):
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        complaint = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "it is silent")
        message = complaint.removeprefix("error: ")
        raise RagError(f"`rag doctor` could not be asked: {message}", "run it in a terminal") from None
