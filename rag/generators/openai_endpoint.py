"""Any OpenAI-compatible endpoint, for example ``vllm serve`` on other machines, through the official client.

Token counts are the server's own where it has vLLM's ``/tokenize``; elsewhere they are estimated from above, at three
UTF-8 bytes a token, and the answer's record says so.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rag.errors import GeneratorError, InputError, RagError
from rag.generators.base import Completion, Message, Prompt, Sampling
from rag.records import Usage

__all__ = ["OpenAIGenerator"]

_T = TypeVar("_T")
_BYTES_PER_TOKEN = 3
_FALLBACK_CONTEXT = 4096


class OpenAIGenerator:
    """A client of one endpoint and one model; ``concurrency`` requests are under way at once."""

    name = "openai"

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 32,
        timeout_s: float = 60.0,
        retries: int = 2,
        context_length: int | None = None,
    ) -> None:
        import openai

        self._openai = openai
        self._model, self._base_url = model, base_url.rstrip("/")
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=os.environ.get(api_key_env) or "none",  # the client insists on one; local servers ignore it
            timeout=timeout_s,
            max_retries=retries,
        )
        self._pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="openai")
        self._api_key_env = api_key_env
        listed = self._asked(lambda: list(self._client.models.list()))
        names = [entry.id for entry in listed]
        if names and model not in names:
            raise InputError(
                f"the endpoint {base_url} does not serve {model!r}",
                f"--set generator.model=NAME, one of {', '.join(names)}",
            )
        served = next((entry for entry in listed if entry.id == model), None)
        self.context_length = context_length or int(getattr(served, "max_model_len", None) or _FALLBACK_CONTEXT)
        self.estimates_tokens = self._tokenize({"prompt": "token"}) is None

    def _asked(self, call: Callable[[], _T]) -> _T:
        """Make a call and give its errors their remedy."""
        try:
            return call()
        except self._openai.AuthenticationError:
            raise RagError(f"the endpoint {self._base_url} wants a key", f"set {self._api_key_env}") from None
        except (self._openai.APIConnectionError, self._openai.InternalServerError) as error:
            raise GeneratorError(
                f"the endpoint {self._base_url} cannot be reached: {error}",
                "start it (for example `vllm serve MODEL`) or correct --set generator.openai.base_url=URL",
            ) from None
        except self._openai.OpenAIError as error:
            told = " ".join(str(error).split())[:300]
            raise RagError(
                f"the endpoint {self._base_url} refused: {told}", "correct the request or the model"
            ) from None

    # Counting -----------------------------------------------------------------------------------------------

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count at the server, or estimate from above."""
        return list(
            self._pool.map(lambda text: self._count({"prompt": text, "add_special_tokens": False}, text), texts)
        )

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Count whole prompts at the server, or estimate from above."""
        return list(self._pool.map(self._count_prompt, prompts))

    def _count_prompt(self, prompt: Prompt) -> int:
        if prompt.messages:
            text = "".join(m.content for m in prompt.messages)
            return self._count({"messages": _turns(prompt.messages)}, text) + 8 * self.estimates_tokens
        return self._count({"prompt": prompt.text}, prompt.text)

    def _count(self, body: dict[str, Any], text: str) -> int:
        counted = None if self.estimates_tokens else self._tokenize(body)
        return math.ceil(len(text.encode()) / _BYTES_PER_TOKEN) if counted is None else counted

    def _tokenize(self, body: dict[str, Any]) -> int | None:
        """Ask vLLM's ``/tokenize``, which stands beside ``/v1``; None where the server has none."""
        url = self._base_url.removesuffix("/v1") + "/tokenize"
        try:
            answer = self._client.post(url, body={"model": self._model, **body}, cast_to=dict[str, Any])
        except self._openai.APIStatusError:
            return None
        except self._openai.APIConnectionError as error:
            raise GeneratorError(
                f"the endpoint {self._base_url} cannot be reached: {error}", "start it again"
            ) from None
        count = answer.get("count") if isinstance(answer, dict) else None
        return int(count) if isinstance(count, int) else None

    # Generating ---------------------------------------------------------------------------------------------

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Send all prompts, ``concurrency`` at a time; the server batches them."""
        futures = [self._pool.submit(self._complete, prompt, sampling) for prompt in prompts]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        started = time.monotonic()
        answer = self._asked(lambda: self._request(prompt, sampling))
        seconds = time.monotonic() - started
        choice = answer.choices[0]
        text = choice.message.content if prompt.messages else choice.text
        return Completion(text or "", choice.finish_reason or "stop", _usage(answer.usage), seconds)

    def _request(self, prompt: Prompt, sampling: Sampling, **more: Any) -> Any:
        options: dict[str, Any] = {
            "model": self._model,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            **more,
        }
        if sampling.stop:
            options["stop"] = list(sampling.stop)
        if prompt.messages:
            return self._client.chat.completions.create(messages=_turns(prompt.messages), **options)
        return self._client.completions.create(prompt=prompt.text, **options)

    def stream(self, prompt: Prompt, sampling: Sampling) -> OpenAIStream:
        """Stream one completion."""
        options = {"stream": True, "stream_options": {"include_usage": True}}
        response = self._asked(lambda: self._request(prompt, sampling, **options))
        return OpenAIStream(self, response, chat=bool(prompt.messages))

    def next_event(self, events: Iterator[Any]) -> Any:
        """Return a stream's next event, or None at its end, its errors given their remedy."""
        return self._asked(lambda: next(events, None))

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


class OpenAIStream:
    """One streamed completion; see :class:`~rag.generators.base.TextStream`."""

    def __init__(self, generator: OpenAIGenerator, response: Any, *, chat: bool) -> None:
        self._generator, self._response, self._chat = generator, response, chat
        self._text, self._reason, self._usage = "", "", Usage()
        self._done = False

    def __iter__(self) -> Iterator[str]:
        events = iter(self._response)
        try:
            while not self._done:
                event = self._generator.next_event(events)
                if event is None:
                    self._done = True
                    return
                if event.usage is not None:
                    self._usage = _usage(event.usage)
                for choice in event.choices:
                    self._reason = choice.finish_reason or self._reason
                    piece = (choice.delta.content if self._chat else choice.text) or ""
                    if piece:
                        self._text += piece
                        yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Hang up, which makes the server stop generating."""
        if not self._done:
            self._done, self._reason = True, "abort"
        self._response.close()

    @property
    def completion(self) -> Completion:
        """The whole completion, once there is one."""
        if not self._done:
            raise RuntimeError("the stream is still running")
        return Completion(self._text, self._reason or "stop", self._usage)


def _turns(messages: Sequence[Message]) -> Any:  # the client's own union of typed dicts says no more
    return [{"role": m.role, "content": m.content} for m in messages]


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(int(usage.prompt_tokens), int(usage.completion_tokens or 0), int(cached))
