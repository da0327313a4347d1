"""Documents by name, as people write names: paths, folders, patterns, the wrong case, names with brackets.

A name is looked up in these steps, and the first one that finds something decides:

1. the name of a document, or of a folder: everything below it
2. a pattern of ``*`` and ``?``, in which brackets are only characters
3. a pattern with sets such as ``[a-z]`` or ``[!0-9]``
4. the same three without regard to case and to the form of accents

Each step tries the text as it is written, then with ``/`` for ``\\``, then as a path: ``./`` and ``..`` are resolved,
an absolute path below the folder of the index becomes relative, and a relative one may be relative to the working
folder. An address (``https://…``) is never taken for a path.
"""

from __future__ import annotations

import difflib
import posixpath
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import translate
from functools import cached_property
from pathlib import Path, PurePosixPath

from rag.errors import InputError
from rag.ingestion.discovery import source_name
from rag.ingestion.web.urls import is_url, normal_url

__all__ = ["SourceNames"]

_MAX_SHOWN = 10
_MAX_COMPARED = 5_000  # names that are compared letter by letter
_WILDCARD = re.compile(r"[*?\[]")


class SourceNames:
    """The names of the documents of an index. ``root`` is the folder that contains the index."""

    def __init__(self, names: Iterable[str], root: Path) -> None:
        self._names = sorted(names)
        self._root = root
        self._exact = _Lookup([(name, name) for name in self._names])

    @cached_property
    def _folded(self) -> _Lookup:
        return _Lookup(sorted((_fold(name), name) for name in self._names))

    def matching(self, text: str, *, any_case: bool = True) -> list[str]:
        """Return the names that a text stands for, sorted; see the module. ``any_case`` False leaves out step 4."""
        forms = list(dict.fromkeys(self._forms(text)))
        found = _first_found(self._exact, forms)
        if found or not any_case:
            return sorted(found)
        return sorted(_first_found(self._folded, list(dict.fromkeys(map(_fold, forms)))))

    def one(self, text: str) -> str:
        """Return the one document that is named by its name, its path, or the end of it.

        Raises :class:`~rag.errors.InputError` if there is none or there are several.
        """
        for form in self._forms(text):
            if form in self._exact.names:
                return form
        ending = text.replace("\\", "/").removeprefix("./")
        found = [name for name in self._names if name.endswith(f"/{ending}")]
        found = found or [name for name in self._names if name.endswith(ending)]
        if len(found) > 1:
            more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
            listed = f"{', '.join(found[:_MAX_SHOWN])}{more}"
            raise InputError(f"{len(found)} documents end in {text}: {listed}", "give more of the name")
        if not found:
            near = self.near(text)
            remedy = f"similar names: {', '.join(near)}" if near else "run `rag documents list` for the names"
            raise InputError(f"the index has no document {text}", remedy)
        return found[0]

    def near(self, text: str, most: int = 3) -> list[str]:
        """Return names of documents and folders (these with a slash) like a text that matches nothing, best first."""
        wanted = _fold(text.replace("\\", "/").rstrip("/")).strip("*?")
        last = PurePosixPath(wanted).name
        if not last:
            return []
        known = {name: _fold(name) for name in [*self._names, *self._folders()]}
        groups = [
            [name for name, folded in known.items() if folded.rstrip("/").endswith(f"/{wanted.lstrip('./')}")],
            [name for name, folded in known.items() if PurePosixPath(folded).name == last],
            [name for name, folded in known.items() if last in PurePosixPath(folded).name],
        ]
        found = [name for group in groups for name in group]
        if not found:
            by_last: dict[str, str] = {}
            for name, folded in known.items():
                by_last.setdefault(PurePosixPath(folded).name, name)
            found = [by_last[name] for name in difflib.get_close_matches(last, list(by_last)[:_MAX_COMPARED], most)]
        return list(dict.fromkeys(found))[:most]

    def _folders(self) -> list[str]:
        parents = {f"{parent}/" for name in self._names if "://" not in name for parent in PurePosixPath(name).parents}
        return sorted(parents - {"./", "//"})

    def _forms(self, text: str) -> Iterator[str]:
        """Yield what a text may mean, in the order in which it is tried."""
        yield text
        if is_url(text) and not _WILDCARD.search(text.partition("?")[0]):
            with suppress(InputError):
                yield normal_url(text)
        if "://" in text:
            return
        slashes = text.replace("\\", "/")
        yield slashes
        as_path = self._as_path(slashes)
        if slashes.startswith(("./", "../")) and as_path is not None:
            yield as_path
        yield _relative(posixpath.normpath(slashes))
        if as_path is not None:
            yield as_path

    def _as_path(self, text: str) -> str | None:
        """Return a path's name in the index, None for an impossible path."""
        try:
            return _relative(source_name(Path(text), self._root))
        except (OSError, RuntimeError, ValueError):  # too long, a circle of links, a null byte
            return None


class _Lookup:
    """Pairs of a key and a name, sorted by key."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._keys = [key for key, _ in pairs]
        self._values = [name for _, name in pairs]
        self.names = set(self._keys)

    def named(self, key: str) -> list[str]:
        """Return what has this key, or is below it as a folder. The empty key is the folder of all relative names."""
        if key == "":
            return [
                name for key, name in zip(self._keys, self._values, strict=True) if key[:1] != "/" and "://" not in key
            ]
        found = self._between(key, f"{key}\0") if key in self.names else []
        folder = key.rstrip("/")
        return found or self._between(f"{folder}/", f"{folder}0")  # "0" is the next character after "/"

    def like(self, pattern: str) -> list[str]:
        """Return what matches a pattern in the syntax of :mod:`fnmatch`."""
        wildcard = _WILDCARD.search(pattern)
        start = pattern[: wildcard.start()] if wildcard else pattern
        first = bisect_left(self._keys, start)
        matches = re.compile(translate(pattern)).match  # atomic groups: no pattern takes exponential time
        found = []
        for place in range(first, len(self._keys)):
            if not self._keys[place].startswith(start):
                break
            if matches(self._keys[place]):
                found.append(self._values[place])
        return found

    def _between(self, first: str, last: str) -> list[str]:
        return self._values[bisect_left(self._keys, first) : bisect_left(self._keys, last)]


def _first_found(lookup: _Lookup, forms: list[str]) -> list[str]:
    for form in forms:
        if found := lookup.named(form):
            return found
    for form in forms:
        if ("*" in form or "?" in form) and (found := lookup.like(form.replace("[", "[[]"))):
            return found
    for form in forms:
        if "[" in form and (found := lookup.like(form.replace("[^", "[!"))):
            return found
    return []


def _relative(name: str) -> str:
    return "" if name == "." else name


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
