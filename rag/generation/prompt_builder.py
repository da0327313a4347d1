"""Passages and a question to a prompt, within a token budget counted by the generator's own tokenizer.

What prompts share comes first (instructions and examples, then passages, then the question), so that a prefix cache
can work; :func:`cache_order` puts prompts that share a beginning side by side. Passages go in whole, best first, and
what did not fit is returned with the reason. Nothing is ever cut silently.

The forms themselves are in :mod:`rag.prompt_templates`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from rag.errors import PromptTooLongError, UsageError
from rag.generation.base import Message, Prompt, Sampling, ShownPassage
from rag.prompt_templates import ABSTENTION, FORMS
from rag.text import counted
from rag.types import DroppedPassage, Note, Passage

__all__ = ["ABSTENTION", "Builder", "BuiltPrompt", "PromptBuilder", "PromptCounter", "ReadingBuilder", "cache_order"]


class PromptCounter(Protocol):
    """The part of a generator that packing needs."""

    @property
    def context_length(self) -> int:
        """The most tokens of prompt and answer together."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count plain texts."""

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count whole prompts."""


@dataclass(frozen=True)
class BuiltPrompt:
    """A prompt, the passages it shows, those it does not, and its length in tokens."""

    prompt: Prompt
    shown: tuple[Passage, ...]
    dropped: tuple[DroppedPassage, ...]
    tokens: int


class Builder(Protocol):
    """Makes a prompt of a question and its passages."""

    sampling: Sampling

    def build(self, question: str, passages: Sequence[Passage]) -> BuiltPrompt:
        """Pack what fits, best first."""


class ReadingBuilder:
    """Hands question and passages over as they are, for a generator that reads passages one by one."""

    sampling = Sampling()

    def build(self, question: str, passages: Sequence[Passage]) -> BuiltPrompt:
        """Show every passage; ``tokens`` is left to the generator, which counts as it reads."""
        shown = tuple(ShownPassage(p.text, p.source, p.start, p.score) for p in passages)
        return BuiltPrompt(Prompt(question=" ".join(question.split()), passages=shown), tuple(passages), (), 0)


class PromptBuilder:
    """Builds prompts of one form. ``context_tokens`` is the budget for passages, ``max_tokens`` for the answer.

    ``context_tokens`` None means: as much as the model reads. Raises ``ValueError`` for an unknown form, and
    :class:`~rag.errors.UsageError` where the answer alone would fill what the model reads.
    """

    def __init__(
        self,
        counter: PromptCounter,
        *,
        form: str = "completion",
        context_tokens: int | None = 900,
        max_tokens: int = 64,
        temperature: float = 0.0,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"unknown prompt form {form!r}: choose one of {', '.join(FORMS)}")
        self._counter = counter
        self._form = FORMS[form]
        self._most = counter.context_length - max_tokens
        if self._most < 1:
            raise UsageError(
                f"prompt.max_tokens is {max_tokens}, and the model reads {counter.context_length} tokens, prompt and "
                "answer together",
                "set a smaller one, for example --set prompt.max_tokens=64",
            )
        self._context_tokens = self._most if context_tokens is None else context_tokens
        stop = () if self._form.chat else ("\n",)
        self.sampling = Sampling(max_tokens, temperature, stop)
        self._passage_tokens = lru_cache(maxsize=16384)(self._count_passage)

    def build(self, question: str, passages: Sequence[Passage]) -> BuiltPrompt:
        """Pack the passages that fit, best first, and render.

        Raises :class:`~rag.errors.PromptTooLongError` if the question does not even fit alone.
        """
        fixed = self._count(question, ())
        if fixed > self._most:
            raise PromptTooLongError(
                f"instructions and question have {fixed} tokens, and the model reads {self._most} beside its answer",
                "ask something shorter, or give the model more room (generator.vllm.max_model_len)",
            )
        shown: list[Passage] = []
        dropped: list[DroppedPassage] = []
        left = min(self._context_tokens, self._most - fixed)
        for passage in passages:
            cost = self._passage_tokens(_render_passage(passage))
            if cost <= left:
                shown.append(passage)
                left -= cost
            else:
                dropped.append(DroppedPassage(passage, _over_budget(cost, left, self._context_tokens)))
        tokens = self._count(question, shown)
        while tokens > self._most:  # counts do not quite add up across joins
            reason = Note("the joined prompt exceeded what the model reads", "over_context")
            dropped.insert(0, DroppedPassage(shown.pop(), reason))
            tokens = self._count(question, shown)
        return BuiltPrompt(self._render(question, shown), tuple(shown), tuple(dropped), tokens)

    def _count_passage(self, text: str) -> int:
        return self._counter.count_tokens([text])[0] + 1

    def _count(self, question: str, passages: Sequence[Passage]) -> int:
        return self._counter.count_prompts([self._render(question, passages)])[0]

    def _render(self, question: str, passages: Sequence[Passage]) -> Prompt:
        # A small model that continues text heeds most what stands next to the question: there, the best comes last.
        ordered = passages if self._form.chat else passages[::-1]
        context = "\n\n".join(_render_passage(passage) for passage in ordered)
        one_line = " ".join(question.split())
        if not self._form.chat:
            return Prompt(f"{self._form.preamble()}Text:\n{context}\n\nQuestion: {one_line}\nAnswer:")
        turns = [Message("system", self._form.instructions)]
        for example in self._form.examples:
            turns += [Message("user", _turn(example.text, example.question)), Message("assistant", example.answer)]
        return Prompt(messages=(*turns, Message("user", _turn(context, one_line))))


def cache_order(prompts: Sequence[Prompt]) -> list[int]:
    """Return the positions in an order that puts prompts with a common beginning next to each other."""
    return sorted(range(len(prompts)), key=lambda n: (prompts[n].text, [m.content for m in prompts[n].messages]))


def _over_budget(cost: int, left: int, budget: int) -> Note:
    told = f"needs {counted(cost, 'token')}, {left} were left of the budget of {budget}"
    return Note(told, "over_budget", {"n": cost, "left": left, "budget": budget})


def _render_passage(passage: Passage) -> str:
    """Return a passage as the model reads it: where it stands, then its text with blank lines closed up."""
    place = " > ".join(passage.headings or (passage.title,))
    lines = [line for line in passage.text.splitlines() if line.strip()]
    if passage.headings and lines and re.fullmatch(rf"#+\s+{re.escape(passage.headings[-1])}[\s#]*", lines[0].strip()):
        lines = lines[1:]  # the heading itself: it stands in the place
    return "\n".join([place, *lines])


def _turn(context: str, question: str) -> str:
    return f"Passages:\n\n{context}\n\nQuestion: {question}"
