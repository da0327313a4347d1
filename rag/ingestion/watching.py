"""Watch files and folders: say when something that an ingestion would read may have changed, is gone, or is back.

The operating system reports changes (``watchfiles``); where it cannot watch so many folders, they are looked through
once a second. A path is compared with what it was every half second: one that was replaced or that came back is watched
anew. It knows nothing of indexes but the folder that is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from rag.ingestion.discovery import IGNORE_FILE
from rag.ingestion.loaders.file_kinds import is_lock_file
from rag.ingestion.loaders.formats import extensions

__all__ = ["Moment", "is_relevant", "watch_paths"]

_PERIOD_MS = 500
_QUIET_MS = 400
"""So long nothing may change before a change is reported: editors and copies write in several steps."""

_MOST_MS = 5_000
"""A change is reported after this time, even if more come."""

_POLL_MS = 1_000

Identity = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened since the last one: whether something changed, and which of the paths are gone or back."""

    changed: bool = False
    gone: tuple[Path, ...] = ()
    back: tuple[Path, ...] = ()


def watch_paths(
    paths: Sequence[Path], left_out: Path, on_polling: Callable[[], None] = lambda: None
) -> Iterator[Moment]:
    """Yield a moment at least every half second, for ever; the first one when the watch has begun.

    What is below ``left_out``, the index folder, is no change. ``on_polling`` is called once if the system cannot
    report changes of so many folders. A signal raises ``KeyboardInterrupt``.
    """
    watch = _Watch(paths, left_out, on_polling)
    while True:
        yield from watch.until_a_path_changes()


def is_relevant(path: str, roots: Sequence[Path], left_out: Path) -> bool:
    """Return whether a change at a path may concern an ingestion of the roots.

    Hidden files and folders, lock files, and files of unknown formats do not, unless they are a root themselves.
    """
    changed = PurePath(path)
    if changed.is_relative_to(left_out):
        return False
    if changed in roots or changed.name == IGNORE_FILE:
        return True
    below = [changed.relative_to(root) for root in roots if changed.is_relative_to(root)]
    if all(any(part.startswith(".") for part in inner.parts) for inner in below) or is_lock_file(changed.name):
        return False
    suffix = changed.suffix.lower()
    # Without a known extension it may be a folder, or have been one.
    return suffix in extensions() or suffix == "" or os.path.isdir(path)  # noqa: PTH112 - a name, not a Path


class _Watch:
    def __init__(self, paths: Sequence[Path], left_out: Path, on_polling: Callable[[], None]) -> None:
        self._paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links stay links
        self._left_out = left_out.resolve()
        self._seen = self._identities()
        self._on_polling = on_polling
        self._polls = False
        self._missed = False

    def until_a_path_changes(self) -> Iterator[Moment]:
        """Watch what is there until one of the paths is gone, back, or replaced."""
        existing = [path for path, identity in zip(self._paths, self._seen, strict=True) if identity is not None]
        roots = [*existing, *(path.resolve() for path in existing)]
        for changes in self._changes(existing):
            missed, self._missed = self._missed, False
            now = self._identities()
            before, self._seen = self._seen, now
            pairs = list(zip(self._paths, before, now, strict=True))
            gone = tuple(path for path, old, new in pairs if old is not None and new is None)
            back = tuple(path for path, old, new in pairs if old is None and new is not None)
            changed = missed or before != now or any(is_relevant(path, roots, self._left_out) for path in changes)
            yield Moment(changed and now != [None] * len(now), gone, back)
            if before != now:
                self._missed = True  # between this watch and the next
                return

    def _changes(self, existing: list[Path]) -> Iterator[Iterable[str]]:
        """Yield the changed paths, none after a while without a change."""
        if not existing:
            while True:
                time.sleep(_PERIOD_MS / 1000)
                yield ()
        from watchfiles import watch

        for polls in (self._polls, True):
            try:
                found = watch(
                    *existing,
                    watch_filter=None,
                    debounce=_MOST_MS,
                    step=_QUIET_MS,
                    rust_timeout=_PERIOD_MS,
                    yield_on_timeout=True,
                    force_polling=polls or None,
                    poll_delay_ms=_POLL_MS,
                    ignore_permission_denied=True,
                )
                for changes in found:
                    yield [path for _, path in changes]
            except FileNotFoundError:  # in this moment: the identities show it
                self._missed = True
                time.sleep(_PERIOD_MS / 1000)
                yield ()
                return
            except (OSError, RuntimeError):
                if polls:
                    raise
                self._polls = True
                self._on_polling()

    def _identities(self) -> list[Identity]:
        return [_identity(path) for path in self._paths]


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
