"""vLLM in this process: one engine for single, streamed and batched prompts, with continuous batching.

vLLM's engine schedules and batches. One thread owns it, because it is not thread-safe. Callers send that thread prompts
and receive text from queues, so any number of threads can wait on one engine. Closing a stream aborts its request.

On a CPU the engine core runs in this process (a separate one takes several times longer to start); on GPUs it runs in
vLLM's worker processes, vLLM's default. The GPU path is tested against stand-ins only: it has not run on a GPU.
"""

from __future__ import annotations

import atexit
import itertools
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import GeneratorError, MissingPackageError, PromptTooLongError
from rag.generation.base import Completion, Prompt, Sampling
from rag.generation.token_counter import TokenizerCounter
from rag.models.quiet import quiet_libraries
from rag.models.resolve import resolve_model
from rag.text import error_line
from rag.types import Usage

if TYPE_CHECKING:
    from rag.config import VllmConfig

__all__ = ["VllmCompleter", "cpu_has_bfloat16", "free_memory_share", "machine_arguments"]

_STOP = object()
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel and AMD name the first two, Arm the last
_RESERVE_BYTES = 512 * 2**20  # of a GPU, for CUDA graphs and the embedder's temporary allocations
_MOST_MEMORY = 0.92


class VllmCompleter(TokenizerCounter):
    """A vLLM engine. Starting it takes seconds to minutes; every later call shares it."""

    name = "vllm"

    def __init__(self, model: str, *, revision: str | None = None, settings: VllmConfig) -> None:
        if find_spec("vllm") is None:
            raise MissingPackageError(
                "vLLM is not installed",
                "install it with `make install` (CPU) or `pip install 'rag-qa[gpu]'` (GPU), or ask another generator "
                "with --set generator.type=openai",
            )
        local = resolve_model(model, revision)
        arguments: dict[str, Any] = {
            "model": str(local.path),
            "served_model_name": [model],
            "trust_remote_code": False,
            "dtype": settings.dtype,
            "max_model_len": settings.max_model_len,
            "max_num_seqs": settings.max_num_seqs,
            "tensor_parallel_size": settings.tensor_parallel_size,
            "quantization": settings.quantization,
            "enable_prefix_caching": settings.prefix_caching,
            "seed": settings.seed,
            "disable_log_stats": True,
        }
        import torch

        _set_environment(settings.cpu_cache_gib, gpu=torch.cuda.is_available())
        arguments.update(machine_arguments(torch, settings))
        self._engine: Any = None
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._failure: str | None = None
        self._closed = False
        started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._own_engine, args=(arguments, started), name="vllm-engine", daemon=True
        )
        self._thread.start()
        error = started.get()
        if error is not None:
            raise GeneratorError(
                f"vLLM could not start with {model}: {error_line(error)}", "run `rag doctor`"
            ) from error
        atexit.register(self.close)
        engine: Any = self._engine  # made by the thread
        super().__init__(engine.get_tokenizer(), int(engine.model_config.max_model_len))

    # The owner thread ---------------------------------------------------------------------------------------

    def _own_engine(self, arguments: dict[str, Any], started: queue.SimpleQueue[BaseException | None]) -> None:
        try:
            with quiet_libraries():
                from vllm.engine.arg_utils import EngineArgs
                from vllm.v1.engine.llm_engine import LLMEngine

                self._engine = LLMEngine.from_engine_args(EngineArgs(**arguments))
        except BaseException as error:  # noqa: BLE001 - any error of the engine goes to the caller, which reports it
            started.put(error)
            return
        started.put(None)
        sinks: dict[str, queue.SimpleQueue[Any]] = {}
        try:
            while self._take_commands(sinks):
                for output in self._engine.step():
                    sink = sinks.get(output.request_id)
                    if sink is not None:
                        sink.put((output, time.monotonic()))
                        if output.finished:
                            del sinks[output.request_id]
        except BaseException as error:  # noqa: BLE001 - a stopped engine must wake every waiting caller
            self._failure = error_line(error)
        for sink in sinks.values():
            sink.put(GeneratorError(f"vLLM stopped: {self._failure or 'it was closed'}", "start again"))

    def _take_commands(self, sinks: dict[str, queue.SimpleQueue[Any]]) -> bool:
        """Run the callers' commands, waiting only while the engine is idle. Return False to stop."""
        while True:
            try:
                command = self._inbox.get(block=not self._engine.has_unfinished_requests())
            except queue.Empty:
                return True
            if command is _STOP:
                return False
            name, prompt, params, sink = command
            if prompt is None:
                self._engine.abort_request([name])
                if sinks.pop(name, None) is not None:
                    sink.put(None)
                continue
            try:
                sinks[name] = sink
                self._engine.add_request(name, prompt, params)
            except Exception as error:  # noqa: BLE001 - one refused request must not end the others
                del sinks[name]
                sink.put(GeneratorError(f"vLLM refused the prompt: {error_line(error)}", "run `rag doctor`"))

    # Callers ------------------------------------------------------------------------------------------------

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Submit all prompts at once and wait for all of them."""
        streams: list[VllmStream] = []
        try:
            streams.extend(self._submit(prompt, sampling, whole=True) for prompt in prompts)
            for stream in streams:
                for _ in stream:
                    pass
        except BaseException:
            for stream in streams:
                stream.close()
            raise
        return [stream.completion for stream in streams]

    def stream(self, prompt: Prompt, sampling: Sampling) -> VllmStream:
        """Submit one prompt and return its text as it is generated."""
        return self._submit(prompt, sampling, whole=False)

    def _submit(self, prompt: Prompt, sampling: Sampling, *, whole: bool) -> VllmStream:
        if self._closed or self._failure is not None:
            raise GeneratorError(f"vLLM stopped: {self._failure or 'it was closed'}", "start again")
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        ids = self.token_ids(prompt)
        if len(ids) >= self.context_length:
            raise PromptTooLongError(
                f"the prompt has {len(ids)} tokens, and the model reads {self.context_length} with its answer",
                "ask something shorter, or set a larger generator.vllm.max_model_len",
            )
        params = SamplingParams(
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            output_kind=RequestOutputKind.FINAL_ONLY if whole else RequestOutputKind.DELTA,
        )
        name = f"request-{next(self._numbers)}"
        sink: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._inbox.put((name, {"prompt_token_ids": ids}, params, sink))
        return VllmStream(self, name, sink)

    def abort(self, name: str, sink: queue.SimpleQueue[Any]) -> None:
        """Ask the engine to abort a request."""
        self._inbox.put((name, None, None, sink))

    @property
    def alive(self) -> bool:
        """Whether the engine's thread is running."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop the engine and its thread."""
        if self._closed:
            return
        self._closed = True
        self._inbox.put(_STOP)
        self._thread.join(timeout=30)
        shutdown = getattr(getattr(self._engine, "engine_core", None), "shutdown", None)
        if shutdown is not None:
            with quiet_libraries():
                shutdown()
        atexit.unregister(self.close)


