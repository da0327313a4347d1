"""Any OpenAI-compatible endpoint, for example ``vllm serve`` on other machines, through the official client.

Token counts come from the server if it has vLLM's ``/tokenize``; otherwise they are overestimated at three UTF-8 bytes
a token, and the answer's record says so.

An endpoint may answer anything. A response in another format becomes a :class:`~rag.errors.GeneratorError`, a refused
prompt a :class:`~rag.errors.PromptRefusedError`. No message shows a password from the address.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import GeneratorError, InputError, PromptRefusedError, RagError
from rag.generation.base import Completion, Message, Prompt, Sampling
from rag.text import error_line, without_userinfo
from rag.types import Usage

if TYPE_CHECKING:
    from rag.config import OpenAIConfig

__all__ = ["OpenAICompleter"]

_T = TypeVar("_T")
_BYTES_PER_TOKEN = 3
_FALLBACK_CONTEXT = 4096
_REFUSALS = (400, 413, 422)  # statuses that are about one request
# What reading a response of an unexpected shape can raise, in the client's code and in ours.
_MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


class OpenAICompleter:
    """A client of one endpoint and one model, with up to ``concurrency`` requests at once."""

    name = "openai"
    alive = True  # each request connects again

    def __init__(self, model: str, settings: OpenAIConfig) -> None:
        import openai

        self._openai = openai
        # The client's own HTTP library is httpx or httpx2, by version, and some of its errors come through unwrapped.
        libraries: list[Any] = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
        http_errors = [kind for library in libraries for kind in (library.HTTPError, library.InvalidURL)]
        self._unreachable = (openai.APIConnectionError, openai.InternalServerError, *http_errors)
        self._model, self._base_url = model, settings.base_url.rstrip("/")
        self._shown_url = without_userinfo(settings.base_url)
        self._api_key_env = settings.api_key_env
        key = os.environ.get(self._api_key_env) or "none"  # the client requires one; local servers ignore it
        if not (key.isascii() and key.isprintable()):
            raise GeneratorError(f"the key in {self._api_key_env} is not plain ASCII", f"set {self._api_key_env} again")
        self._client = self.translate(
            lambda: openai.OpenAI(
                base_url=settings.base_url, api_key=key, timeout=settings.timeout_s, max_retries=settings.retries
            )
        )
        self._pool = ThreadPoolExecutor(max_workers=settings.concurrency, thread_name_prefix="openai")
        served = self.translate(self._served)
        if served and model not in served:
            raise InputError(
                f"the endpoint {self._shown_url} does not serve {model!r}",
                f"--set generator.model=NAME, one of {', '.join(served)}",
            )
        self.context_length = settings.context_length or served.get(model) or _FALLBACK_CONTEXT
        self.estimates_tokens = self._tokenize({"prompt": "token"}) is None

    def _served(self) -> dict[str, int | None]:
        """Return the context length of each model that is served, None where the endpoint does not say."""
        served = {}
        for entry in self._client.models.list():
            length = getattr(entry, "max_model_len", None)
            served[_typed(entry.id, str)] = None if length is None else _typed(length, int)
        return served

    def translate(self, call: Callable[[], _T]) -> _T:
        """Make a call and read its answer, and translate the errors of both."""
        try:
            return call()
        except self._openai.AuthenticationError:
            raise RagError(f"the endpoint {self._shown_url} requires a key", f"set {self._api_key_env}") from None
        except self._unreachable as error:
            raise GeneratorError(
                f"the endpoint {self._shown_url} cannot be reached: {_message(error)}",
                "start it (for example `vllm serve MODEL`) or correct --set generator.openai.base_url=URL",
            ) from None
        except self._openai.APIResponseValidationError as error:
            raise self._malformed(error) from None
        except self._openai.OpenAIError as error:
            kind = PromptRefusedError if getattr(error, "status_code", None) in _REFUSALS else RagError
            raise kind(
                f"the endpoint {self._shown_url} refused: {_message(error)}", "correct the request or the model"
            ) from None
        except _MALFORMED as error:
            raise self._malformed(error) from None

    def _malformed(self, error: Exception) -> GeneratorError:
        return GeneratorError(
            f"the endpoint {self._shown_url} does not answer like an OpenAI endpoint: {_message(error)}",
            "correct --set generator.openai.base_url=URL, which usually ends in /v1",
        )

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
        """Ask vLLM's ``/tokenize``, next to ``/v1``; None if the server has none."""
        url = self._base_url.removesuffix("/v1") + "/tokenize"
        try:
            answer = self._client.post(url, body={"model": self._model, **body}, cast_to=dict[str, Any])
        except (self._openai.APIStatusError, self._openai.APIResponseValidationError, *_MALFORMED):
            return None  # another server, which answers such a path in its own way
        except self._unreachable as error:
            raise GeneratorError(
                f"the endpoint {self._shown_url} cannot be reached: {_message(error)}", "start it again"
            ) from None
        count = answer.get("count") if isinstance(answer, dict) else None
        return count if type(count) is int and count >= 0 else None

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
        text, reason, usage = self.translate(lambda: _read(self._request(prompt, sampling), chat=bool(prompt.messages)))
        return Completion(text, reason, usage, time.monotonic() - started)

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
        response = self.translate(lambda: self._request(prompt, sampling, **options))
        return OpenAIStream(self, response, chat=bool(prompt.messages))

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


class OpenAIStream:
    """One streamed completion; see :class:`~rag.generation.base.TextStream`."""

    def __init__(self, generator: OpenAICompleter, response: Any, *, chat: bool) -> None:
        self._generator, self._response, self._chat = generator, response, chat
        self._text, self._reason, self._usage = "", "", Usage()
        self._done = self._chosen = False

    def __iter__(self) -> Iterator[str]:
        events = iter(self._response)
        try:
            while not self._done:
                piece = self._generator.translate(lambda: self._next_piece(events))
                if piece is None:
                    self._done = True
                elif piece:
                    yield piece
        finally:
            self.close()

    def _next_piece(self, events: Iterator[Any]) -> str | None:
        """Return the text that the next event adds, which may be empty, or None at the end."""
        event = next(events, None)
        if event is None:
            if not self._chosen:
                raise ValueError("the stream ended before it began")
            return None
        if event.usage is not None:
            self._usage = _usage(event.usage)
        added = ""
        for choice in event.choices:
            self._chosen = self._chosen or self._chat or choice.text is not None
            self._reason = _typed(choice.finish_reason or "", str) or self._reason
            added += _typed((choice.delta.content if self._chat else choice.text) or "", str)
        self._text += added
        return added

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


def _turns(messages: Sequence[Message]) -> Any:  # the client's union of typed dicts adds nothing
    return [{"role": m.role, "content": m.content} for m in messages]


def _read(answer: Any, *, chat: bool) -> tuple[str, str, Usage]:
    """Return the text, finish reason and usage of a whole answer. A malformed answer raises one of _MALFORMED."""
    choice = answer.choices[0]
    text = choice.message.content or "" if chat else choice.text
    return _typed(text, str), _typed(choice.finish_reason or "stop", str), _usage(answer.usage)


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(_typed(usage.prompt_tokens or 0, int), _typed(usage.completion_tokens or 0, int), _typed(cached, int))


def _typed(value: Any, kind: type[_T]) -> _T:
    """Return the value if it has this type; the client does not validate its records."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.60} in place of {kind.__name__}")
    return value


def _message(error: Exception) -> str:
    """Return an error's own words on one line, without a password."""
    return without_userinfo(error_line(error, 300))
