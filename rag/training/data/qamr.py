"""QAMR's files: crowd-written questions about single sentences, with the answers that up to three people marked.

The format is that of the ``filtered`` folder of the QAMR release (Michael et al. 2018): a sentence file of two columns
(id, tokens) and question files of nine (0 sentence id, 5 question, 6 answer tokens, 7 and 8 two validators'
``id:tokens``). An answer counts if its tokens are adjacent; "Invalid" and scattered answers do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.errors import InputError
from rag.text import counted
from rag.training.data.corpus import Corpus, Question, Span, detokenise, read_lines

__all__ = ["read_qamr"]

_REMEDY = "the files are those of QAMR's data/filtered folder: wiki-sentences.tsv, train.tsv and the like"


def read_qamr(sentences: Path, questions: Sequence[Path]) -> Corpus:
    """Read QAMR. Sentences are sorted by their ids: document, paragraph, sentence.

    Raises :class:`~rag.errors.InputError` with the number of a line in another form.
    """
    rows = _sentences(sentences)
    texts, places = [], []
    for _, tokens in rows:
        text, spans = detokenise(tokens.split(" "))
        texts.append(text)
        places.append(spans)
    number = {identity: n for n, (identity, _) in enumerate(rows)}
    paragraphs: dict[str, int] = {}
    owner = tuple(paragraphs.setdefault(_paragraph(identity), len(paragraphs)) for identity, _ in rows)
    found: list[Question] = []
    dropped = 0
    for path in questions:
        for n, columns in _rows(path, 9):
            if columns[0] not in number:
                raise InputError(f"{path}, line {n}: sentence {columns[0]} is not in {sentences}", _REMEDY)
            sentence = number[columns[0]]
            asked = columns[5].strip()
            marked = [columns[6], columns[7].partition(":")[2], columns[8].partition(":")[2]]
            answers = tuple(a for tokens in marked if (a := _span(tokens, places[sentence])) is not None)
            if not asked or not answers:
                dropped += 1
                continue
            found.append(Question(f"{path.stem}:{n}", asked, sentence, answers))
    without = counted(dropped, "question has", "questions have")
    notes = (f"{without} no answer whose words stand together: left out",) if dropped else ()
    return Corpus("qamr", tuple(texts), owner, tuple(found), notes)


def _sentences(path: Path) -> list[tuple[str, str]]:
    rows: dict[str, str] = {}
    for n, (identity, tokens, *_) in _rows(path, 2):
        if rows.setdefault(identity, tokens) != tokens:
            raise InputError(f"{path}, line {n}: sentence {identity} was another one before", _REMEDY)
    return sorted(rows.items(), key=lambda row: _position(row[0]))


def _rows(path: Path, least: int) -> list[tuple[int, list[str]]]:
    rows = [(n, line.split("\t")) for n, line in enumerate(read_lines(path, _REMEDY), 1) if line.strip()]
    for n, columns in rows:
        if len(columns) < least:
            raise InputError(f"{path}, line {n}: {len(columns)} columns, and {least} are needed", _REMEDY)
    return rows


def _paragraph(identity: str) -> str:
    return identity.rsplit(":", 1)[0]


def _position(identity: str) -> tuple[str, int, str, int, str]:
    """Order by document, paragraph, sentence. A number's length before its digits is the order of numbers."""
    document, _, paragraph = _paragraph(identity).rpartition(":")
    sentence = identity.rpartition(":")[2]
    return document, len(paragraph), paragraph, len(sentence), sentence


def _span(tokens: str, places: Sequence[Span]) -> Span | None:
    try:
        numbers = [int(number) for number in tokens.split()]
    except ValueError:  # a validator's "Invalid" or "Redundant"
        return None
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    if numbers[0] < 0 or numbers[-1] >= len(places):
        return None
    start, end = places[numbers[0]][0], places[numbers[-1]][1]
    return (start, end) if start < end else None
