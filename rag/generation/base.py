"""The Generator protocol: batch first, plus a stream.

A generator is given finished prompts: text to be continued, turns of a chat, or a question with its passages to be read
as they are. It knows nothing of citations or retrieval; what it does know is its own tokenizer, which is why it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.types import Note, Usage

__all__ = [
    "Completion",
    "Evidence",
    "Generator",
    "MarkedStream",
    "Message",
    "Prompt",
    "Sampling",
    "ShownPassage",
    "TextStream",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage to be read: where it stands (``source``, ``start``) and how retrieval ranked it (``score``)."""

    text: str
    source: str
    start: int
    score: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in one of three forms: plain ``text``, chat ``messages``, or a ``question`` with ``passages``."""

    text: str = ""
    messages: tuple[Message, ...] = ()
    question: str = ""
    passages: tuple[ShownPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample; temperature 0 is greedy. Generation ends before any of ``stop``."""

    max_tokens: int = 64
    temperature: float = 0.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place in the prompt's passages, ``passages[passage].text[start:end]``, that says what the answer says."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Signals:
    """What a marked answer is judged by, in logits: the ``score`` it was ranked by, its ``lead`` over the next one.

    ``margin`` is its best span's score over that of "no answer", ``relevance`` that of the span's passage.
    """

    score: float
    lead: float
    margin: float
    relevance: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What was generated. ``finish_reason`` is ``stop``, ``length`` (cut at max_tokens), ``abort``, or
    ``unknown script`` where the question was not read, because its script was never learned.

    ``seconds`` runs from handing the prompt over to its last token, waiting for others in its batch included; 0 where
    the generator does not say.

    A generator that marks its answer rather than writing it names its places in ``evidence``, best first, its
    ``confidence``, 0 to 1, and the ``signals`` that this was made of. Without an answer its text is empty.
    """

    text: str
    finish_reason: str
    usage: Usage
    seconds: float = 0.0
    notes: tuple[Note, ...] = ()
    confidence: float | None = None
    signals: Signals | None = None
    evidence: tuple[Evidence, ...] = ()


class TextStream(Protocol):
    """Text as it is generated. ``completion`` is there once the stream is exhausted or closed."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Stop generating; what came so far stays in ``completion``, with finish reason ``abort``."""

    @property
    def completion(self) -> Completion:
        """The whole text and its usage. Raises ``RuntimeError`` while the stream is still running."""


class MarkedStream:
    """The stream of an answer that was marked, not written: whole at once, and judged before it is shown."""

    def __init__(self, completion: Completion) -> None:
        self.completion = completion
        self._sent = False

    def __iter__(self) -> Iterator[str]:
        if self.completion.text and not self._sent:
            self._sent = True
            yield self.completion.text

    def close(self) -> None:
        """There is nothing to stop."""


class Generator(Protocol):
    """What the pipeline needs of a generator. All methods may be called from any thread."""

    name: str

    @property
    def context_length(self) -> int:
        """The most tokens of prompt and answer together."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of plain texts, without special tokens."""

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count the tokens of whole prompts as the model will see them."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Complete all prompts, in their order. Raises :class:`~rag.errors.GeneratorError`."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> TextStream:
        """Complete one prompt piece by piece."""

    def close(self) -> None:
        """Free what the generator holds. It cannot be used afterwards."""
