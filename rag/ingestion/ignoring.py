"""Which files and folders below a given one are passed over: defaults by name, and ``.ragignore`` files.

A ``.ragignore`` has gitignore's syntax, may stand in any folder, and speaks for what is below it; a deeper one and a
later line overrule. What no line speaks of is decided by name: hidden things and the folders that tools fill are
passed over, and a line that begins with ``!`` brings one back. It knows nothing of documents and their endings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import InputError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["IGNORE_FILE", "Rules", "is_foreign_folder"]

IGNORE_FILE = ".ragignore"
_FOREIGN = frozenset({"node_modules", "__pycache__", "__MACOSX", "CVS", "_darcs", "site-packages"})


class Rules:
    """The ``.ragignore`` files that speak for one folder, the outermost first."""

    def __init__(self, files: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        self._files = files

    @classmethod
    def for_folder(cls, folder: Path, top: Path) -> Rules:
        """Read the files from ``top`` down to the folder above ``folder``; :meth:`inside` reads its own.

        A folder that is itself passed over by them was asked for all the same: they do not count in it then.
        """
        rules = cls()
        if folder == top or not folder.is_relative_to(top):
            return rules
        for parent in [p for p in reversed(folder.parents) if p.is_relative_to(top)]:
            rules = rules.inside(str(parent))
        steps = [p for p in (*reversed(folder.parents), folder) if p != top and p.is_relative_to(top)]
        return cls() if any(rules.verdict(str(step), folder=True) for step in steps) else rules

    def inside(self, folder: str) -> Rules:
        """Return the rules for what is in a folder. Raises :class:`~rag.errors.InputError` for an unreadable file."""
        path = Path(folder, IGNORE_FILE)
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return self
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InputError(f"{path} cannot be read: {why}", "mend it, or remove it") from None
        from pathspec import GitIgnoreSpec

        try:
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            raise InputError(f"{path} is not in gitignore's syntax: {error}", "mend the line") from None
        return Rules((*self._files, (folder.rstrip(os.sep) + os.sep, spec)))

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Tell whether a path is to be passed over: True, False (brought back), or None where no line speaks of it."""
        for base, spec in reversed(self._files):
            if path.startswith(base):
                told = spec.check_file(path[len(base) :] + ("/" if folder else "")).include
                if told is not None:
                    return bool(told)
        return None


def is_foreign_folder(path: str, name: str) -> bool:
    """Tell whether a folder is one that a tool fills: packages, caches, a virtual environment, an index of ours."""
    return name in _FOREIGN or any(_holds(path, mark) for mark in ("pyvenv.cfg", "rag.db"))


def _holds(path: str, name: str) -> bool:
    return os.path.exists(f"{path}/{name}")  # noqa: PTH110 - asked of every folder
