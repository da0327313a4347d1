"""Answering through vLLM: batched against one by one, a cache-friendly prompt against a naive one, and overhead.

    python -m benchmarks.generation                 # about 12 minutes on 2 cores; keep the machine idle
    python -m benchmarks.generation batch           # one of: batch, prefix, overhead

Needs the index that `python -m benchmarks.retrieval_squad` makes. Every measurement uses questions of its own, so
that none profits from what another left in the prefix cache. The last figures are in benchmarks/generation.md.

* batch: `KnowledgeBase.ask_batch` of 16 questions against 16 calls of `KnowledgeBase.ask`; as shipped (answers of a few
  tokens), and with every answer written to 64 tokens (no stop string), as a longer-winded model or prompt would.
* prefix: five questions for each of 12 paragraphs; the product's order (passages before the question, prompts sorted)
  against the question before the passages and prompts shuffled.
* overhead: `KnowledgeBase.ask_batch` of 64 questions against `vllm.LLM.generate` on the very prompts that it built,
  each in a fresh process, alternating; the median of five each, and the processor seconds of both, which a noisy
  neighbour on the host disturbs less than the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import cast

from benchmarks.squad import WORK, load_questions
from rag.answering.answerer import WritingAnswerer
from rag.config import load_config
from rag.generation.base import Completion, Prompt, Sampling
from rag.generation.prompt_builder import answer_tokens, cache_order
from rag.generation.vllm import machine_arguments
from rag.knowledge_base import KnowledgeBase
from rag.models.resolve import resolve_model
from rag.retrieval.filters import Filter

# Without a reranker, which would be most of the time outside the engine.
SETTINGS = ["generator.type=vllm", "retrieval.k=5", "retrieval.rerank=off", "retrieval.min_relevance=-1"]
RESOLVED = load_config("cpu", SETTINGS)
CONFIG = RESOLVED.config
MAX_TOKENS = answer_tokens(CONFIG.prompt, CONFIG.generator.vllm.max_model_len or 2048)
ROUNDS = 3


def _open() -> KnowledgeBase:
    kb = KnowledgeBase(WORK / "retrieval-default" / ".rag", RESOLVED)
    kb.ask_batch(["What is warmed up here?", "And what here?"])
    return kb


def _answerer(kb: KnowledgeBase) -> WritingAnswerer:
    return cast("WritingAnswerer", kb.answerer)


def _questions(count: int, seed: int) -> list[str]:
    return [q.text for q in random.Random(seed).sample(load_questions(), count)]


def batch() -> None:
    """Compare 16 questions in one batch with 16 single ones, on different questions each time."""
    kb = _open()
    builder = _answerer(kb).builder
    shipped = builder.sampling
    for name, sampling in (("as shipped", shipped), ("64 tokens", Sampling(64))):
        builder.sampling = sampling
        _compare_batch(kb, name)
    kb.close()


def _compare_batch(kb: KnowledgeBase, name: str) -> None:
    single = batched = 0.0
    tokens = 0
    base = 0 if name == "as shipped" else 100
    sets = [_questions(16, base + seed) for seed in range(2 * ROUNDS)]
    for one, many in zip(sets[::2], sets[1::2], strict=True):
        started = time.monotonic()
        for question in one:
            kb.ask(question)
        middle = time.monotonic()
        answers = kb.ask_batch(many)
        single += middle - started
        batched += time.monotonic() - middle
        tokens += sum(a.usage.completion_tokens for a in answers)
    asked = 16 * ROUNDS
    print(
        f"{name} ({tokens / asked:.1f} tokens an answer): one by one {asked / single:.2f} questions/s, "
        f"batched {asked / batched:.2f}, ratio {single / batched:.2f}",
        flush=True,
    )


def prefix() -> None:
    """Compare the product's prompt order with a naive one, on different paragraphs."""
    kb = _open()
    answerer = _answerer(kb)
    by_source: dict[str, list[str]] = {}
    for question in load_questions():
        by_source.setdefault(question.source, []).append(question.text)
    sources = [s for s, texts in by_source.items() if len(texts) >= 5]
    random.Random(0).shuffle(sources)
    rng = random.Random(1)
    totals = {"friendly": [0.0, 0, 0], "naive": [0.0, 0, 0]}
    for number in range(2 * ROUNDS):
        name = "friendly" if number % 2 == 0 else "naive"
        prompts = [
            _prompt(kb, text, source, naive=name == "naive")
            for source in sources[12 * number : 12 * number + 12]
            for text in by_source[source][:5]
        ]
        rng.shuffle(prompts)
        if name == "friendly":
            prompts = [prompts[n] for n in cache_order(prompts)]
        started = time.monotonic()
        completions = answerer.generator.generate(prompts, answerer.builder.sampling)
        totals[name][0] += time.monotonic() - started
        totals[name][1] += sum(c.usage.cached_tokens for c in completions)
        totals[name][2] += sum(c.usage.prompt_tokens for c in completions)
    for name, (seconds, cached, tokens) in totals.items():
        print(
            f"{name:8} {60 * ROUNDS / seconds:.2f} questions/s, {cached / tokens:.0%} of {tokens} prompt tokens cached"
        )
    print(f"ratio {totals['naive'][0] / totals['friendly'][0]:.2f}")
    kb.close()


