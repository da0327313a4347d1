"""Source code: the unchanged text. The media type names the language, so that chunks can begin at definitions."""

from __future__ import annotations

from pathlib import PurePath

from rag.ingestion.loaders.text import decode
from rag.types import Document, Section

__all__ = ["CODE_SUFFIXES", "LANGUAGES", "language_of_script", "load_code"]

_PREFIX = "text/x-"
CODE_SUFFIXES = {
    ".py": "python", ".pyi": "python", ".js": "js", ".mjs": "js", ".jsx": "js", ".ts": "ts", ".tsx": "ts",
    ".java": "java", ".kt": "kotlin", ".scala": "scala", ".go": "go", ".rs": "rust", ".c": "c", ".h": "c",
    ".cpp": "cpp", ".cc": "cpp", ".hpp": "cpp", ".cs": "csharp", ".swift": "swift", ".php": "php", ".rb": "ruby",
    ".pl": "perl", ".lua": "lua", ".r": "r", ".hs": "haskell", ".ex": "elixir", ".ps1": "powershell",
    ".proto": "proto", ".sol": "sol", ".cob": "cobol", ".sh": "shell", ".bash": "shell", ".sql": "sql",
    ".css": "css", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".ini": "ini",
}  # fmt: skip
LANGUAGES = tuple(sorted(set(CODE_SUFFIXES.values())))
"""The languages of source code, by langchain's name if it knows them."""

_PROGRAMS = {
    "python": "python", "node": "js", "ruby": "ruby", "perl": "perl", "lua": "lua", "sh": "shell", "bash": "shell",
    "dash": "shell", "zsh": "shell", "Rscript": "r", "php": "php",
}  # fmt: skip


def load_code(data: bytes, source: str) -> Document:
    """Read source code as one section, titled by its file name."""
    path = PurePath(source)
    text = decode(data)
    language = CODE_SUFFIXES.get(path.suffix.lower()) or language_of_script(text) or "code"
    return Document(source, _PREFIX + language, path.name, text, (Section(0, len(text)),))


def language_of_script(text: str) -> str | None:
    """Return the language that a first line such as ``#!/usr/bin/env python3`` names."""
    first = text[:200].partition("\n")[0]
    words = [PurePath(word).name for word in first.removeprefix("#!").split() if not word.startswith("-")]
    if not first.startswith("#!") or not words:
        return None
    program = words[1] if words[0] == "env" and len(words) > 1 else words[0]
    return next((language for name, language in _PROGRAMS.items() if program.startswith(name)), None)
