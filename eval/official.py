"""The official SQuAD development sets by name: downloaded once, checked against a pinned SHA-256, kept in a cache.

Where the checksums come from: that of dev-v1.1.json is the entity tag under which Hugging Face serves the file, pinned
in ``huggingface_hub``'s tests; that of dev-v2.0.json is pinned in ParlAI (``parlai/tasks/squad2/build.py``). Both were
found again in several independent projects that pin the files of the explorer's site. A file of other content is
refused, for figures on it could not be compared with anybody's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eval.errors import EvalError
from eval.reading import read_bytes

__all__ = ["OFFICIAL", "Fetch", "OfficialFile", "default_cache", "official_file"]

Fetch = Callable[[str], bytes]

_SITE = "https://rajpurkar.github.io/SQuAD-explorer/dataset/"
_LIMIT = 64 * 1024 * 1024  # the files have under 5 MB; a page without end must not fill the memory
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """A file of SQuAD's site."""

    name: str
    sha256: str

    @property
    def url(self) -> str:
        """Where the file is published."""
        return _SITE + self.name


OFFICIAL = {
    "squad": OfficialFile("dev-v1.1.json", "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9"),
    "squad_v2": OfficialFile("dev-v2.0.json", "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8"),
}


def default_cache() -> Path:
    """Return the user's cache folder for data sets."""
    from platformdirs import user_cache_path

    return user_cache_path("rag-qa") / "datasets"


def official_file(name: str, *, cache: Path | None = None, fetch: Fetch | None = None) -> Path:
    """Return the path of the cached file, downloading it if it is not there. ``name`` is a key of :data:`OFFICIAL`."""
    wanted = OFFICIAL[name]
    folder = default_cache() if cache is None else cache
    path = folder / wanted.name
    supply = f"supply the file: `rag eval /path/to/{wanted.name}`, or put the official one at {path}"
    damaged = ""
    if path.exists():
        if _digest(read_bytes(path, supply)) == wanted.sha256:
            return path
        damaged = f" (the copy at {path} does not have the official checksum)"
    if _offline():
        raise EvalError(f"{name} is not in the cache{damaged}, and HF_HUB_OFFLINE forbids downloading it", supply)
    try:
        content = (fetch or _download)(wanted.url)
    except (OSError, ValueError) as error:  # urllib's and ssl's errors are OSErrors, a cut answer a ValueError
        raise EvalError(f"{wanted.url} could not be downloaded{damaged}: {error}", supply) from None
    if _digest(content) != wanted.sha256:
        raise EvalError(f"what {wanted.url} sent does not have the official checksum {wanted.sha256}", supply)
    _keep(content, path, supply)
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def _download(url: str) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - one of two https addresses above
            content: bytes = answer.read(_LIMIT)
    except HTTPException as error:  # an answer cut short is none of urllib's OSErrors
        raise ValueError(f"the answer broke off: {error!r}") from None
    return content


def _keep(content: bytes, path: Path, remedy: str) -> None:
    """Put the file there whole or not at all: another process may be reading or writing the same one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EvalError(f"{path} cannot be written: {error.strerror or error}", remedy) from None