def _prompt(kb: KnowledgeBase, question: str, source: str, *, naive: bool) -> Prompt:
    found = kb.retriever.retrieve(question, only=Filter(sources=(source,)), k=1)
    text = _answerer(kb).builder.build(question, found.passages).prompt.text
    if not naive:
        return Prompt(text)
    head, _, rest = text.rpartition("Text:\n")
    context, _, asked = rest.rpartition("\n\nQuestion:")
    return Prompt(f"{head}Question:{asked.removesuffix('Answer:')}Text:\n{context}\nAnswer:")


def overhead() -> None:
    """Alternate the product and raw vLLM, each in a fresh process, and compare their medians."""
    seconds: dict[str, list[tuple[float, float]]] = {"product": [], "raw": []}
    for number in range(5):
        for name in seconds if number % 2 == 0 else reversed(seconds):
            command = [sys.executable, "-m", "benchmarks.generation", f"_{name}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            wall, processor = map(float, done.stdout.strip().splitlines()[-1].split())
            seconds[name].append((wall, processor))
            print(f"round {number + 1}: {name} {wall:.2f} s, {processor:.2f} processor s", flush=True)
    for column, label in enumerate(("clock", "processor")):
        ours, raw = (median(pair[column] for pair in seconds[name]) for name in ("product", "raw"))
        print(f"{label}: product {ours:.2f} s / raw vLLM {raw:.2f} s = {ours / raw:.3f} over 64 questions")


def _run_product() -> None:
    kb = _open()
    seen: list[str] = []
    generator = _answerer(kb).generator
    inner = generator.generate

    def generate(prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        seen.extend(p.text for p in prompts)
        return inner(prompts, sampling)

    generator.generate = generate  # type: ignore[method-assign]  # records the prompts
    started, before = time.monotonic(), time.process_time()
    kb.ask_batch(_questions(64, 99))
    print(time.monotonic() - started, time.process_time() - before)
    (WORK / "overhead-prompts.json").write_text(json.dumps(seen), encoding="utf-8")


def _run_raw() -> None:
    import torch

    from rag.generation.vllm import _set_environment

    prompts = json.loads((WORK / "overhead-prompts.json").read_text(encoding="utf-8"))
    part = CONFIG.generator.vllm
    _set_environment(part.cpu_cache_gib, gpu=torch.cuda.is_available())
    from vllm import LLM, SamplingParams

    arguments = machine_arguments(torch, part)
    engine = LLM(
        model=str(resolve_model(CONFIG.generator.model).path),
        max_model_len=part.max_model_len,
        max_num_seqs=part.max_num_seqs,
        enable_prefix_caching=True,
        seed=part.seed,
        **arguments,
    )
    sampling = SamplingParams(temperature=0.0, max_tokens=MAX_TOKENS, stop=["\n"])
    head = prompts[0].rpartition("Text:\n")[0]
    engine.generate(
        [f"{head}Text:\nWarm.\n\nQuestion: {q}\nAnswer:" for q in ("What?", "Who?")], sampling, use_tqdm=False
    )
    started, before = time.monotonic(), time.process_time()
    engine.generate(prompts, sampling, use_tqdm=False)
    print(time.monotonic() - started, time.process_time() - before)


PARTS = {"batch": batch, "prefix": prefix, "overhead": overhead, "_product": _run_product, "_raw": _run_raw}


def main() -> None:
    """Run one part or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=PARTS, metavar="batch|prefix|overhead")
    chosen = parser.parse_args().part
    for name in [chosen] if chosen else ["batch", "prefix", "overhead"]:
        # Each in a process of its own: an engine is not taken down cleanly enough to start a second beside it.
        if chosen:
            PARTS[name]()
        else:
            subprocess.run([sys.executable, "-m", "benchmarks.generation", name], check=True)


if __name__ == "__main__":
    main()
