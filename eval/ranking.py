"""Ranked documents and relevance judgments: graded metrics, and the files of TREC, read and written.

Definitions are those of trec_eval: a document is relevant from grade 1 on, a list is ordered by falling score (equal
scores by falling document name), and a question without a ranking scores 0. Every measure takes the grades of the
ranked documents, best first, and the positive grades of all relevant ones, and returns 0 to 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from eval.errors import EvalError
from eval.files import decode, read_bytes, write_text

__all__ = [
    "Qrels",
    "Ranking",
    "average_precision",
    "ndcg",
    "ndcg_at_k",
    "order",
    "read_qrels",
    "read_run",
    "recall",
    "reciprocal_rank",
    "score_run",
    "write_qrels",
    "write_run",
]

Qrels = Mapping[str, Mapping[str, int]]
Ranking = Mapping[str, Mapping[str, float]]

_RUN = "a TREC run has lines of `query Q0 document rank score tag`"
_QRELS = "judgments are lines of `query 0 document grade` (TREC) or `query-id corpus-id score` with that header (BEIR)"
_SPACE = re.compile(r"[\s%]")


def ndcg(grades: Sequence[int], relevant: Sequence[int], k: int) -> float:
    """Return nDCG@k with the grade as gain (Järvelin and Kekäläinen 2002)."""
    ideal = _dcg(sorted(relevant, reverse=True)[:k])
    return _dcg(grades[:k]) / ideal if ideal else 0.0


def ndcg_at_k(rank: float, k: int) -> float:
    """Return :func:`ndcg` of a list whose only relevant document has this rank, from 1 to infinity."""
    return 1 / math.log2(rank + 1) if rank <= k else 0.0


def recall(grades: Sequence[int], relevant: Sequence[int], k: int) -> float:
    """Return the share of the relevant documents that are among the first k."""
    return sum(grade > 0 for grade in grades[:k]) / len(relevant) if relevant else 0.0


def reciprocal_rank(grades: Sequence[int]) -> float:
    """Return 1 over the rank of the first relevant document, 0 if there is none."""
    return next((1 / rank for rank, grade in enumerate(grades, start=1) if grade > 0), 0.0)


def average_precision(grades: Sequence[int], relevant: Sequence[int]) -> float:
    """Return the mean, over all relevant documents, of the precision at their rank; 0 for one that is not ranked."""
    found, total = 0, 0.0
    for rank, grade in enumerate(grades, start=1):
        if grade > 0:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def order(scores: Mapping[str, float]) -> list[str]:
    """Return the documents in trec_eval's order: by falling score, equal ones by falling name."""
    return sorted(scores, key=lambda name: (scores[name], name), reverse=True)


def score_run(qrels: Qrels, run: Ranking, *, recall_at: Sequence[int] = (1, 5, 10, 20)) -> dict[str, list[float]]:
    """Return the values of every question that has a relevant document, by metric, in the order of the judgments.

    Raises :class:`~eval.errors.EvalError` if no question has one, or the run ranks nothing for any of them.
    """
    judged = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    if not judged:
        raise EvalError("no question has a relevant document", "name judgments with a grade of 1 or more")
    if not judged.keys() & run.keys():
        raise EvalError("the run ranks documents for none of the judged questions", "name the judgments of this run")
    values: dict[str, list[float]] = {}
    for query, known in judged.items():
        grades = [known.get(name, 0) for name in order(run.get(query, {}))]
        relevant = [grade for grade in known.values() if grade > 0]
        row = {f"recall@{k}": recall(grades, relevant, k) for k in recall_at}
        row |= {"mrr": reciprocal_rank(grades), "map": average_precision(grades, relevant)}
        for name, value in {**row, "ndcg@10": ndcg(grades, relevant, 10)}.items():
            values.setdefault(name, []).append(value)
    return values


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgments of TREC or BEIR: grades by document by question. Raises :class:`~eval.errors.EvalError`."""
    qrels: dict[str, dict[str, int]] = {}
    for number, (where, line) in enumerate(_lines(path, _QRELS)):
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        if number == 0 and [cell.lower() for cell in cells] == ["query-id", "corpus-id", "score"]:
            continue
        if len(cells) not in (3, 4) or not all(cells):
            raise EvalError(f"{where} has {len(cells)} columns", _QRELS)
        query, document, grade = cells[0], cells[-2], cells[-1]
        if document in qrels.setdefault(query, {}):
            raise EvalError(
                f"{where} judges the document {document!r} of the question {query!r} again", "keep one line"
            )
        qrels[query][document] = _grade(grade, where)
    if not qrels:
        raise EvalError(f"{path} has no judgments", _QRELS)
    return qrels


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a TREC run: scores by document by question. The column of ranks is ignored, as in trec_eval.

    Raises :class:`~eval.errors.EvalError`.
    """
    run: dict[str, dict[str, float]] = {}
    for where, line in _lines(path, _RUN):
        cells = line.split()
        if len(cells) != 6:
            raise EvalError(f"{where} has {len(cells)} columns, not 6", _RUN)
        query, document = cells[0], cells[2]
        if document in run.setdefault(query, {}):
            raise EvalError(f"{where} ranks the document {document!r} of the question {query!r} again", "keep one line")
        run[query][document] = _score(cells[4], where)
    if not run:
        raise EvalError(f"{path} ranks nothing", _RUN)
    return run


def write_run(path: Path, run: Ranking, tag: str) -> None:
    """Write a TREC run. White space in a name is percent-encoded, because the format separates columns by it."""
    lines = [
        f"{_name(query)} Q0 {_name(document)} {rank} {float(scores[document])!r} {_name(tag) or 'run'}\n"
        for query, scores in run.items()
        for rank, document in enumerate(order(scores), start=1)
    ]
    write_text(path, "".join(lines))


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgments as TREC does. White space in a name is percent-encoded."""
    lines = [
        f"{_name(query)} 0 {_name(name)} {grade}\n" for query, grades in qrels.items() for name, grade in grades.items()
    ]
    write_text(path, "".join(lines))


def _dcg(grades: Sequence[int]) -> float:
    return sum(max(0, grade) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _lines(path: Path, remedy: str) -> list[tuple[str, str]]:
    """Return the lines that are not blank, each with its place."""
    text = decode(read_bytes(path, remedy), str(path), "save it as UTF-8")
    lines = enumerate(text.replace("\r\n", "\n").split("\n"), start=1)
    return [(f"{path}, line {number}", line) for number, line in lines if line.strip()]


def _grade(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise EvalError(f"{where}: the grade {text!r} is no whole number", _QRELS) from None


def _score(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EvalError(f"{where}: the score {text!r} is no number", _RUN)
    return value


def _name(text: str) -> str:
    return _SPACE.sub(lambda match: quote(match[0], safe=""), text)
