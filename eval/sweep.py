"""A sweep: which settings to try, and which results no other one beats.

A sweep file is YAML with ``dataset`` and ``grid`` (every combination of the values of its keys) or ``points`` (a list
of settings), or both. The module expands and ranks settings; it does not know what their keys mean.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.errors import SweepError
from eval.files import os_reason

__all__ = ["Point", "Sweep", "pareto", "parse_sweep", "read_sweep", "sweep_settings"]

_KEYS = ("name", "dataset", "mode", "limit", "seed", "config", "set", "grid", "points")
_REMEDY = "see docs/evaluation.md for the format of a sweep"
_MAX_POINTS = 1000  # each is a run
_MODES = ("open", "gold", "closed-book")


@dataclass(frozen=True)
class Point:
    """One combination of settings, by dotted key."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A sweep. ``common`` settings apply to every point."""

    name: str
    dataset: str
    mode: str
    limit: int | None
    seed: int
    config: str
    common: dict[str, Any] = field(default_factory=dict)
    points: tuple[Point, ...] = ()


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file. Raises :class:`~eval.errors.SweepError`, which names the invalid key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{path} cannot be read: {os_reason(error)}", "check the path") from None
    return parse_sweep(text, str(path), path.stem)


def parse_sweep(
    text: str,
    where: str,
    stem: str,
    form: Mapping[str, Any] | None = None,
    check: Callable[[Mapping[str, Any]], object] | None = None,
) -> Sweep:
    """Read the text of a sweep file. ``where`` names it in errors, ``stem`` names the sweep if the text does not.

    ``form`` holds keys that were chosen elsewhere; the text must not repeat them. ``check`` gets the settings of every
    point and may raise an error of its own. Raises :class:`~eval.errors.SweepError`, which names the invalid key.
    """
    tree = _tree(text, where, form or {})
    points, common = _points(tree, where), _settings(tree.get("set"), f"{where}: set")
    for point in points:
        if check is not None:
            check(common | point.settings)
    if len(points) < 2:
        listed = f"only {points[0].name!r}" if points else "nothing"
        raise SweepError(f"{where} has {listed} to try, and a sweep compares at least two points", _REMEDY)
    return Sweep(
        name=str(tree.get("name") or stem),
        dataset=tree["dataset"],
        mode=tree["mode"],
        limit=_whole(tree, "limit", where),
        seed=_whole(tree, "seed", where) or 0,
        config=str(tree.get("config") or "cpu"),
        common=common,
        points=tuple(points),
    )


def _tree(text: str, where: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the text and the form, checked but for the settings."""
    tree = _parse_yaml(text, where)
    known = [key for key in _KEYS if key not in form]
    unknown = [key for key in tree if key not in known]
    if unknown:
        raise SweepError(f"{where}: there is no key {unknown[0]!r}", f"the keys are {', '.join(known)}")
    tree = {"mode": "open", **tree, **form}
    if not isinstance(tree.get("dataset"), str):
        raise SweepError(f"{where}: dataset must be a name or a path", _REMEDY)
    if tree["mode"] not in _MODES:
        raise SweepError(f"{where}: mode is {tree['mode']!r}", f"choose one of {', '.join(_MODES)}")
    return tree


def _parse_yaml(text: str, where: str) -> dict[Any, Any]:
    import yaml

    try:
        tree = _load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a value that looks like a date and is none
        raise SweepError(f"{where} is not YAML: {' '.join(str(error).split())}", _REMEDY) from None
    except RecursionError:
        raise SweepError(f"{where} is nested too deeply, or contains itself", _REMEDY) from None
    if not isinstance(tree, dict):
        raise SweepError(f"{where} holds no keys", _REMEDY)
    return tree


def pareto(rows: Sequence[Mapping[str, float]], *, more: Sequence[str], less: Sequence[str]) -> list[bool]:
    """Return for each row whether no other row is at least as good in every column and better in one.

    In the columns ``more`` a higher value is better, in ``less`` a lower one.
    """

    def beats(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
        gains = [a[name] - b[name] for name in more] + [b[name] - a[name] for name in less]
        return all(gain >= 0 for gain in gains) and any(gain > 0 for gain in gains)

    return [not any(beats(other, row) for other in rows) for row in rows]


def _load_yaml(text: str) -> Any:
    """Read YAML without aliases and without repeated keys, of which YAML would silently use the last one."""
    import yaml

    class Strict(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):  # a few lines of them stand for a tree without end
                event = self.get_event()  # type: ignore[no-untyped-call]
                problem = f"*{event.anchor}: aliases are not allowed"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
            return super().compose_node(parent, index)

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        repeated = next((key for key in keys if keys.count(key) > 1), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {repeated!r} is repeated", node.start_mark)
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return yaml.load(text, Strict)  # noqa: S506 - a safe loader


def _points(tree: Mapping[str, Any], where: str) -> list[Point]:
    """Return the listed points, then every combination of the grid."""
    listed = tree.get("points") or []
    if not isinstance(listed, list):
        raise SweepError(f"{where}: points must be a list", _REMEDY)
    grid = _settings(tree.get("grid"), f"{where}: grid")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise SweepError(f"{where}: grid.{key} must be a list of values", _REMEDY)
    count = len(listed) + (math.prod(map(len, grid.values())) if grid else 0)
    if count > _MAX_POINTS:
        raise SweepError(
            f"{where} has {count:,} settings to try", f"remove values: at most {_MAX_POINTS:,} are allowed"
        )
    points = []
    for number, item in enumerate(listed):
        settings = _settings(item, f"{where}: points[{number}]")
        name = settings.pop("name", None)
        points.append(Point(str(name or _point_name(settings) or "as configured"), settings))
    if grid:
        combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        points += [Point(_point_name(settings), settings) for settings in combinations]
    _require_valid(points, where)
    return points


def _require_valid(points: Sequence[Point], where: str) -> None:
    names = Counter(point.name for point in points)
    for point in points:
        try:
            json.dumps(point.settings, default=str)
        except (TypeError, ValueError):  # a key that is not a text, a list that contains itself
            raise SweepError(f"{where}: {point.name!r} has a value that no setting can have", _REMEDY) from None
        if names[point.name] > 1:
            raise SweepError(f"{where}: two points are called {point.name!r}", "give each point a name of its own")


def _settings(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SweepError(f"{where} must be settings, key: value", _REMEDY)
    return dict(value)


def _whole(tree: Mapping[str, Any], key: str, where: str) -> int | None:
    value = tree.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (key == "limit" and value == 0):
        raise SweepError(f"{where}: {key} is {value!r}", "give a whole number")
    return value


def _point_name(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in settings.items())


def sweep_settings(points: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, object]]:
    """Return the keys of settings that vary, in order of appearance, and the constant settings with their values."""
    keys = list(dict.fromkeys(str(key) for point in points for key in point.get("settings") or {}))
    values = {key: [(point.get("settings") or {}).get(key) for point in points] for key in keys}
    varying = [key for key in keys if any(repr(value) != repr(values[key][0]) for value in values[key])]
    return varying, {key: values[key][0] for key in keys if key not in varying}
