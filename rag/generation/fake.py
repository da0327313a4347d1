"""A deterministic completer without a model, for tests and for trying the commands.

It reads the last ``Question:`` of a prompt and answers with the sentence of the prompt that shares most words with it.
The model name ``slow`` makes it pause before every word; ``dying`` makes it fail halfway, like a crashing engine.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence

from rag.errors import GeneratorError
from rag.generation.base import Completion, Prompt, Sampling
from rag.types import Usage

__all__ = ["FakeCompleter"]


class FakeCompleter:
    """Answers at once. ``reply`` maps a prompt's text to an answer in place of the built-in one.

    A stream waits ``word_s`` seconds before each word, and fails after ``dies_after`` of them.
    """

    name = "fake"
    alive = True

    def __init__(
        self,
        reply: Callable[[str], str] | None = None,
        *,
        context_length: int = 2048,
        word_s: float = 0.0,
        dies_after: int | None = None,
    ) -> None:
        self._word_s, self._dies_after = word_s, dies_after
        self._reply = reply or _most_similar_sentence
        self.context_length = context_length
        self.prompts: list[Prompt] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and marks."""
        return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count words and marks."""
        return self.count_tokens([_text(prompt) for prompt in prompts])

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Answer every prompt and record it in ``prompts``."""
        self.prompts.extend(prompts)
        return [self._complete(prompt, sampling) for prompt in prompts]

    def stream(self, prompt: Prompt, sampling: Sampling) -> _FakeStream:
        """Answer word by word."""
        return _FakeStream(self.generate([prompt], sampling)[0], self._word_s, self._dies_after)

    @classmethod
    def named(cls, model: str) -> FakeCompleter:
        """Return the fake for a model name: ``slow``, ``dying``, or any other for the plain one."""
        return cls(word_s=0.3 if model == "slow" else 0.0, dies_after=2 if model == "dying" else None)

    def close(self) -> None:
        """Do nothing."""

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        words = self._reply(_text(prompt)).split()
        cut = len(words) > sampling.max_tokens
        text = " ".join(words[: sampling.max_tokens])
        usage = Usage(self.count_prompts([prompt])[0], min(len(words), sampling.max_tokens))
        return Completion(text, "length" if cut else "stop", usage)


class _FakeStream:
    def __init__(self, completion: Completion, word_s: float, dies_after: int | None) -> None:
        self._pieces = re.findall(r"\S+\s*|\s+", completion.text)
        self._whole, self._sent, self._closed = completion, 0, threading.Event()
        self._word_s, self._dies_after = word_s, dies_after

    def __iter__(self) -> Iterator[str]:
        while self._sent < len(self._pieces) and not self._closed.is_set():
            if self._sent == self._dies_after:
                raise GeneratorError("the fake generator stopped on request", "ask again")
            if self._word_s and self._closed.wait(self._word_s):
                return
            self._sent += 1
            yield self._pieces[self._sent - 1]

    def close(self) -> None:
        self._closed.set()

    @property
    def completion(self) -> Completion:
        if self._sent == len(self._pieces):
            return self._whole
        if not self._closed.is_set():
            raise RuntimeError("the stream is still running")
        return Completion("".join(self._pieces[: self._sent]), "abort", self._whole.usage)


def _text(prompt: Prompt) -> str:
    return prompt.text or "\n\n".join(message.content for message in prompt.messages)


def _most_similar_sentence(prompt: str) -> str:
    body, _, question = prompt.rpartition("Question:")
    wanted = set(re.findall(r"\w+", question.lower())) - {"answer"}
    context = body.rpartition("Text:")[2]
    best, most = "", 0
    for sentence in re.split(r"(?<=[.!?])\s+|\n", context):
        shared = len(wanted & set(re.findall(r"\w+", sentence.lower())))
        if shared > most:
            best, most = sentence.strip(), shared
    return best or "not in the documents"
