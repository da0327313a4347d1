"""The official SQuAD development sets by name: downloaded once, checked against a pinned SHA-256, stored in a cache.

The checksum of dev-v1.1.json is the entity tag under which Hugging Face serves the file, pinned in the tests of
``huggingface_hub``; that of dev-v2.0.json is pinned in ParlAI (``parlai/tasks/squad2/build.py``). Several independent
projects pin the same checksums for the files of the SQuAD site. A file with other content is refused, because its
figures could not be compared with published ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eval.errors import EvalError
from eval.files import os_reason, read_bytes, write_bytes

__all__ = ["OFFICIAL", "Fetch", "OfficialFile", "default_cache", "official_file"]

Fetch = Callable[[str], bytes]

_SITE = "https://rajpurkar.github.io/SQuAD-explorer/dataset/"
_MAX_BYTES = 64 * 1024 * 1024  # the files have under 5 MB; an endless response must not fill the memory
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """A file of the SQuAD site."""

    name: str
    sha256: str

    @property
    def url(self) -> str:
        """The address of the file."""
        return _SITE + self.name


OFFICIAL = {
    "squad": OfficialFile("dev-v1.1.json", "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9"),
    "squad_v2": OfficialFile("dev-v2.0.json", "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8"),
}


def default_cache() -> Path:
    """Return the user's cache folder for datasets."""
    from platformdirs import user_cache_path

    return user_cache_path("rag-qa") / "datasets"


def official_file(name: str, *, cache: Path | None = None, fetch: Fetch | None = None) -> Path:
    """Return the path of the cached file; download it if it is missing.

    ``name`` is a key of :data:`OFFICIAL`. ``cache`` is a folder, by default the user's. ``fetch`` takes an address and
    returns the content. Raises :class:`~eval.errors.EvalError` if the file cannot be downloaded or has another
    checksum.
    """
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
    except (OSError, ValueError) as error:  # urllib and ssl raise OSError, a truncated response is a ValueError
        raise EvalError(f"{wanted.url} could not be downloaded{damaged}: {error}", supply) from None
    if _digest(content) != wanted.sha256:
        raise EvalError(f"the download from {wanted.url} does not have the official checksum {wanted.sha256}", supply)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as error:
        raise EvalError(f"{path} cannot be written: {os_reason(error)}", supply) from None
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def _download(url: str) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - one of two https addresses above
            content: bytes = response.read(_MAX_BYTES)
    except HTTPException as error:  # a truncated response is none of urllib's OSErrors
        raise ValueError(f"the response ended early: {error!r}") from None
    return content
