"""BEIR folders: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, read and written (Thakur et al. 2021).

A line of the corpus is ``{"_id", "title", "text"}`` (the title is optional), one of the queries ``{"_id", "text"}``.
The judgments have the header ``query-id corpus-id score``. Only queries with a relevant document are questions. There
are no answers in it: a folder measures retrieval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.datasets import Dataset, Paragraph, Question
from eval.errors import EvalError
from eval.files import decode, is_text, parse_json, read_bytes, write_text
from eval.ranking import read_qrels

__all__ = ["read_beir", "write_beir"]

_REMEDY = "docs/evaluation.md shows the files of a BEIR folder"
_SPLIT = "test"


def read_beir(folder: Path, split: str | None = None) -> Dataset:
    """Read a BEIR folder with the judgments of a split, by default ``test`` or the only one.

    Documents without any text are left out: no search finds them. Raises :class:`~eval.errors.EvalError` for missing
    or invalid files, repeated ids, and judgments of unknown documents or queries.
    """
    qrels_path = folder / "qrels" / f"{_split(folder, split)}.tsv"
    digest = hashlib.sha256()
    documents = {identity: row for identity, row, _ in _rows(folder / "corpus.jsonl", digest)}
    queries = {identity: (row, where) for identity, row, where in _rows(folder / "queries.jsonl", digest)}
    qrels = read_qrels(qrels_path)
    digest.update(qrels_path.read_bytes())
    sources = {identity: f"{n // 1000:05d}/{n:08d}.md" for n, identity in enumerate(documents)}
    paragraphs = [
        Paragraph(sources[identity], " ".join(row["title"].split()), row["text"], identity)
        for identity, row in documents.items()
        if row["title"].strip() or row["text"].strip()
    ]
    questions = []
    for query, grades in qrels.items():
        unknown = [f"query {query!r}"] if query not in queries else []
        unknown += [f"document {name!r}" for name in grades if name not in documents]
        if unknown:
            raise EvalError(f"{qrels_path} judges the {unknown[0]}, which the folder does not have", _REMEDY)
        row, where = queries[query]
        if not row["text"].strip():
            raise EvalError(f'{where}: "text" is blank', _REMEDY)
        if any(grade > 0 for grade in grades.values()):
            relevant = tuple((sources[name], grade) for name, grade in grades.items())
            questions.append(Question(query, row["text"], (), relevant=relevant))
    return Dataset(folder.resolve().name, "beir", digest.hexdigest(), tuple(questions), tuple(paragraphs))


def write_beir(dataset: Dataset, folder: Path, split: str = _SPLIT) -> None:
    """Write a dataset with paragraphs as a BEIR folder: each paragraph is a document.

    The paragraph of a question in SQuAD's format is its relevant document, with grade 1; an unanswerable question is
    left out. Raises :class:`~eval.errors.EvalError` for a dataset without paragraphs.
    """
    if not dataset.paragraphs:
        raise EvalError(f"{dataset.name} has questions only", "use a dataset with paragraphs, such as squad")
    names = {paragraph.source: paragraph.id or paragraph.source for paragraph in dataset.paragraphs}
    qrels = {}
    for question in dataset.questions:
        relevant = dict(question.relevant)
        if question.paragraph is not None and question.answers:
            relevant = {dataset.paragraphs[question.paragraph].source: 1}
        if relevant:
            qrels[question.id] = {names[source]: grade for source, grade in relevant.items() if source in names}
    corpus = [{"_id": names[p.source], "title": p.title, "text": p.text} for p in dataset.paragraphs]
    queries = [{"_id": q.id, "text": q.question} for q in dataset.questions if q.id in qrels]
    lines = [f"{query}\t{name}\t{grade}\n" for query, grades in qrels.items() for name, grade in grades.items()]
    for identity in [*qrels, *names.values()]:
        if any(char in identity for char in "\t\r\n") or identity != identity.strip():
            raise EvalError(f"the id {identity!r} has white space that a table cannot hold", "rename it")
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(folder / f"{name}.jsonl", text)
    write_text(folder / "qrels" / f"{split}.tsv", "query-id\tcorpus-id\tscore\n" + "".join(lines))


def _split(folder: Path, split: str | None) -> str:
    known = sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))
    if not known:
        raise EvalError(f"{folder} is not a BEIR folder: it has no qrels/*.tsv", _REMEDY)
    chosen = split or (known[0] if len(known) == 1 else _SPLIT)
    if chosen not in known:
        raise EvalError(f"{folder} has no split {chosen!r}", f"use --split with one of {', '.join(known)}")
    return chosen


def _rows(path: Path, digest: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield id, row and place of every line; the title is a text, empty if there is none."""
    content = read_bytes(path, _REMEDY)
    digest.update(content)
    seen: set[str] = set()
    for number, line in enumerate(decode(content, str(path), "save it as UTF-8").split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = parse_json(line, where, _REMEDY, unique_keys=True)
        if not isinstance(row, dict):
            raise EvalError(f"{where} is not an object", _REMEDY)
        identity = row.get("_id")
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        if not is_text(identity) or not str(identity).strip():
            raise EvalError(f'{where}: "_id" must be a non-blank text, not {identity!r}', _REMEDY)
        if identity in seen:
            raise EvalError(f"{where}: the id {identity!r} is there twice", "give each its own id")
        seen.add(str(identity))
        title = row.get("title") or ""
        for key, value in (("text", row.get("text")), ("title", title)):
            if not is_text(value):
                raise EvalError(f'{where}: "{key}" must be a text, not {value!r}', _REMEDY)
        yield str(identity), {"title": title, "text": row["text"]}, where
