"""The real vLLM engine, started once for the whole suite, and a real server of the bundled model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from rag.config import Config, load_config
from rag.embedding.base import Embedder
from rag.factory import make_generator, open_or_create
from rag.generation.base import Completer
from rag.ingestion.chunker import Chunker, ChunkerSettings
from rag.ingestion.ingestor import Ingestor
from rag.models.resolve import resolve_model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "docs"
READY_WITHIN_S = 240


@pytest.fixture(scope="session")
def cpu_config() -> Config:
    return load_config("cpu", ["generator.type=vllm"]).config


@pytest.fixture(scope="session")
def engine(cpu_config: Config) -> Iterator[Completer]:
    generator = cast("Completer", make_generator(cpu_config))
    yield generator
    generator.close()


@pytest.fixture(scope="session")
def example_index(tmp_path_factory: pytest.TempPathFactory, cpu_config: Config, minilm: Embedder) -> Path:
    folder = tmp_path_factory.mktemp("examples") / ".rag"
    index = open_or_create(folder, cpu_config, minilm)
    with index.writing("tests"):
        Ingestor(index, minilm, Chunker(minilm, ChunkerSettings(size=cpu_config.chunking.size))).run([EXAMPLES])
    return folder


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve bundled:smollm2 with vLLM's own server; yield its base URL; stop it.

    `vllm serve` of the CPU package does not find its own metadata, so its module is started instead.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(resolve_model("bundled:smollm2").path), "--served-model-name", "smollm2",
        "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024", "--max-num-seqs", "8",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
    with log.open("wb") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment, start_new_session=True)
    try:
        _wait_until_ready(server, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.fail(f"the server did not come up:\n{log.read_text(errors='replace')[-3000:]}")
