"""The real in-process vLLM engine with the bundled SmolLM2: one engine for single, streamed and batched prompts."""

from __future__ import annotations

import threading

import pytest

from rag.config import Config, load_config
from rag.embedding.base import Embedder
from rag.errors import PromptTooLongError
from rag.factory import open_index
from rag.generation.base import Completer, Message, Prompt, Sampling
from rag.generation.registry import GENERATORS
from rag.knowledge_base import KnowledgeBase
from rag.model_pool import ModelPool

pytestmark = pytest.mark.engine

STORY = "The buoy Tavro was moored off Lisbon in 2031. It is painted orange and weighs 340 kilograms. " * 6
COLOURS = ("orange", "green", "black", "yellow")
GREEDY = Sampling(max_tokens=12, stop=("\n",))


def ask(question: str) -> Prompt:
    return Prompt(f"Text:\n{STORY}\n\nQuestion: {question}\nAnswer:")


def painted(colour: str) -> Prompt:
    """A prompt that goes on with its colour: where two words are nearly as likely, a batch's rounding decides."""
    story = STORY.replace("orange", colour)
    return Prompt(story + story[: story.index(colour)].rstrip())


def is_painted(text: str, colour: str) -> bool:
    return text.startswith(f" {colour} and weighs 340 kilo")


def test_single_streamed_and_batched_agree(engine: Completer) -> None:
    prompt = painted("orange")
    single = engine.generate([prompt], GREEDY)[0]
    stream = engine.stream(prompt, GREEDY)
    pieces = list(stream)
    batched = engine.generate([prompt, ask("How heavy is it?"), prompt], GREEDY)
    assert single.text and "".join(pieces) == single.text == stream.completion.text
    assert batched[0].text == batched[2].text == single.text
    assert len(pieces) > 1, "a stream comes in pieces"


def test_answers_keep_the_order_of_their_prompts(engine: Completer) -> None:
    for colour, completion in zip(COLOURS, engine.generate([painted(c) for c in COLOURS], GREEDY), strict=True):
        assert is_painted(completion.text, colour)


def test_usage_counts_what_the_tokenizer_counts(engine: Completer) -> None:
    prompt = ask("When was it moored?")
    completion = engine.generate([prompt], GREEDY)[0]
    assert completion.usage.prompt_tokens == engine.count_prompts([prompt])[0]
    assert 1 <= completion.usage.completion_tokens <= GREEDY.max_tokens


def test_a_shared_beginning_comes_from_the_prefix_cache(engine: Completer) -> None:
    engine.generate([ask("What is its name?")], GREEDY)
    again = engine.generate([ask("Where is it moored?")], GREEDY)[0]
    assert again.usage.cached_tokens >= 64


def test_length_limit_is_reported(engine: Completer) -> None:
    completion = engine.generate([Prompt("Once upon a time")], Sampling(max_tokens=4))[0]
    assert completion.finish_reason == "length"
    assert completion.usage.completion_tokens == 4


def test_closing_a_stream_aborts_and_keeps_the_text(engine: Completer) -> None:
    stream = engine.stream(Prompt("Once upon a time there was"), Sampling(max_tokens=400))
    first = next(iter(stream))
    stream.close()
    assert stream.completion.finish_reason == "abort"
    assert stream.completion.text.startswith(first)
    assert engine.generate([ask("Which colour is the buoy?")], GREEDY)[0].text, "the engine goes on"


def test_many_threads_share_the_engine(engine: Completer) -> None:
    found: dict[str, str] = {}

    def work(colour: str) -> None:
        stream = engine.stream(painted(colour), GREEDY)
        for _ in stream:
            pass
        found[colour] = stream.completion.text

    threads = [threading.Thread(target=work, args=(colour,)) for colour in COLOURS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert found.keys() == set(COLOURS)
    assert all(is_painted(text, colour) for colour, text in found.items())


def test_a_prompt_longer_than_the_model_is_an_error_and_harms_nothing(engine: Completer) -> None:
    with pytest.raises(PromptTooLongError):
        engine.generate([Prompt("word " * 5000), ask("Which colour?")], GREEDY)
    assert engine.generate([ask("Which colour is the buoy?")], GREEDY)[0].text


def test_chat_prompts_go_through_the_model_s_template(engine: Completer) -> None:
    prompt = Prompt(messages=(Message("system", "Be brief."), Message("user", "Say hello.")))
    plain = engine.count_tokens(["Be brief.Say hello."])[0]
    assert engine.count_prompts([prompt])[0] > plain
    assert engine.generate([prompt], Sampling(max_tokens=8))[0].text


def test_ask_cites_spans_of_the_documents(
    engine: Completer, example_index, cpu_config: Config, minilm: Embedder
) -> None:
    index = open_index(example_index, cpu_config, minilm)
    models = ModelPool()
    models.put(cpu_config, embedder=minilm, generator=engine)
    knowledge_base = KnowledgeBase(example_index, load_config("cpu", ["generator.type=vllm"]), models)
    answers = knowledge_base.ask_batch(
        [
            "Which phone extension do I ask for when a foghorn will not stop at night?",
            "Who won the football world cup in 1998?",
        ]
    )
    cited, abstained = answers
    assert "288" in cited.text
    assert cited.citations[0].passage.source.endswith("field-manual.pdf")
    assert cited.citations[0].passage.page == 3
    for citation in cited.citations:
        assert index.store.text(citation.passage.source)[citation.start : citation.end] == citation.quote
    assert abstained.abstained and abstained.text == "not in the documents" and abstained.passages


def test_counting_without_the_engine_agrees_with_it(engine: Completer, cpu_config: Config) -> None:
    make_counter = GENERATORS["vllm"].make_counter
    assert make_counter is not None
    counter = make_counter(cpu_config.generator_settings())
    prompts = [ask("Which colour?"), Prompt(messages=(Message("system", "Be brief."), Message("user", STORY)))]
    texts = ["", "one", STORY, "Датчик тумана"]
    assert counter.count_tokens(texts) == engine.count_tokens(texts)
    assert counter.count_prompts(prompts) == engine.count_prompts(prompts)
    assert counter.context_length == engine.context_length


def test_a_completion_says_how_long_it_took(engine: Completer) -> None:
    short, long = engine.generate([ask("Which colour?"), ask("How heavy?")], Sampling(max_tokens=24))
    assert 0 < short.seconds < 60
    assert 0 < long.seconds < 60
