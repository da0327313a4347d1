"""The hybrid generator: the reader finds and checks the evidence, a language model phrases a sentence around it.

What was marked decides: nothing marked, nothing written. A written sentence must say what the marked span says (all of
its content words and numbers) and may hold no number, no name, no negation and no opposite of a word ("closed" for
"opened") that the sentence around the span and the question lack. One that breaks this is handed on without evidence,
so that it is shown as unsupported, with a note of what the documents say.

It does not notice a sentence that exchanges who did what to whom, or denies its span in words that are no opposites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.evidence.antonyms import OPPOSITES
from rag.evidence.citations import sentence_spans
from rag.evidence.token_match import content_stems, is_number
from rag.generation.base import Completion, Generator, Prompt, Sampling, TextStream
from rag.generation.extractive import ExtractiveGenerator
from rag.types import Note, Usage

__all__ = ["HybridGenerator", "phrasing_prompt", "says_the_same"]

_EXAMPLES = (
    (
        "The Harrow lighthouse was lit in 1874 and stands 31 metres tall.",
        "How tall is the Harrow lighthouse?",
        "31 metres",
        "The Harrow lighthouse is 31 metres tall.",
    ),
    (
        "Its keeper, Ada Brill, rowed ashore every Friday to collect letters and lamp oil.",
        "Who collected the letters?",
        "Ada Brill",
        "Ada Brill, the keeper, collected the letters.",
    ),
    (
        "Members who cancel before 15 May get half of the fee back.",
        "Until when can I cancel?",
        "before 15 May",
        "You can cancel before 15 May.",
    ),
)
_NEGATION = re.compile(r"\b(?:not|never|no|none|nobody|neither|nor|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_CAPITAL = re.compile(r"\b[A-ZА-ЯЁ]\w+")
_WORD = re.compile(r"\w+")
_SAMPLING = Sampling(max_tokens=64, stop=("\n",))


class HybridGenerator:
    """A reader and a writer as one generator. Both may be shared; closing it closes the writer."""

    name = "hybrid"

    def __init__(self, reader: ExtractiveGenerator, writer: Generator, *, min_confidence: float) -> None:
        self._reader, self._writer = reader, writer
        self._min_confidence = min_confidence

    @property
    def writer(self) -> Generator:
        """What phrases the sentences."""
        return self._writer

    @property
    def context_length(self) -> int:
        """The reader's: passages go to it, and one sentence to the writer."""
        return self._reader.context_length

    @property
    def strict(self) -> float:
        """The reader's stricter threshold."""
        return self._reader.strict

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count as the reader does."""
        return self._reader.count_tokens(texts)

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count as the reader does."""
        return self._reader.count_prompts(prompts)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Mark all answers, then phrase those that will be given in one batch."""
        marked = self._reader.generate(prompts, sampling)
        chosen = [n for n, completion in enumerate(marked) if self._is_given(completion)]
        if not chosen:
            return marked
        written = self._writer.generate([phrasing_prompt(prompts[n], marked[n]) for n in chosen], _SAMPLING)
        for n, completion in zip(chosen, written, strict=True):
            marked[n] = _joined(prompts[n], marked[n], completion)
        return marked

    def stream(self, prompt: Prompt, sampling: Sampling) -> TextStream:
        """Mark the answer, then stream the sentence around it."""
        marked = self._reader.generate([prompt], sampling)[0]
        if not self._is_given(marked):
            return self._reader.stream(prompt, sampling)
        return _Phrased(prompt, marked, self._writer.stream(phrasing_prompt(prompt, marked), _SAMPLING))

    def is_dead(self) -> bool:
        """Tell whether the writer's engine has ended."""
        return bool(getattr(self._writer, "is_dead", bool)())

    def close(self) -> None:
        """Stop the writer."""
        self._writer.close()

    def _is_given(self, marked: Completion) -> bool:
        return bool(marked.text) and round(marked.confidence or 0.0, 4) >= self._min_confidence


