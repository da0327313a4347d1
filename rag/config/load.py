"""Loading a configuration: the defaults, then a preset or a file and what it extends, then single settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rag.config.schema import Config
from rag.config.yaml_settings import Layer, YamlSettings, flatten
from rag.errors import UsageError

__all__ = ["Resolved", "Settings", "load_config", "preset_names"]

Settings = Mapping[str, object] | str | Iterable[str]

DEFAULT_PRESET = "cpu"

_SETTINGS = YamlSettings(Config, "run `rag config show` for every key and its value", "retrieval.k=8")


@dataclass(frozen=True)
class Resolved:
    """A configuration, the name that it was loaded by, and the origin of every value by dotted key."""

    config: Config
    name: str
    origins: Mapping[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (dotted key, value, origin), in the tree's order."""
        values = flatten(self.config.model_dump(mode="json"))
        return [(key, value, self.origins.get(key, "default")) for key, value in values.items()]


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the project."""
    return sorted(Path(str(p)).stem for p in files("configs").iterdir() if str(p).endswith(".yaml"))


def load_config(name: str | Path = DEFAULT_PRESET, settings: Settings = ()) -> Resolved:
    """Resolve a preset name or a YAML file, then settings: ``{"retrieval.k": 8}``, or one or several ``key=value``.

    Raises :class:`~rag.errors.UsageError` for an unknown preset or key, a missing file, or a value of the wrong type.
    """
    if not isinstance(name, str | Path):
        raise UsageError(
            f"the configuration is {name!r:.100}", "pass the name of a preset, or the path of a .yaml file"
        )
    config, origins = _SETTINGS.resolve([*_layers(str(name), ()), *_settings_layers(settings)])
    return Resolved(config, str(name), origins)


def _settings_layers(settings: Settings) -> list[Layer]:
    if isinstance(settings, Mapping):
        return [_SETTINGS.values(settings)]
    texts = [settings] if isinstance(settings, str) else settings
    if not isinstance(texts, Iterable):
        raise UsageError(f"the settings are {settings!r:.100}", 'pass {"retrieval.k": 8} or ["retrieval.k=8"]')
    layers = []
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"the setting {text!r:.100} is not a text", 'pass {"retrieval.k": 8} or ["retrieval.k=8"]')
        layers.append(_SETTINGS.assignment(text))
    return layers


def _layers(name: str, seen: tuple[str, ...]) -> list[Layer]:
    """Return the layers of a preset or file, its ancestors first."""
    is_preset = name in preset_names()
    try:
        identity = name if is_preset else str(Path(name).resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a link to itself
        raise UsageError(f"{name!r:.100} is not a possible path", "name a preset or a .yaml file") from None
    if identity in seen:
        raise UsageError(
            f"{' -> '.join((*seen, identity))}: configurations extend each other in a circle", "remove one `extends`"
        )
    if is_preset:
        layer = _SETTINGS.read(f"preset {name}", files("configs").joinpath(f"{name}.yaml"))
    elif name.endswith((".yaml", ".yml")):
        layer = _SETTINGS.read(f"file {name}", Path(name))
    else:
        raise UsageError(
            f"there is no preset {name!r}", f"choose one of {', '.join(preset_names())}, or name a .yaml file"
        )
    parent = layer.tree.pop("extends", None)
    if not parent:
        return [layer]
    if not is_preset and str(parent).endswith((".yaml", ".yml")):
        parent = Path(name).parent / str(parent)  # relative to the file that names it
    return [*_layers(str(parent), (*seen, identity)), layer]
