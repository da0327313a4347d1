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

__all__ = ["MOST_LEAD", "RECORD_FILE", "Calibration", "Combination", "ReaderRecord", "is_latin"]

RECORD_FILE = "reader.json"
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
MOST_LEAD = 10.0  # logits; a single candidate leads by no more


@dataclass(frozen=True, slots=True)
class Combination:
    """Weights of a span's evidence: ``margin`` over "no answer", ``relevance`` of its passage, and ``retrieval``.

    The last is the passage's fused score minus that of the best passage, 0 for a single passage. Equal answers from
    several places add up: ``merge`` is the share of the logarithm of their summed odds that counts.
    ``rerank_relevance`` and ``rerank_margin`` add to a passage's fused score in reranking.
    """

    __pydantic_config__ = _STRICT

    margin: float = 1.0
    relevance: float = 1.0
    retrieval: float = 1.0
    merge: float = 0.5
    rerank_relevance: float = 1.0
    rerank_margin: float = 0.0

    def score(self, margin: float, relevance: float, retrieval: float) -> float:
        """Return the score of one span."""
        return self.margin * margin + self.relevance * relevance + self.retrieval * retrieval


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic function from the signals of the best answer to the probability that it is right.

    The signals are its lead over the next answer, its span's margin over "no answer", and its passage's relevance.
    ``threshold`` is the best if a fifth of the questions have no answer, ``strict`` if half of them have none. Without
    fitting, only the margin counts: the share of the span in the softmax of span and "no answer".
    """

    __pydantic_config__ = _STRICT

    lead: float = 0.0
    margin: float = 1.0
    relevance: float = 0.0
    bias: float = 0.0
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    strict: Annotated[float, Field(ge=0, le=1)] = 0.0

    def confidence(self, lead: float, margin: float, relevance: float) -> float:
        """Return the probability, 0 to 1."""
        z = self.lead * min(lead, MOST_LEAD) + self.margin * margin + self.relevance * relevance + self.bias
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


@dataclass(frozen=True, slots=True)
class ReaderRecord:
    """Everything in a reader's folder except its model.

    ``latin_only`` means that it learned from texts in Latin script only, so its spans in other scripts mean nothing.
    ``reads_context`` means that it learned with titles and headings before the passages; without, it gets none.
    """

    window: WindowSettings = field(default_factory=WindowSettings)
    combination: Combination = field(default_factory=Combination)
    calibration: Calibration = field(default_factory=Calibration)
    latin_only: bool = False
    reads_context: bool = False

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
