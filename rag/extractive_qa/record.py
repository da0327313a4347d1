"""``reader.json``: the window sizes of a reader's training, and how its scores become a choice and a confidence."""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from rag.errors import ModelError
from rag.extractive_qa.windows import WindowSettings
from rag.text import error_line

__all__ = ["LOWEST", "MOST_LEAD", "RECORD_FILE", "Calibration", "Combination", "ReaderRecord", "Signals", "is_latin"]

RECORD_FILE = "reader.json"
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
LOWEST = -30.0  # logits of a passage that could not be read
MOST_LEAD = 10.0  # logits; a single candidate leads by no more


@dataclass(frozen=True, slots=True)
class Signals:
    """What the confidence of an extraction is computed from.

    In logits: ``score`` is the ranking score, ``lead`` its distance to the next answer, ``margin`` the best span's
    score over "no answer", ``relevance`` the score of the span's passage. ``coverage`` is the share of the question's
    words in the passage with its context line, ``local`` that in the span's sentence or row with the context line.
    ``row`` is 1 for a span in a table row, 0 elsewhere. ``unfit`` is 1 for a span that cannot answer a
    question of its kind. ``passage`` is the prominence of its passage (:class:`~rag.types.Passage`) plus what reranking
    by the reader adds (:meth:`Combination.reranking`), None for a passage without prominence.
    """

    score: float
    lead: float
    margin: float
    relevance: float
    coverage: float = 0.0
    local: float = 0.0
    row: float = 0.0
    unfit: float = 0.0
    passage: float | None = None


@dataclass(frozen=True, slots=True)
class Combination:
    """Weights of a span's evidence, and of a passage's in reranking.

    The score of a span is the weighted sum of its ``margin`` over "no answer", the ``relevance`` of its passage, the
    passage's ``retrieval`` score (the fused score minus that of the best passage, 0 for a single passage), the shares
    of the question's words in the passage (``coverage``) and in the span's sentence or row (``local``), both with the
    context line, and whether it cannot answer a question of its kind (``unfit``). Equal answers from several places add
    up: ``merge`` is the share of the logarithm of their summed odds that counts. ``rerank_relevance``,
    ``rerank_margin`` and ``rerank_coverage`` weigh what adds to a passage's fused score in reranking.
    """

    __pydantic_config__ = _STRICT

    margin: float = 1.0
    relevance: float = 1.0
    retrieval: float = 1.0
    coverage: float = 0.0
    local: float = 0.0
    unfit: float = 0.0
    merge: float = 0.5
    rerank_relevance: float = 1.0
    rerank_margin: float = 0.0
    rerank_coverage: float = 0.0

    def reranking(self, relevance: float, margin: float, coverage: float) -> float:
        """Return what reranking adds to a passage's fused score; ``margin`` is that of its best span."""
        return (
            self.rerank_relevance * max(LOWEST, relevance)
            + self.rerank_margin * margin
            + self.rerank_coverage * coverage
        )

    def score(
        self, margin: float, relevance: float, retrieval: float, coverage: float, local: float, unfit: float
    ) -> float:
        """Return the score of one span."""
        return (
            self.margin * margin
            + self.relevance * relevance
            + self.retrieval * retrieval
            + self.coverage * coverage
            + self.local * local
            + self.unfit * unfit
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic function from the signals of the best answer to the probability that it is right.

    The signals are its lead over the next answer, its span's margin over "no answer", its passage's relevance and
    reranked score, the shares of the question's words in its passage and in its sentence, whether it is in a table row,
    and whether it cannot answer such a question. ``kinds`` adds to the log-odds for questions of a kind. ``threshold``
    is the best where few questions have no answer, ``strict`` where half of them have none; from ``high`` on at least
    nine of ten answers were right where it was fitted.
    Without fitting, only the margin counts: the share of the span in the softmax of span and "no answer".
    """

    __pydantic_config__ = _STRICT

    lead: float = 0.0
    margin: float = 1.0
    relevance: float = 0.0
    coverage: float = 0.0
    local: float = 0.0
    row: float = 0.0
    unfit: float = 0.0
    passage: float = 0.0
    bias: float = 0.0
    kinds: dict[str, float] = field(default_factory=dict)
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    strict: Annotated[float, Field(ge=0, le=1)] = 0.0
    high: Annotated[float, Field(ge=0, le=1)] = 0.9

    def confidence(self, signals: Signals, kind: str = "") -> float:
        """Return the probability, 0 to 1, for a question of a kind."""
        z = self.bias + self.kinds.get(kind, 0.0) + self.lead * min(signals.lead, MOST_LEAD)
        z += self.margin * signals.margin + self.relevance * signals.relevance
        z += self.coverage * signals.coverage + self.local * signals.local + self.row * signals.row
        z += self.unfit * signals.unfit + self.passage * (signals.passage or 0.0)
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


@dataclass(frozen=True, slots=True)
class ReaderRecord:
    """Everything in a reader's folder except its model.

    ``latin_only`` means that it learned from texts in Latin script only, so its spans in other scripts mean nothing.
    ``reads_context`` means that it learned with titles and headings before the passages; without, it gets none.
    ``given`` is the calibration for passages that were not retrieved, such as the paragraph of a SQuAD question;
    without it, there is one calibration for all.
    """

    window: WindowSettings = field(default_factory=WindowSettings)
    combination: Combination = field(default_factory=Combination)
    calibration: Calibration = field(default_factory=Calibration)
    given: Calibration | None = None
    latin_only: bool = False
    reads_context: bool = False

    def can_read(self, question: str) -> bool:
        """Return whether the model learned the script of a question."""
        return not self.latin_only or is_latin(question)

    def confidence(self, signals: Signals, kind: str = "") -> float:
        """Return the probability, 0 to 1, that the best answer to a question of a kind is right."""
        given = self.given if signals.passage is None else None
        return (given or self.calibration).confidence(signals, kind)

    @classmethod
    def load(cls, folder: Path) -> ReaderRecord:
        """Read a folder's record. A checkpoint from elsewhere has none and gets the defaults."""
        path = folder / RECORD_FILE
        if not path.is_file():
            return cls()
        try:
            return _RECORD.validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{path} is not a reader's record: {error_line(error)}", "train or export the reader again"
            ) from None

    def save(self, folder: Path) -> None:
        """Write ``reader.json``."""
        (folder / RECORD_FILE).write_text(json.dumps(self.tree(), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def tree(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(_RECORD.dump_python(self))


_RECORD = TypeAdapter(ReaderRecord)


def is_latin(text: str) -> bool:
    """Return whether at least half of a text's letters are Latin; a text without letters counts as Latin."""
    letters = [unicodedata.name(c, "").startswith("LATIN") for c in text if c.isalpha()]
    return 2 * sum(letters) >= len(letters)
