"""A sweep: which settings to try, and which of them nothing beats.

A sweep file is YAML with ``dataset`` and either ``grid`` (every combination of the values of its keys) or ``points`` (a
list of settings), or both. What the keys mean is the caller's affair: this module expands and ranks.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.errors import EvalError

__all__ = ["Point", "Sweep", "pareto", "read_sweep"]

_KEYS = ("name", "dataset", "mode", "limit", "seed", "config", "set", "grid", "points")
_MODES = ("open", "gold", "closed-book")


@dataclass(frozen=True)
class Point:
    """One combination: ``settings`` by dotted key."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read. ``common`` are the settings of every point."""

    name: str
    dataset: str
    mode: str
    limit: int | None
    seed: int
    config: str
    common: dict[str, Any] = field(default_factory=dict)
    points: tuple[Point, ...] = ()


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file. Raises :class:`~eval.errors.EvalError` that names the key at fault."""
    import yaml

    remedy = "see docs/evaluation.md for the form of a sweep"
    try:
        tree = _load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EvalError(f"{path} cannot be read: {error}", "check the path") from None
    except yaml.YAMLError as error:
        raise EvalError(f"{path} is not YAML: {' '.join(str(error).split())}", remedy) from None
    if not isinstance(tree, dict):
        raise EvalError(f"{path} holds no keys", remedy)
    unknown = [key for key in tree if key not in _KEYS]
    if unknown:
        raise EvalError(f"{path}: there is no key {unknown[0]!r}", f"the keys are {', '.join(_KEYS)}")
    if not isinstance(tree.get("dataset"), str):
        raise EvalError(f"{path}: dataset must name one", remedy)
    mode = tree.get("mode", "open")
    if mode not in _MODES:
        raise EvalError(f"{path}: mode is {mode!r}", f"choose one of {', '.join(_MODES)}")
    points = _points(tree, path, remedy)
    return Sweep(
        name=str(tree.get("name") or path.stem),
        dataset=tree["dataset"],
        mode=mode,
        limit=_whole(tree, "limit", path),
        seed=_whole(tree, "seed", path) or 0,
        config=str(tree.get("config") or "cpu"),
        common=_settings(tree.get("set"), f"{path}: set", remedy),
        points=tuple(points),
    )


def pareto(rows: Sequence[Mapping[str, float]], *, more: Sequence[str], less: Sequence[str]) -> list[bool]:
    """Tell of each row whether no other is at least as good in every column and better in one."""

    def beats(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
        gains = [a[name] - b[name] for name in more] + [b[name] - a[name] for name in less]
        return all(gain >= 0 for gain in gains) and any(gain > 0 for gain in gains)

    return [not any(beats(other, row) for other in rows) for row in rows]


def _load_yaml(text: str) -> Any:
    """Read YAML in which no mapping names a key twice: the later would silently replace half of a grid."""
    import yaml

    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is there twice", node.start_mark)
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return yaml.load(text, Strict)  # noqa: S506 - a safe loader


def _points(tree: Mapping[str, Any], path: Path, remedy: str) -> list[Point]:
    points = []
    listed = tree.get("points") or []
    if not isinstance(listed, list):
        raise EvalError(f"{path}: points must be a list", remedy)
    for number, item in enumerate(listed, start=1):
        settings = _settings(item, f"{path}: points[{number - 1}]", remedy)
        name = settings.pop("name", None)
        points.append(Point(str(name or _named(settings) or "as configured"), settings))
    grid = _settings(tree.get("grid"), f"{path}: grid", remedy)
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise EvalError(f"{path}: grid.{key} must be a list of values", remedy)
    if grid:
        for values in itertools.product(*grid.values()):
            settings = dict(zip(grid, values, strict=True))
            points.append(Point(_named(settings), settings))
    if len(points) < 2:
        raise EvalError(f"{path} has {len(points)} settings to try, and a sweep compares at least two", remedy)
    names = [point.name for point in points]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EvalError(f"{path}: two points are called {twice!r}", "give each a name of its own")
    return points


def _settings(value: Any, where: str, remedy: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise EvalError(f"{where} must hold settings, key: value", remedy)
    return dict(value)


def _whole(tree: Mapping[str, Any], key: str, path: Path) -> int | None:
    value = tree.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (key == "limit" and value == 0):
        raise EvalError(f"{path}: {key} is {value!r}", "give a whole number")
    return value


def _named(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in settings.items())
