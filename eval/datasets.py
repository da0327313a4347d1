"""Questions with their gold answers: JSON in SQuAD's format (v1.1, v2.0 and compatible), your own JSONL, and BEIR.

Files are read strictly: a missing key or a wrong type is an :class:`~eval.errors.EvalError` that names the key and the
place, and no row is dropped silently. Keys that SQuAD does not define are ignored. The module knows nothing of
predictions, and nothing of how paragraphs become an index.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from eval.errors import EvalError
from eval.files import decode, is_text, parse_json, read_bytes
from eval.squad_download import OFFICIAL, Fetch, official_file

__all__ = ["SMALL_TALK", "Dataset", "Paragraph", "Question", "Version", "corpus_sha256", "load_dataset", "sample"]

Version = Literal["1.1", "2.0", "jsonl", "beir"]
SMALL_TALK = "chat"
T = TypeVar("T")

_NAMES = " or ".join(f"`{name}`" for name in OFFICIAL)
_REMEDY = "correct the file; docs/evaluation.md shows both formats"


@dataclass(frozen=True, slots=True)
class Question:
    """A question. Without ``answers``, the documents do not answer it.

    ``starts`` are the character offsets of the answers in the paragraph (-1 if the answer does not occur in it), empty
    for JSONL. ``paragraph`` is an index into ``Dataset.paragraphs``, None for JSONL. ``source`` names the document with
    the answer, if known.

    ``kind`` names the kind of the question, such as ``table_cell``; a question with a kind or with parts gets a verdict
    (:mod:`eval.verdicts`). ``parts`` are the pieces of its answer, each with its acceptable wordings. ``history`` holds
    the earlier turns of the conversation as (question, answer). ``relevant`` holds judged documents with their grades,
    relevant from 1 on; with it, ``source`` is None.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...] = ()
    paragraph: int | None = None
    source: str | None = None
    kind: str = ""
    parts: tuple[tuple[str, ...], ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    relevant: tuple[tuple[str, int], ...] = ()

    @property
    def has_verdict(self) -> bool:
        """Whether answers to it are judged. Small talk, of the kind ``chat``, has no right answer."""
        return bool(self.kind or self.parts) and self.kind != SMALL_TALK


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text with questions about it. ``source`` is unique in the dataset and safe as a relative file path.

    ``id`` is the name of the document in the dataset, empty if it has none but ``source``.
    """

    source: str
    title: str
    text: str
    id: str = ""


@dataclass(frozen=True)
class Dataset:
    """Questions in the order of the file.

    ``sha256`` is the digest of the file. ``misplaced`` counts answers that do not occur in their paragraph.
    """

    name: str
    version: Version
    sha256: str
    questions: tuple[Question, ...]
    paragraphs: tuple[Paragraph, ...]
    misplaced: int = 0

    @property
    def has_unanswerable(self) -> bool:
        """Whether any question has no answer."""
        return any(not question.answers for question in self.questions)

    @property
    def official(self) -> bool:
        """Whether the file has SQuAD's format, and so an official script."""
        return self.version in ("1.1", "2.0")


def load_dataset(
    name_or_path: str | Path, *, split: str | None = None, cache: Path | None = None, fetch: Fetch | None = None
) -> Dataset:
    """Read ``squad``, ``squad_v2`` (:mod:`eval.squad_download`), a SQuAD-format .json, a .jsonl file, or a BEIR folder.

    ``split`` names the judgments of a BEIR folder (:mod:`eval.beir`). ``cache`` is the folder for downloads, by default
    the user's. ``fetch`` takes an address and returns the content, or raises ``OSError``. Raises
    :class:`~eval.errors.EvalError` for a file that is missing or invalid.
    """
    from eval.beir import read_beir
    from eval.squad_format import squad_dataset

    name = str(name_or_path)
    if name not in OFFICIAL and Path(name_or_path).is_dir():
        dataset = read_beir(Path(name_or_path), split)
        _require_valid(dataset, Path(name_or_path))
        return dataset
    if split is not None:
        raise EvalError(f"{name} is one file and has no splits", "leave --split out, or name a BEIR folder")
    path = official_file(name, cache=cache, fetch=fetch) if name in OFFICIAL else Path(name_or_path)
    suffix = path.suffix.lower()
    if suffix not in {".json", ".jsonl"}:
        raise EvalError(
            f"{name} is not a dataset",
            f"name a .json file in SQuAD's format, a .jsonl file, a BEIR folder, or {_NAMES}",
        )
    content = read_bytes(path, f"name an existing file, or {_NAMES}")
    text = decode(content, str(path), "save it as UTF-8")
    if suffix == ".json":
        dataset = squad_dataset(parse_json(text, str(path), _REMEDY), str(path))
    else:
        dataset = Dataset("", "jsonl", "", _jsonl(text, path), ())
    _require_valid(dataset, path)
    return replace(dataset, name=path.stem, sha256=hashlib.sha256(content).hexdigest())


def sample(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    """Return ``limit`` questions drawn by the seed, in the order of the file; all of them if the limit is None.

    The shares of answerable and unanswerable questions are preserved (largest remainder), and a smaller sample with the
    same seed is a subset of a larger one. A hash of seed and id decides, so that neither a NumPy release nor the order
    of the file changes the draw. All paragraphs remain: searching them does not become easier. Raises
    :class:`~eval.errors.EvalError` for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise EvalError(f"a sample of {limit} questions is empty", "give a limit of 1 or more")
    total = len(dataset.questions)
    if limit is None or limit >= total:
        return dataset
    strata = [[q for q in dataset.questions if q.answers], [q for q in dataset.questions if not q.answers]]
    # With two strata, the largest remainder is rounding to the nearest; a half goes to the answerable questions.
    answerable = (2 * limit * len(strata[0]) + total) // (2 * total)
    drawn = {
        question.id
        for questions, count in zip(strata, (answerable, limit - answerable), strict=True)
        for question in sorted(questions, key=lambda question: _draw(seed, question.id))[:count]
    }
    return replace(dataset, questions=tuple(q for q in dataset.questions if q.id in drawn))


def corpus_sha256(dataset: Dataset) -> str:
    """Return a digest of the paragraphs alone: it is the same for every sample, so samples can share an index."""
    digest = hashlib.sha256()
    for paragraph in dataset.paragraphs:
        parts = (paragraph.source, paragraph.title, paragraph.text)
        digest.update(json.dumps(parts, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _draw(seed: int, identity: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{identity}".encode()).digest()


def _jsonl(text: str, path: Path) -> tuple[Question, ...]:
    # Not splitlines(): in JSON, U+2028 and similar characters do not end a line.
    lines = enumerate(text.split("\n"), start=1)
    return tuple(_jsonl_question(line, number, f"{path}, line {number}") for number, line in lines if line.strip())


def _jsonl_question(line: str, number: int, where: str) -> Question:
    row = parse_json(line, where, _REMEDY, unique_keys=True)
    if not isinstance(row, dict):
        raise EvalError(f"{where} is not an object", _REMEDY)
    answers = _jsonl_answers(row, where)
    if row.get("answerable", bool(answers)) is not bool(answers):
        raise EvalError(f'{where}: "answerable" contradicts "answers"', "leave it out, or correct one of the two")
    return Question(
        _jsonl_text(row, "id", where) if row.get("id") is not None else f"line-{number}",
        _jsonl_text(row, "question", where),
        answers,
        source=None if row.get("source") is None else _jsonl_text(row, "source", where),
        kind="" if row.get("kind") is None else _jsonl_text(row, "kind", where),
        parts=tuple(_texts(part, "parts", where) for part in _list(row, "parts", where)),
        history=tuple(_turn(turn, where) for turn in _list(row, "history", where)),
    )


def _list(row: dict[str, Any], key: str, where: str) -> list[Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise EvalError(f'{where}: "{key}" must be a list, not {value!r}', _REMEDY)
    return value or []


def _texts(value: object, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(is_text(item) and item.strip() for item in value):
        raise EvalError(f'{where}: "{key}" must hold lists of non-blank texts, not {value!r}', _REMEDY)
    return tuple(value)


def _turn(value: object, where: str) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise EvalError(f'{where}: "history" must hold objects with "question" and "answer", not {value!r}', _REMEDY)
    answer = value.get("answer") or ""
    if not is_text(answer):
        raise EvalError(f'{where}: the "answer" of an earlier turn must be a text, not {answer!r}', _REMEDY)
    return _jsonl_text(value, "question", where), str(answer)


def _jsonl_text(row: dict[str, Any], key: str, where: str) -> str:
    if key not in row:
        raise EvalError(f'{where}: "{key}" is missing', _REMEDY)
    value = row[key]
    if key == "id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # prediction files are keyed by strings, and JSON's keys always are
    if not is_text(value) or not value.strip():
        raise EvalError(f'{where}: "{key}" must be a non-blank text, not {value!r}', _REMEDY)
    return str(value)


def _jsonl_answers(row: dict[str, Any], where: str) -> tuple[str, ...]:
    if "answers" not in row:
        raise EvalError(f'{where}: "answers" is missing', "add it; an empty list means that there is no answer")
    answers = [row["answers"]] if isinstance(row["answers"], str) else row["answers"]
    if not isinstance(answers, list) or not all(is_text(answer) and answer.strip() for answer in answers):
        message = f'{where}: "answers" must be a non-blank text or a list of them, not {row["answers"]!r}'
        raise EvalError(message, "use an empty list if there is no answer")
    return tuple(answers)


def _require_valid(dataset: Dataset, path: Path) -> None:
    if not dataset.questions:
        raise EvalError(f"{path} has no questions", "name a dataset with at least one")
    seen: set[str] = set()
    for question in dataset.questions:
        if question.id in seen:
            raise EvalError(f"{path}: two questions have the id {question.id!r}", "give each question its own id")
        seen.add(question.id)
