"""Build a prompt from a question and its passages, within a token budget counted by the model's own tokenizer.

The shared parts come first (instructions and examples, then passages, then the question), so that a prefix cache can
work; :func:`cache_order` sorts prompts with a common beginning next to each other. Passages are packed whole, best
first. A passage that does not fit is returned with the reason: nothing is cut silently.

The templates are in :mod:`rag.prompt_templates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.errors import PromptTooLongError, UsageError
from rag.generation.base import Message, Prompt, Sampling, TokenCounter
from rag.prompt_templates import FORMS
from rag.text import counted, one_line
from rag.types import DroppedPassage, Note, Passage

if TYPE_CHECKING:
    from rag.config import PromptConfig

__all__ = ["BuiltPrompt", "Packed", "Packer", "PromptBuilder", "cache_order", "pack_all"]


@dataclass(frozen=True)
class Packed:
    """The passages that a generator is shown, best first, and those that it is not, each with its reason."""

    shown: tuple[Passage, ...]
    dropped: tuple[DroppedPassage, ...]


@dataclass(frozen=True)
class BuiltPrompt(Packed):
    """A prompt and its length in tokens, together with what it shows."""

    prompt: Prompt
    tokens: int


Packer = Callable[[str, Sequence[Passage]], Packed]
"""Chooses the passages that a generator is shown for a question: what fits, best first."""


def pack_all(question: str, passages: Sequence[Passage]) -> Packed:  # noqa: ARG001 - the signature of a packer
    """Show every passage: extractors read them one by one and have no budget."""
    return Packed(tuple(passages), ())


class PromptBuilder:
    """Builds prompts from one template.

    ``settings`` is the ``prompt`` part of the configuration: ``context_tokens`` is the budget for passages,
    ``max_tokens`` for the answer. With ``whole_context``, passages may fill all that the model reads. Raises
    :class:`~rag.errors.UsageError` if the answer alone would fill the model's context.
    """

    def __init__(self, counter: TokenCounter, settings: PromptConfig, *, whole_context: bool = False) -> None:
        self._counter = counter
        self._form = FORMS[settings.form]
        self._limit = counter.context_length - settings.max_tokens
        if self._limit < 1:
            raise UsageError(
                f"prompt.max_tokens is {settings.max_tokens}, and the model reads {counter.context_length} tokens, "
                "prompt and answer together",
                "set a smaller one, for example --set prompt.max_tokens=64",
            )
        self._context_tokens = self._limit if whole_context else settings.context_tokens
        stop = () if self._form.chat else ("\n",)
        self.sampling = Sampling(settings.max_tokens, settings.temperature, stop)
        self._passage_tokens = lru_cache(maxsize=16384)(self._count_passage)

    def build(self, question: str, passages: Sequence[Passage]) -> BuiltPrompt:
        """Pack the passages that fit, best first, and render.

        Raises :class:`~rag.errors.PromptTooLongError` if the question does not fit even without passages.
        """
        fixed = self._count(question, ())
        if fixed > self._limit:
            raise PromptTooLongError(
                f"instructions and question have {fixed} tokens, and the model reads {self._limit} besides its answer",
                "ask a shorter question, or raise the context length (generator.vllm.max_model_len)",
            )
        shown: list[Passage] = []
        dropped: list[DroppedPassage] = []
        left = min(self._context_tokens, self._limit - fixed)
        for passage in passages:
            cost = self._passage_tokens(_render_passage(passage))
            if cost <= left:
                shown.append(passage)
                left -= cost
            else:
                dropped.append(DroppedPassage(passage, _over_budget(cost, left, self._context_tokens)))
        tokens = self._count(question, shown)
        while tokens > self._limit:  # token counts do not add up exactly across joins
            reason = Note("The joined prompt exceeded the model's context.", "over_context")
            dropped.insert(0, DroppedPassage(shown.pop(), reason))
            tokens = self._count(question, shown)
        return BuiltPrompt(tuple(shown), tuple(dropped), self._render(question, shown), tokens)

    def _count_passage(self, text: str) -> int:
        return self._counter.count_tokens([text])[0] + 1

    def _count(self, question: str, passages: Sequence[Passage]) -> int:
        return self._counter.count_prompts([self._render(question, passages)])[0]

    def _render(self, question: str, passages: Sequence[Passage]) -> Prompt:
        # A small model that continues text attends most to what is next to the question: the best passage comes last.
        ordered = passages if self._form.chat else passages[::-1]
        context = "\n\n".join(_render_passage(passage) for passage in ordered)
        asked = one_line(question)
        if not self._form.chat:
            return Prompt(f"{self._form.preamble()}Text:\n{context}\n\nQuestion: {asked}\nAnswer:")
        turns = [Message("system", self._form.instructions)]
        for example in self._form.examples:
            turns += [Message("user", _turn(example.text, example.question)), Message("assistant", example.answer)]
        return Prompt(messages=(*turns, Message("user", _turn(context, asked))))


def cache_order(prompts: Sequence[Prompt]) -> list[int]:
    """Return the positions in an order that puts prompts with a common beginning next to each other."""
    return sorted(range(len(prompts)), key=lambda n: (prompts[n].text, [m.content for m in prompts[n].messages]))


def _over_budget(cost: int, left: int, budget: int) -> Note:
    text = f"It needs {counted(cost, 'token')}; {left} were left of the budget of {budget}."
    return Note(text, "over_budget", {"n": cost, "left": left, "budget": budget})


def _render_passage(passage: Passage) -> str:
    """Return a passage as the model reads it: its heading path, then its text without blank lines."""
    place = " > ".join(passage.headings or (passage.title,))
    lines = [line for line in passage.text.splitlines() if line.strip()]
    if passage.headings and lines and re.fullmatch(rf"#+\s+{re.escape(passage.headings[-1])}[\s#]*", lines[0].strip()):
        lines = lines[1:]  # the heading itself: the first line already has it
    return "\n".join([place, *lines])


def _turn(context: str, question: str) -> str:
    return f"Passages:\n\n{context}\n\nQuestion: {question}"
