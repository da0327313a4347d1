"""The openai generator against a real vLLM server of the bundled model, started and stopped by the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.config import OpenAIConfig
from rag.errors import GeneratorError, InputError, RagError
from rag.generation.base import Message, Prompt, Sampling
from rag.generation.openai import OpenAICompleter

pytestmark = pytest.mark.engine

GREEDY = Sampling(max_tokens=8, stop=("\n",))


@pytest.fixture(scope="module")
def remote(served: str) -> Iterator[OpenAICompleter]:
    generator = OpenAICompleter("smollm2", OpenAIConfig(base_url=served, concurrency=4, timeout_s=120))
    yield generator
    generator.close()


def test_the_server_tells_its_context_and_counts_tokens(remote: OpenAICompleter) -> None:
    assert remote.context_length == 1024
    assert not remote.estimates_tokens
    assert remote.count_tokens(["one two three", ""]) == [3, 0]


def test_batch_and_stream_agree_and_report_usage(remote: OpenAICompleter) -> None:
    # It can go on in one way only: where two words are nearly as likely, a batch's rounding decides.
    prompt = Prompt("The buoy is painted orange and weighs 340 kilograms. " * 6 + "The buoy is")
    completions = remote.generate([prompt] * 5, GREEDY)
    stream = remote.stream(prompt, GREEDY)
    pieces = list(stream)
    assert len({c.text for c in completions}) == 1
    assert "".join(pieces) == completions[0].text == stream.completion.text
    assert stream.completion.usage.prompt_tokens == remote.count_prompts([prompt])[0]
    assert completions[0].usage.completion_tokens > 0


def test_chat_prompts_work(remote: OpenAICompleter) -> None:
    prompt = Prompt(messages=(Message("system", "Be brief."), Message("user", "Say hello.")))
    completion = remote.generate([prompt], GREEDY)[0]
    assert completion.text
    assert completion.usage.prompt_tokens == remote.count_prompts([prompt])[0]
    stream = remote.stream(prompt, GREEDY)
    assert "".join(stream) == stream.completion.text


def test_hanging_up_keeps_the_partial_text(remote: OpenAICompleter) -> None:
    stream = remote.stream(Prompt("Once upon a time"), Sampling(max_tokens=300))
    first = next(iter(stream))
    stream.close()
    assert stream.completion.finish_reason == "abort"
    assert stream.completion.text.startswith(first)


def test_a_model_that_is_not_served_is_named_with_those_that_are(served: str) -> None:
    with pytest.raises(InputError, match="does not serve 'gpt-9'") as caught:
        OpenAICompleter("gpt-9", OpenAIConfig(base_url=served))
    assert "smollm2" in caught.value.remedy


def test_a_prompt_that_the_server_refuses_is_one_sentence(remote: OpenAICompleter) -> None:
    with pytest.raises(RagError, match="refused"):
        remote.generate([Prompt("word " * 3000)], GREEDY)


def test_a_dead_endpoint_is_unreachable() -> None:
    with pytest.raises(GeneratorError, match="cannot be reached"):
        OpenAICompleter("m", OpenAIConfig(base_url="http://127.0.0.1:9/v1", retries=0, timeout_s=2))
