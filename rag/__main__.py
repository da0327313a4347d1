"""Where the ``rag`` command and ``python -m rag`` begin. Importing takes a second, and Ctrl-C may come then too."""

from __future__ import annotations

import sys

__all__ = ["run"]

EXIT_INTERRUPTED = 130


def run() -> None:
    """Import the commands and run one."""
    try:
        from rag.cli.main import run as run_command

        run_command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the command's own output may not be imported yet
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    run()
