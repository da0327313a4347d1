"""A command group whose first word may be left out: ``rag eval DATASET`` is ``rag eval run DATASET``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

__all__ = ["DefaultGroup"]

_DEFAULT = "run"
_GROUP_OPTIONS = {"--help"}


class DefaultGroup(TyperGroup):
    """Takes the default command where the first argument names none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front."""
        if args and args[0] not in self.commands and args[0] not in _GROUP_OPTIONS:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)