class VllmStream:
    """One request's text; see :class:`~rag.generation.base.TextStream`."""

    def __init__(self, generator: VllmCompleter, name: str, sink: queue.SimpleQueue[Any]) -> None:
        self._generator, self._name, self._sink = generator, name, sink
        self._text = ""
        self._reason = ""
        self._usage = Usage()
        self._submitted = self._finished = time.monotonic()

    def __iter__(self) -> Iterator[str]:
        try:
            while not self._reason:
                output = self._next()
                if output is None:
                    self._reason = "abort"
                    return
                piece = self._take(output)
                if piece:
                    yield piece
        finally:
            if not self._reason:
                self.close()

    def _next(self) -> Any:
        while True:
            try:
                output = self._sink.get(timeout=1.0)
                break
            except queue.Empty:
                if not self._generator.alive and self._sink.empty():
                    output = GeneratorError("vLLM stopped", "start again")
                    break
        if isinstance(output, Exception):
            self._reason = "error"
            raise output
        if output is None:
            return None
        output, self._finished = output
        return output

    def _take(self, output: Any) -> str:
        piece: str = output.outputs[0].text
        self._text += piece
        read = len(output.prompt_token_ids or ())
        written = self._usage.completion_tokens + len(output.outputs[0].token_ids)
        self._usage = Usage(read, written, int(output.num_cached_tokens or 0))
        if output.finished:
            self._reason = str(output.outputs[0].finish_reason or "stop")
        return piece

    def close(self) -> None:
        """Abort the request if it still runs."""
        if not self._reason:
            self._reason = "abort"
            self._generator.abort(self._name, self._sink)

    @property
    def completion(self) -> Completion:
        """The whole completion, once there is one."""
        if not self._reason:
            raise RuntimeError("the stream is still running")
        return Completion(self._text, self._reason, self._usage, self._finished - self._submitted)


def machine_arguments(torch: Any, settings: VllmConfig) -> dict[str, Any]:
    """Return the engine arguments that depend on the machine.

    On GPUs vLLM takes the memory that the embedder and the FAISS index, both loaded by now, leave free.
    """
    if torch.cuda.is_available():
        share = settings.memory_share
        if share is None:
            share = free_memory_share(*torch.cuda.mem_get_info())
        return {"gpu_memory_utilization": share, "enforce_eager": bool(settings.enforce_eager)}
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "bfloat16" if cpu_has_bfloat16() else "float32"
    # Compiling takes longer than a laptop's answers would ever save.
    return {"dtype": dtype, "enforce_eager": True if settings.enforce_eager is None else settings.enforce_eager}


def cpu_has_bfloat16(cpuinfo: str | None = None) -> bool:
    """Return whether the CPU has bf16 arithmetic. Otherwise bf16 is emulated, several times slower than fp32."""
    if cpuinfo is None:
        path = Path("/proc/cpuinfo")
        cpuinfo = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return not _BF16_FLAGS.isdisjoint(value.split())
    return False


def free_memory_share(free: int, total: int) -> float:
    """Return the share of a GPU's memory that vLLM may take: what embedder and index leave free, less a reserve.

    ``free`` and ``total`` are bytes, as ``torch.cuda.mem_get_info`` returns them after both were loaded.
    """
    return round(max(0.0, min(_MOST_MEMORY, (free - _RESERVE_BYTES) / total)), 3)


def _set_environment(cpu_cache_gib: int, *, gpu: bool) -> None:
    """Set what vLLM reads from the environment. Values set by the user take precedence."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # nothing is sent anywhere
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    if not gpu:
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(cpu_cache_gib))
