"""What ``rag ui`` was started with, for every script run of this process. It knows no widgets and no models."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

__all__ = ["UiSettings", "current", "use"]


@dataclass(frozen=True)
class UiSettings:
    """The index asked first, further collections beside it, the configuration, and where the page keeps its own data.

    ``state`` holds chats, feedback and uploaded documents; it is a folder beside the index unless given. ``oidc`` asks
    everybody to log in with the OpenID provider of Streamlit's secrets. Files of this machine may be named only inside
    the folders ``paths``. An upload may have ``upload_mb`` mebibytes, as Streamlit counts, and ten times that together
    with those of the same drop.
    """

    index: Path = Path(".rag")
    config: str = "cpu"
    assignments: tuple[str, ...] = ()
    runs: Path = Path("runs")
    state_folder: Path | None = None
    upload_mb: int = 200
    upload_files: int = 200
    oidc: bool = False
    paths: tuple[Path, ...] = ()

    @property
    def state(self) -> Path:
        """The folder of what the page itself keeps."""
        return self.state_folder or self.index.absolute().parent / f"{self.index.name}-ui"

    def may_name(self, path: Path) -> bool:
        """Return whether a path, with its links followed, lies in one of the folders that may be named."""
        try:
            found = path.resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return any(found.is_relative_to(folder) for folder in self.paths)

    @property
    def evaluations(self) -> Path:
        """The folder of requests for evaluations."""
        return self.state / "evaluations"


_current = UiSettings()


def current() -> UiSettings:
    """Return the settings of this process."""
    return _current


def use(settings: UiSettings) -> UiSettings:
    """Set them: once by the server, by tests as often as they like. Returns what is now in use, paths made absolute."""
    global _current  # noqa: PLW0603 - one server per process is Streamlit's own rule
    _current = dataclasses.replace(
        settings,
        index=settings.index.absolute(),
        runs=settings.runs.absolute(),
        state_folder=settings.state.absolute(),
        paths=tuple(path.resolve() for path in settings.paths),
    )
    return _current
