"""Questions and passages to readings: the spans that may answer, and how relevant the passage is.

Readings are cached. A reranker and the extractive generator read the same passages, so they share an engine.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.errors import ModelError
from rag.extractive_qa.decode import best_spans, null_score
from rag.extractive_qa.record import LOWEST, ReaderRecord
from rag.extractive_qa.scorer import GRAPH_FILE, OpenVinoScorer, SpanScorer, TorchScorer
from rag.extractive_qa.tokenizer import load_plain, load_tokenizer
from rag.extractive_qa.windows import Pair, Windower
from rag.models.resolve import resolve_model

__all__ = ["MarkedSpan", "Reading", "SpanEngine", "load_engine", "read_pairs", "shared_engine"]

_CACHED_READINGS = 20_000
_LOADING = threading.Lock()
_SPANS = 3  # of each window: enough for another passage to confirm the second best


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """``passage[start:end]`` and its score over that of "no answer", in logits."""

    start: int
    end: int
    margin: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The best spans of a passage for a question, best first, and its relevance in log-odds.

    An empty passage has no span and a relevance of minus infinity.
    """

    spans: tuple[MarkedSpan, ...]
    relevance: float
    tokens: int

    @property
    def margin(self) -> float:
        """The best span's score over "no answer", in logits; the lowest there is without a span."""
        return self.spans[0].margin if self.spans else LOWEST


class SpanEngine:
    """A reader with its tokenizer. Safe to call from many threads."""

    def __init__(self, windower: Windower, scorer: SpanScorer, record: ReaderRecord) -> None:
        self.windower = windower
        self.record = record
        self._scorer = scorer
        self._known: OrderedDict[Pair, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def with_record(self, record: ReaderRecord) -> SpanEngine:
        """Return the same reader with other weights for its scores. It takes the cached readings along."""
        other = SpanEngine(self.windower, self._scorer, record)
        other._known = self._known.copy()
        return other

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """Read all pairs of question and passage; new ones in batches of similar length."""
        if not self.record.reads_context:
            pairs = [pair._replace(context="") for pair in pairs]
        with self._lock:
            known = {pair: self._known[pair] for pair in pairs if pair in self._known}
        if new := [pair for pair in dict.fromkeys(pairs) if pair not in known]:
            known.update(zip(new, read_pairs(self.windower, self._scorer, new), strict=True))
        with self._lock:
            for pair in dict.fromkeys(pairs):
                self._known[pair] = known[pair]
                self._known.move_to_end(pair)
            while len(self._known) > _CACHED_READINGS:
                self._known.popitem(last=False)
        return [known[pair] for pair in pairs]


def read_pairs(windower: Windower, scorer: SpanScorer, pairs: Sequence[Pair], *, count: int = _SPANS) -> list[Reading]:
    """Read pairs of question and passage. A reading has up to ``count`` spans, the best of all windows."""
    windows = windower.cut(pairs)
    spans: list[list[MarkedSpan]] = [[] for _ in pairs]
    relevance = [float("-inf")] * len(pairs)
    tokens = [0] * len(pairs)
    longest = windower.settings.answer
    for window, scores in zip(windows, scorer.score(windows), strict=True):
        no_answer = null_score(scores.start, scores.end)
        passage = pairs[window.pair].passage
        marked = best_spans(window, passage, scores.start, scores.end, longest=longest, count=count)
        spans[window.pair] += [MarkedSpan(s.start, s.end, s.score - no_answer) for s in marked]
        relevance[window.pair] = max(relevance[window.pair], scores.relevance)
        tokens[window.pair] += len(window.ids)
    return [Reading(_best(found, count), relevance[n], tokens[n]) for n, found in enumerate(spans)]


def _best(found: Sequence[MarkedSpan], count: int) -> tuple[MarkedSpan, ...]:
    """Return the best spans of all windows of a passage, each place once."""
    places: dict[tuple[int, int], MarkedSpan] = {}
    for span in sorted(found, key=lambda s: (-s.margin, s.start, s.end)):
        places.setdefault((span.start, span.end), span)
    return tuple(places.values())[:count]


def load_engine(model: str, *, revision: str | None = None, engine: str = "auto", device: str = "auto") -> SpanEngine:
    """Load a reader: its int8 graph if it has one and the device is a CPU, else its weights through torch.

    Raises :class:`~rag.errors.ModelError`, :class:`~rag.errors.MissingPackageError`.
    """
    local = resolve_model(model, revision)
    record = ReaderRecord.load(local.path)
    graph = (local.path / GRAPH_FILE).is_file()
    if engine == "openvino" and not graph:
        raise ModelError(f"{model} holds no int8 graph", "make one with `rag train finish`, or set engine: torch")
    if graph and engine != "torch" and device not in ("auto", "cpu"):
        raise ModelError(
            f"reader.device is {device}, and the int8 graph of {model} is read on a CPU",
            "leave reader.device at auto, or name a reader with its weights and --set reader.engine=torch",
        )
    if graph and engine != "torch":
        plain, padding = load_plain(local.path, model)
        windower = Windower(plain, record.window, padding=padding)
        return SpanEngine(windower, OpenVinoScorer(local.path, padding=padding), record)
    tokenizer = load_tokenizer(local.path, model)
    windower = Windower(tokenizer, record.window)
    types = "token_type_ids" in tokenizer.model_input_names
    scorer = TorchScorer.load(local.path, model, padding=windower.padding, types=types, device=device)
    return SpanEngine(windower, scorer, record)


def shared_engine(model: str, revision: str | None, engine: str, device: str) -> SpanEngine:
    """Return the one engine of this process for these settings."""
    with _LOADING:  # else threads that ask at once load one each
        return _loaded(model, revision, engine, device)


@lru_cache(maxsize=2)
def _loaded(model: str, revision: str | None, engine: str, device: str) -> SpanEngine:
    return load_engine(model, revision=revision, engine=engine, device=device)
