"""Build a prompt from a question and its passages, within a token budget counted by the model's own tokenizer.

A chat prompt numbers its passages, and a line above each names its document, file, page and headings. A completion
prompt has the title and headings only: small models that continue a text are confused by numbers.

The shared parts come first (instructions and examples, then passages, then the question), so that a prefix cache can
work; :func:`cache_order` sorts prompts with a common beginning next to each other. Passages are packed whole, best
first. A passage that does not fit is returned with the reason: nothing is cut silently.

The templates are in :mod:`rag.prompt_templates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from rag.errors import PromptTooLongError, UsageError
from rag.generation.base import Message, Prompt, Sampling, TokenCounter
from rag.prompt_templates import FORMS, Form
from rag.text import counted, one_line
from rag.types import DroppedPassage, Note, Passage

if TYPE_CHECKING:
    from rag.config import PromptConfig

__all__ = [
    "BuiltPrompt",
    "Packed",
    "Packer",
    "PromptBuilder",
    "answer_tokens",
    "cache_order",
    "form_of",
    "label",
    "pack_all",
]

_LONG_CONTEXT = 8000  # tokens; models that are said to read "8k" differ around it
_LONGEST_NAME = 120  # characters of a title, a file name or a heading


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
    ``max_tokens`` for the answer (None: see :func:`answer_tokens`), ``instruction`` and ``template`` replace those of
    the form. With ``whole_context``, passages may fill all that the model reads. Raises
    :class:`~rag.errors.UsageError` if the answer alone would fill the model's context.
    """

    def __init__(self, counter: TokenCounter, settings: PromptConfig, *, whole_context: bool = False) -> None:
        self._counter = counter
        self._form = form_of(settings)
        max_tokens = answer_tokens(settings, counter.context_length)
        self._limit = counter.context_length - max_tokens
        if self._limit < 1:
            raise UsageError(
                f"prompt.max_tokens is {max_tokens}, and the model reads {counter.context_length} tokens, "
                "prompt and answer together",
                "set a smaller one, for example --set prompt.max_tokens=64",
            )
        self._context_tokens = self._limit if whole_context else settings.context_tokens
        stop = () if self._form.chat else ("\n",)
        self.sampling = Sampling(max_tokens, settings.temperature, stop)
        self._passage_tokens = lru_cache(maxsize=16384)(self._count_passage)

    def build(self, question: str, passages: Sequence[Passage]) -> BuiltPrompt:
        """Pack the passages that fit, best first, and render.

        Raises :class:`~rag.errors.PromptTooLongError` if the question does not fit even without passages.
        """
        fixed = self._count(question, ())
        if fixed > self._limit:
            raise PromptTooLongError(
                f"instructions and question have {fixed} tokens, and the model reads {self._limit} besides its answer",
                "ask a shorter question, shorten prompt.instruction, or raise the context length",
            )
        shown: list[Passage] = []
        dropped: list[DroppedPassage] = []
        left = min(self._context_tokens, self._limit - fixed)
        for passage in passages:
            cost = self._passage_tokens(self._render_passage(passage, len(shown) + 1))
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
        rendered = [self._render_passage(passage, number) for number, passage in enumerate(passages, start=1)]
        # A small model that continues text attends most to what is next to the question: the best passage comes last.
        context = "\n\n".join(rendered if self._form.chat else rendered[::-1])
        asked = self._form.ask(context, one_line(question))
        if not self._form.chat:
            return Prompt(self._form.preamble() + asked)
        turns = [Message("system", self._form.instructions)] if self._form.instructions else []
        for example in self._form.examples:
            user = self._form.ask(example.text, example.question)
            turns += [Message("user", user), Message("assistant", example.answer)]
        return Prompt(messages=(*turns, Message("user", asked)))

    def _render_passage(self, passage: Passage, number: int) -> str:
        """Return a passage as the model reads it: the line that names it, then its text without blank lines."""
        lines = [line for line in passage.text.splitlines() if line.strip()]
        heading = passage.headings and lines and re.fullmatch(r"#+\s+(.*?)[\s#]*", lines[0].strip())
        if heading and heading[1] == passage.headings[-1]:
            lines = lines[1:]  # the line above already has it
        if passage.columns:  # as if the table began here
            lines = [f"| {' | '.join(passage.columns)} |", f"|{'---|' * len(passage.columns)}", *lines]
        return "\n".join([label(passage, number) if self._form.chat else _path(passage), *lines])


def answer_tokens(settings: PromptConfig, context_length: int) -> int:
    """Return the most tokens of an answer: as set, else 512 for a model that reads 8,000 or more.

    A smaller model has 256 in a chat and 48 for a completion, and never more than a quarter of what it reads.
    """
    if settings.max_tokens is not None:
        return settings.max_tokens
    if context_length >= _LONG_CONTEXT:
        return 512
    return max(1, min(256 if FORMS[settings.form].chat else 48, context_length // 4))


def label(passage: Passage, number: int) -> str:
    """Return the line above a numbered passage: ``[1] Lease of Unit 12 (lease.docx), page 3, § 3 Rent``."""
    file = one_line(PurePath(passage.source).name, _LONGEST_NAME)
    title = one_line(passage.title, _LONGEST_NAME)
    parts = [f"{title} ({file})" if title and title != file else file]
    if passage.page is not None:
        parts.append(f"page {passage.page}")
    headings = [one_line(heading, _LONGEST_NAME) for heading in _headings(passage)]
    parts += [" > ".join(heading for heading in headings if heading and heading != title)]
    return f"[{number}] {', '.join(filter(None, parts))}"


def cache_order(prompts: Sequence[Prompt]) -> list[int]:
    """Return the positions in an order that puts prompts with a common beginning next to each other."""
    return sorted(range(len(prompts)), key=lambda n: (prompts[n].text, [m.content for m in prompts[n].messages]))


def _over_budget(cost: int, left: int, budget: int) -> Note:
    text = f"It needs {counted(cost, 'token')}; {left} were left of the budget of {budget}."
    return Note(text, "over_budget", {"n": cost, "left": left, "budget": budget})


def _path(passage: Passage) -> str:
    """Return the title and the headings of a passage, each once."""
    return " > ".join(dict.fromkeys(filter(None, map(one_line, (passage.title, *_headings(passage))))))


def _headings(passage: Passage) -> tuple[str, ...]:
    """Return the headings without the names of columns, which are written as the row that they are."""
    return passage.headings[:-1] if passage.columns else passage.headings


def form_of(settings: PromptConfig) -> Form:
    """Return the form with the instruction and the template that are set."""
    form = FORMS[settings.form]
    if settings.instruction is not None:
        form = replace(form, instructions=settings.instruction.strip())
    return form if settings.template is None else replace(form, template=settings.template)
