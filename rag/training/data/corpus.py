"""Training data as it is read: sentences in order with questions about one of them each, or complete examples.

Offsets are characters. The order of sentences matters, because passages are built from neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import InputError
from rag.extractive_qa.windows import Pair

__all__ = ["Corpus", "Example", "Question", "Span", "detokenise", "read_lines"]

Span = tuple[int, int]

_WRITTEN = {
    "-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}", "``": '"', "''": '"', "`": "'",
}  # fmt: skip
_CLINGS_LEFT = frozenset(".,;:!?)]}%") | {"'s", "n't", "'re", "'ve", "'ll", "'d", "'m", "...", "''"}
_CLINGS_RIGHT = frozenset("([{$£€#") | {"``", "`"}


@dataclass(frozen=True, slots=True)
class Example:
    """A question, a passage and the spans that answer it: none if the passage has no answer.

    ``title`` is the line that is read before the passage: its document's title and its headings.
    """

    id: str
    question: str
    context: str
    answers: tuple[Span, ...]
    title: str = ""

    @property
    def pair(self) -> Pair:
        """What a model reads."""
        return Pair(self.question, self.context, self.title)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one sentence; ``answers`` are spans in it, () if unknown.

    A span that several people marked is listed several times, and so drawn more often.
    """

    id: str
    text: str
    sentence: int
    answers: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """``paragraphs[i]`` is the paragraph of ``sentences[i]``; sentences of one paragraph are adjacent and in order."""

    name: str
    sentences: tuple[str, ...]
    paragraphs: tuple[int, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...] = ()


def detokenise(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """Return running text from Penn-Treebank tokens, and the characters (start, end) of each token in it.

    Two separators in a row make an empty token, whose start is its end.
    """
    text, spans, glue = "", [], True
    for token in tokens:
        lower = token.lower()
        written = _WRITTEN.get(lower, token)
        if written and not (glue or lower in _CLINGS_LEFT or written in _CLINGS_LEFT):
            text += " "
        spans.append((len(text), len(text) + len(written)))
        text += written
        if written:
            glue = lower in _CLINGS_RIGHT or written in _CLINGS_RIGHT
    return text, spans


def read_lines(path: Path, remedy: str) -> list[str]:
    """Return the lines of a UTF-8 file without line ends and without blank lines at the end.

    Only a line feed ends a line, so that a stray carriage return or U+2028 cannot misalign two files.
    Raises :class:`~rag.errors.InputError`.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", remedy) from None
    lines = [line.rstrip("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
