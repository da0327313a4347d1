"""YAML files, ``--set`` assignments, and mappings to a frozen pydantic model, with the origin of every value.

Layers are merged key by key, and later layers win. An unknown key is an error that names the nearest known one. What
the keys mean, this module does not know: it reads them from the model.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import Any, Generic, Literal, NamedTuple, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rag.errors import UsageError
from rag.text import error_line, without_userinfo

__all__ = ["Layer", "SettingsModel", "YamlSettings", "flatten"]

M = TypeVar("M", bound="SettingsModel")
_MAX_BYTES = 2**20


class SettingsModel(BaseModel):
    """A group of settings: frozen, without unknown keys, infinities or NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Layer(NamedTuple):
    """Values from one place. ``origin`` names it: a preset, a file, ``--set``, or ``settings`` in Python."""

    origin: str
    tree: dict[str, Any]


@dataclass(frozen=True)
class YamlSettings(Generic[M]):
    """Reads layers for a model. ``reference`` says where its keys are described, ``example`` is an assignment."""

    model: type[M]
    reference: str
    example: str

    def read(self, origin: str, file: Path | Traversable) -> Layer:
        """Read a YAML file. Raises :class:`~rag.errors.UsageError` unless it holds keys and values."""
        try:
            if isinstance(file, Path) and file.exists() and not file.is_file():  # a pipe has no end
                raise UsageError(f"{origin} cannot be read: it is not a regular file", "check its path")
            with file.open("rb") as stream:
                data = stream.read(_MAX_BYTES + 1)
            if len(data) > _MAX_BYTES:
                raise UsageError(f"{origin} cannot be read: it has more than 1 MiB", "check its path")
            tree = _load_yaml(data.decode()) or {}
        except OSError as error:
            raise UsageError(f"{origin} cannot be read: {error.strerror}", "check its path") from None
        except UnicodeDecodeError:
            raise UsageError(f"{origin} cannot be read: it is not UTF-8", "save it as UTF-8") from None
        except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date
            raise UsageError(f"{origin} is not valid YAML: {error_line(error)}", self.reference) from None
        except RecursionError:
            raise UsageError(f"{origin} is nested too deeply", self.reference) from None
        if not isinstance(tree, dict):
            raise UsageError(f"{origin} holds a {type(tree).__name__}, not keys and values", self.reference)
        return Layer(origin, tree)

    def assignment(self, text: str) -> Layer:
        """Read ``key=value``. Raises :class:`~rag.errors.UsageError` for another form."""
        key, equals, raw = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"--set {text!r} is not of the form key=value", f"for example: --set {self.example}")
        return Layer("--set", {key: _parse(dict(_leaves(self.model)).get(key), raw)})

    def values(self, tree: Mapping[str, object]) -> Layer:
        """Read values from Python, by dotted key or nested; a path stands for its text.

        Raises :class:`~rag.errors.UsageError` for a set, which has no order, a text that is not valid Unicode,
        and a tree that contains itself.
        """
        try:
            flat = flatten(tree)
        except RecursionError:
            raise UsageError("the settings are nested too deeply, or within themselves", self.reference) from None
        for key, value in flat.items():
            if isinstance(value, Set):
                raise UsageError(f"{key} = {_short(value)} (settings): a set has no order", "pass a list")
            if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
                raise UsageError(f"{key} = {_short(value)} (settings): it is not valid Unicode", self.reference)
        return Layer("settings", {key: str(v) if isinstance(v, PurePath) else v for key, v in flat.items()})

    def resolve(self, layers: Sequence[Layer]) -> tuple[M, dict[str, str]]:
        """Merge layers, later ones last. Return the model and the origin of each value by dotted key.

        Raises :class:`~rag.errors.UsageError` for an unknown key or a wrong value.
        """
        known = dict(_leaves(self.model))
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for origin, tree in layers:
            for key, value in flatten(tree).items():
                if value is None and any(name.startswith(f"{key}.") for name in known):
                    continue  # a group with nothing in it
                if key not in known:
                    raise self._unknown_key(key, known, origin)
                if isinstance(value, bool) and _is_number(known[key]):
                    raise UsageError(f"{key} = {value!r} ({origin}): a number is needed", self.reference)
                values[key] = value
                origins[key] = origin
        try:
            return self.model.model_validate(_nest(values)), origins
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            origin = next((origins[name] for name in origins if f"{key}.".startswith(f"{name}.")), layers[0].origin)
            if first["type"] == "extra_forbidden":  # in a list of groups
                raise self._unknown_key(key, known, origin) from None
            if first["type"] == "missing":
                raise UsageError(f"{key} is missing ({origin})", self.reference) from None
            raise UsageError(f"{key} = {_short(first['input'])} ({origin}): {first['msg']}", self.reference) from None

    def _unknown_key(self, key: str, known: Mapping[str, Any], origin: str) -> UsageError:
        leaf = [name for name in known if name.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
        hint = (leaf or near or [None])[0]
        return UsageError(
            f"there is no configuration key {key!r} ({origin})", f"did you mean {hint}?" if hint else self.reference
        )


class _Loader(yaml.SafeLoader):
    """The safe loader, without aliases: a few lines of them stand for a tree without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"*{event.anchor}: aliases are not allowed", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


def _load_yaml(text: str) -> Any:
    """Return the value of a YAML text. Raises ``YAMLError``, ``ValueError`` or ``RecursionError``."""
    value = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    if isinstance(value, dict):
        flatten(value)  # raises for what is nested too deeply
    return value


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of a tree by dotted key. Raises ``RecursionError`` for a tree that contains itself."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, leaf = dotted.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the type of every value of a model. A group may be optional."""
    for name, field in model.model_fields.items():
        types = () if get_origin(field.annotation) is tuple else (field.annotation, *get_args(field.annotation))
        group = next((t for t in types if isinstance(t, type) and issubclass(t, BaseModel)), None)
        if group is None:
            yield f"{prefix}{name}", field.annotation
        else:
            yield from _leaves(group, f"{prefix}{name}.")


def _parse(annotation: Any, raw: str) -> Any:
    """Read a value as its key needs it: text stays text, also ``off``, ``12345678`` and ``query: ``."""
    try:
        value = _load_yaml(raw)
    except (yaml.YAMLError, ValueError, RecursionError):
        return raw  # such as `query: `, 2001-13-45 or [[[[…; the validation rejects it if no text is expected
    types = get_args(annotation)
    needs_text = annotation in (str, Path) or (str in types and get_origin(annotation) is not tuple)
    if get_origin(annotation) is Literal:
        needs_text = isinstance(types[0], str)
    if needs_text and not isinstance(value, str):
        return None if raw == "null" and type(None) in types else raw
    return value


def _is_number(annotation: Any) -> bool:
    types = {annotation, *get_args(annotation)}
    return bool(types & {int, float}) and bool not in types


def _short(value: object) -> str:
    """Return a value as an error shows it: cut, and without a password."""
    text = without_userinfo(repr(value))
    return text if len(text) <= 100 else text[:99] + "…"