class _Phrased:
    """The writer's stream, judged at its end."""

    def __init__(self, prompt: Prompt, marked: Completion, stream: TextStream) -> None:
        self._prompt, self._marked, self._stream = prompt, marked, stream

    def __iter__(self) -> Iterator[str]:
        begun = False
        for piece in self._stream:
            shown = piece if begun else piece.lstrip()
            begun = begun or bool(shown)
            if shown:
                yield shown
        if not begun and self._stream.completion.finish_reason != "abort":
            yield self._marked.text  # as the answer will be

    def close(self) -> None:
        """Stop writing."""
        self._stream.close()

    @property
    def completion(self) -> Completion:
        """The whole sentence with its evidence. Raises ``RuntimeError`` while it is being written."""
        return _joined(self._prompt, self._marked, self._stream.completion)


def phrasing_prompt(prompt: Prompt, marked: Completion) -> Prompt:
    """Return the writer's prompt: the sentence around the best evidence, the question, the marked span."""
    shown = [f"Text: {t}\nQuestion: {q}\nShort answer: {s}\nSentence: {f}\n\n" for t, q, s, f in _EXAMPLES]
    span, around = _one_line(marked.text), _around(prompt, marked)
    asked = f"Text: {around}\nQuestion: {prompt.question}\nShort answer: {span}\nSentence:"
    return Prompt("".join(shown) + asked)


def says_the_same(span: str, around: str, written: str) -> bool:
    """Tell whether a sentence holds every content word and number of the span, and nothing that turns it round.

    That is a number, a name, a negation or a word's opposite that ``around`` lacks. A span without a content word must
    stand in it as it is.
    """
    said, wanted = content_stems(written), content_stems(span)
    if not wanted and _one_line(span).casefold() not in _one_line(written).casefold():
        return False
    numbers = {stem for stem in said if is_number(stem)}
    denied = bool(_NEGATION.search(written)) and not _NEGATION.search(f"{around} {span}")
    known = content_stems(f"{around} {span}")
    turned = denied or _turned(written, around)
    return bool(said) and wanted <= said and numbers | _names(written) <= known and not turned


def _names(written: str) -> frozenset[str]:
    """Return the stems of words with a capital, but for the first of a sentence, which has one in any case."""
    inside = [written[a:b].partition(" ")[2] for a, b in sentence_spans(written)]
    return content_stems(" ".join(word for text in inside for word in _CAPITAL.findall(text)))


def _turned(written: str, around: str) -> bool:
    """Tell whether a word stands there whose opposite the evidence has, and not the word itself."""
    said, told = set(_WORD.findall(written.lower())), set(_WORD.findall(around.lower()))
    return any(other in told and other not in said for word in said - told for other in OPPOSITES.get(word, ()))


def _joined(prompt: Prompt, marked: Completion, written: Completion) -> Completion:
    usage = Usage(
        marked.usage.prompt_tokens + written.usage.prompt_tokens,
        written.usage.completion_tokens,
        written.usage.cached_tokens,
    )
    text = written.text.strip()
    seconds = marked.seconds + written.seconds
    whole = replace(marked, text=text, finish_reason=written.finish_reason, usage=usage, seconds=seconds)
    if written.finish_reason == "abort":
        return whole
    if not text:
        return replace(whole, text=marked.text)
    if says_the_same(marked.text, f"{_around(prompt, marked)} {prompt.question}", text):
        return whole
    said = _one_line(marked.text)
    note = Note(f"the sentence above does not say what the documents do: “{said}”", "contradicted", {"said": said})
    return replace(whole, evidence=(), confidence=0.0, notes=(*whole.notes, note))


def _around(prompt: Prompt, marked: Completion) -> str:
    first = marked.evidence[0]
    text = prompt.passages[first.passage].text
    held = [text[a:b] for a, b in sentence_spans(text) if first.start < b and a < first.end]
    return _one_line(" ".join(held) or text[first.start : first.end])


def _one_line(text: str) -> str:
    return " ".join(text.split())
