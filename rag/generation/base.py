"""Two protocols for what answers: a completer turns prompts into text, an extractor marks spans in passages.

Neither knows citations or retrieval. Both are batch-first and may be called from any thread. What exists is listed in
:data:`rag.generation.registry.GENERATORS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.extractive_qa.record import Signals
from rag.types import Note, Usage

__all__ = [
    "Completer",
    "Completion",
    "Evidence",
    "Extraction",
    "ExtractionTask",
    "Extractor",
    "Generator",
    "Message",
    "PassageText",
    "Prompt",
    "Sampling",
    "TextStream",
    "TokenCounter",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in one of two forms: plain ``text`` to continue, or chat ``messages``."""

    text: str = ""
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. Temperature 0 is greedy. Generation ends before any of ``stop``."""

    max_tokens: int = 64
    temperature: float = 0.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated text. ``finish_reason`` is ``stop``, ``length`` (cut at max_tokens) or ``abort``.

    ``seconds`` runs from submitting the prompt to its last token, including the wait for others in its batch; 0 if the
    completer does not measure it.
    """

    text: str
    finish_reason: str
    usage: Usage
    seconds: float = 0.0
    notes: tuple[Note, ...] = ()


class TextStream(Protocol):
    """Text as it is generated. ``completion`` is available once the stream is exhausted or closed."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Stop generating. What came so far is in ``completion``, with finish reason ``abort``."""

    @property
    def completion(self) -> Completion:
        """The whole text and its usage. Raises ``RuntimeError`` while the stream is still running."""


class TokenCounter(Protocol):
    """Counts tokens as a completer does, possibly without starting its engine."""

    @property
    def context_length(self) -> int:
        """The maximum number of tokens of prompt and answer together."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of plain texts, without special tokens."""

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count the tokens of whole prompts as the model sees them."""


class Generator(Protocol):
    """The part that completers and extractors share."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether it can still answer. False once its engine has stopped."""

    def close(self) -> None:
        """Free what the generator holds. It cannot be used afterwards."""


class Completer(TokenCounter, Generator, Protocol):
    """Turns prompts into text."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Complete all prompts, in their order. Raises :class:`~rag.errors.GeneratorError`."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> TextStream:
        """Complete one prompt piece by piece."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage to extract from: its text, its place (``source``, ``start``) and its retrieval score.

    ``context`` is its title and headings on one line, which is read before the text. ``prominence`` is that of
    :class:`~rag.types.Passage`, None for a passage that was not retrieved.
    """

    text: str
    source: str
    start: int
    score: float
    context: str = ""
    prominence: float | None = None


@dataclass(frozen=True, slots=True)
class ExtractionTask:
    """A question and the passages that may answer it. ``kind`` is the question's kind, empty if it is not known."""

    question: str
    passages: tuple[PassageText, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The span ``passages[passage].text[start:end]`` of a task."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extraction:
    """An extracted answer: its text, its places (``evidence``, best first) and its ``confidence``, 0 to 1.

    The text is empty if there is no answer. ``finish_reason`` is ``stop``, or ``unknown script`` if the model never
    learned the question's script and no passage has its words. ``seconds`` covers the whole batch.
    """

    text: str
    finish_reason: str
    usage: Usage
    confidence: float
    seconds: float = 0.0
    notes: tuple[Note, ...] = ()
    signals: Signals | None = None
    evidence: tuple[Evidence, ...] = ()


class Extractor(Generator, Protocol):
    """Marks the answer to each question in its passages."""

    @property
    def threshold(self) -> float:
        """The confidence below which its calibration abstains."""

    @property
    def high_threshold(self) -> float:
        """The confidence from which at least nine of ten answers were right where it was calibrated."""

    def extract(self, tasks: Sequence[ExtractionTask]) -> list[Extraction]:
        """Answer all tasks, in their order. Raises :class:`~rag.errors.ModelError`."""
