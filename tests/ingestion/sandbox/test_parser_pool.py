"""The pool of parser processes: order, reuse, limits, and what is left when a process is killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from format_samples import SAMPLES

from rag.errors import DocumentError, RagError
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.sandbox import Limits, ParserPool
from rag.types import Document

ROOT = Path(__file__).parents[3]
SLOW = ("Some *words* and ``more`` of them, see `there`_.\n\n" * 20_000).encode()  # minutes of work for docutils
HELLO = b"# Hello\n\nwords\n"


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(1) as made:
        yield made


def wait_until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def outcome(pool: ParserPool, data: bytes, source: str) -> Document | DocumentError:
    try:
        return pool.parse(data, source)
    except DocumentError as error:
        return error


def refusal(pool: ParserPool, data: bytes, source: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        pool.parse(data, source)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value


# What it reads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_a_worker_reads_what_the_loaders_read(pool: ParserPool, name: str) -> None:
    data = SAMPLES[name]()
    assert pool.parse(data, name) == load_bytes(data, name)


def test_results_come_in_the_order_of_the_jobs() -> None:
    jobs = [(f"{n}.txt", b"x" * (1 + 300_000 * (n % 3 == 0))) for n in range(30)]
    with ParserPool(2) as pool:
        results = list(pool.parse_all(jobs))
    assert [job for job, _ in results] == jobs
    assert all(isinstance(found, Document) and found.source == job[0] for job, found in results)


def test_few_jobs_are_in_flight(pool: ParserPool) -> None:
    taken = 0

    def jobs() -> Iterator[tuple[str, bytes]]:
        nonlocal taken
        for n in range(20):
            taken += 1
            yield f"{n}.txt", b"words"

    for done, _ in enumerate(pool.parse_all(jobs()), start=1):
        assert taken - done <= 2


def test_large_jobs_are_not_taken_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.ingestion.sandbox.pool._IN_FLIGHT_BYTES", 1000)
    taken = 0

    def jobs() -> Iterator[tuple[str, bytes]]:
        nonlocal taken
        for n in range(4):
            taken += 1
            yield f"{n}.txt", b"words " * (200 if n < 2 else 1)

    with ParserPool(2) as pool:
        ahead = [taken - done for done, _ in enumerate(pool.parse_all(jobs()), start=1)]
    assert ahead == [0, 0, 1, 0]


def test_several_threads_may_ask_one_pool() -> None:
    found: dict[int, Document] = {}
    with ParserPool(2) as pool:
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: pool.parse(f"text {n}".encode(), f"{n}.txt")}))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool.pids) <= 2
    assert {n: document.text for n, document in found.items()} == {n: f"text {n}" for n in range(8)}


# Reuse ------------------------------------------------------------------------------------------------------


def test_a_worker_is_reused_until_it_is_worn() -> None:
    with ParserPool(1, Limits(files_per_worker=2)) as pool:
        seen = []
        for _ in range(4):
            pool.parse(HELLO, "a.md")
            seen.append(pool.pids)
    assert [len(pids) for pids in seen] == [1, 0, 1, 0]
    assert seen[0] != seen[2]


@pytest.mark.slow
def test_nothing_is_left_open_after_many_workers() -> None:
    with ParserPool(1, Limits(files_per_worker=1)) as pool:
        pool.parse(HELLO, "a.md")
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            pool.parse(HELLO, "a.md")
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_pool_has_no_processes_and_takes_no_files() -> None:
    with ParserPool(1) as pool:
        pool.parse(HELLO, "a.md")
        (pid,) = pool.pids
    assert not is_alive(pid)
    assert pool.pids == []
    with pytest.raises(RagError, match="closed"):
        pool.parse(HELLO, "a.md")


def test_a_pool_that_is_forgotten_ends_its_processes() -> None:
    pool = ParserPool(1)
    pool.parse(HELLO, "a.md")
    (pid,) = pool.pids
    del pool
    gc.collect()
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("wrong", [{"memory_mb": 0}, {"wall_seconds": -1.0}, {"bounds": Bounds(entries=0)}])
def test_limits_are_more_than_nothing(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        Limits(**wrong)


# Limits -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_file_that_takes_too_long_costs_itself_only() -> None:
    with ParserPool(1, Limits(wall_seconds=1.0)) as pool:
        found = list(pool.parse_all([("a.md", HELLO), ("slow.rst", SLOW), ("b.md", HELLO)]))
        first, slow, last = (result for _, result in found)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(slow, DocumentError)
    assert (slow.reason, slow.message) == ("timeout", "reading it took more than 1 s")


@pytest.mark.slow
def test_processor_time_is_limited_by_the_kernel() -> None:
    with ParserPool(1, Limits(cpu_seconds=1)) as pool:
        error = refusal(pool, SLOW, "slow.rst")
        assert (error.reason, error.message) == ("timeout", "reading it took more than 1 s of processor time")
        assert pool.parse(HELLO, "a.md").title == "Hello"


@pytest.mark.slow
def test_a_stopped_process_is_overdue_too() -> None:
    with ParserPool(1, Limits(wall_seconds=1.0)) as pool:
        pool.parse(HELLO, "a.md")
        os.kill(pool.pids[0], signal.SIGSTOP)
        assert refusal(pool, bytes(b"x" * 5_000_000), "a.txt").reason == "timeout"
        assert pool.parse(HELLO, "a.md").title == "Hello"


@pytest.mark.slow
def test_memory_is_limited() -> None:
    data = json.dumps([{"key": n, "below": [n, [n]]} for n in range(80_000)]).encode()
    with ParserPool(1, Limits(memory_mb=32)) as pool:
        assert refusal(pool, data, "a.json").reason == "memory"
        assert pool.parse(HELLO, "a.md").title == "Hello"
    with ParserPool(1) as pool:
        assert isinstance(pool.parse(data, "a.json"), Document)


@pytest.mark.slow
def test_large_files_are_refused() -> None:
    data = b"words " * 400_000
    with ParserPool(1, Limits(file_mb=2)) as pool:
        assert refusal(pool, data, "a.txt").reason == "too large"
    with ParserPool(1, Limits(bounds=Bounds(text_mb=2))) as pool:
        assert refusal(pool, data, "a.txt").reason == "too large"


# Death ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "reason"), [(signal.SIGKILL, "killed"), (signal.SIGSEGV, "crashed")])
def test_a_worker_killed_in_the_middle_costs_its_file(sent: signal.Signals, reason: str) -> None:
    with ParserPool(1) as pool:
        pool.parse(HELLO, "a.md")
        (pid,) = pool.pids
        idle = cpu_ticks(pid)
        results: list[Document | DocumentError] = []
        thread = threading.Thread(target=lambda: results.append(outcome(pool, SLOW, "slow.rst")))
        thread.start()
        wait_until(lambda: cpu_ticks(pid) > idle + 20)
        os.kill(pid, sent)
        thread.join(60)
        (error,) = results
        assert isinstance(error, DocumentError)
        assert (error.reason, bool(error.remedy)) == (reason, True)
        assert pool.parse(HELLO, "a.md").title == "Hello"
        assert pool.pids != [pid]


ANSWERS = {
    "closes its pipe and ends": "os.close(1)",
    "closes its pipe and goes on": "os.close(1); import time; time.sleep(600)",
    "says nothing": "write_message(sys.stdout.buffer, {})",
    "lists nonsense": "write_message(sys.stdout.buffer, [1, 2])",
    "fails without a reason": "write_message(sys.stdout.buffer, {'resident': 0, 'error': []})",
}


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_worker_that_gives_no_answer_costs_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        "import os, sys\n"
        "from rag.ingestion.sandbox.protocol import read_message, write_message\n"
        "read_message(sys.stdin.buffer)\nwrite_message(sys.stdout.buffer, {'resident': 0})\n"
        f"read_message(sys.stdin.buffer)\n{answer}\n"
    )
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with ParserPool(1) as pool:
        assert refusal(pool, HELLO, "a.md").reason in ("crashed", "killed")


def test_a_worker_that_died_idle_costs_nothing(pool: ParserPool) -> None:
    pool.parse(HELLO, "a.md")
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    assert pool.parse(HELLO, "a.md").title == "Hello"


@pytest.mark.slow
def test_giving_up_half_way_ends_the_busy_workers() -> None:
    with ParserPool(2) as pool:
        results = pool.parse_all([("a.md", HELLO), ("slow.rst", SLOW), ("also.rst", SLOW), ("b.md", HELLO)])
        next(results)
        started = time.monotonic()
        results.close()
        assert time.monotonic() - started < 30
        assert pool.parse(HELLO, "a.md").title == "Hello"


PARENT = """
import sys
from rag.ingestion.sandbox import ParserPool
pool = ParserPool(2)
jobs = [("a.md", b"x"), ("b.md", b"x"), *[(f"{n}.rst", sys.stdin.buffer.read() if n == 0 else b"x") for n in range(3)]]
for n, _ in enumerate(pool.parse_all(iter(jobs))):
    if n == 0:
        print(*pool.pids, flush=True)
"""


@pytest.mark.slow
def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "slow.rst").write_bytes(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "slow.rst").open("rb") as slow:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=slow, stdout=subprocess.PIPE, text=True, env=environment
        )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        wait_until(lambda: any(cpu_ticks(pid) > 100 for pid in pids if is_alive(pid)))
        parent.kill()
    wait_until(lambda: not any(map(is_alive, pids)), seconds=10)


# The box ----------------------------------------------------------------------------------------------------


def run_boxed(code: str) -> str:
    shut = (
        "from rag.ingestion.sandbox.isolation import isolate\n"
        "from rag.ingestion.sandbox import Limits\n"
        "how = isolate(Limits())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", shut + code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def test_a_worker_has_no_network() -> None:
    output = run_boxed("import socket\ntry:\n    socket.socket()\nexcept PermissionError as error:\n    print(error)")
    assert output == "a parser may not use socket.__new__"
    devices = run_boxed(
        "print(how, *(line.split(':')[0].strip() for line in open('/proc/self/net/dev') if ':' in line))"
    )
    assert devices == "namespace lo" or devices.startswith("python ")


@pytest.mark.slow
def test_a_worker_starts_no_process_and_writes_no_file(tmp_path: Path) -> None:
    assert "may not use os.system" in run_boxed("import os; os.system('true')")
    assert "may not use subprocess.Popen" in run_boxed("import subprocess; subprocess.run(['true'])")
    assert "File too large" in run_boxed(f"open({str(tmp_path / 'x')!r}, 'w').write('x' * 99999)")


@pytest.mark.slow
def test_a_worker_gets_no_secrets_and_loads_no_model_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    with ParserPool(1) as pool:
        for name, make in SAMPLES.items():
            pool.parse(make(), name)
        (pid,) = pool.pids
        assert b"secret-key" not in Path(f"/proc/{pid}/environ").read_bytes()
        maps = Path(f"/proc/{pid}/maps").read_text()
    for library in ("torch", "faiss", "vllm", "tantivy"):
        assert f"/{library}/" not in maps


def test_a_worker_that_answers_nonsense_costs_its_file(monkeypatch: pytest.MonkeyPatch, pool: ParserPool) -> None:
    monkeypatch.setattr("rag.ingestion.sandbox.protocol.Section", lambda *_: int("nonsense"))
    assert refusal(pool, HELLO, "a.md").reason == "crashed"
    monkeypatch.undo()
    assert pool.parse(HELLO, "a.md").title == "Hello"


def test_importing_the_packages_loads_no_library_of_a_format() -> None:
    heavy = ("bs4", "docutils", "lxml", "odfdo", "openpyxl", "pptx", "pylatexenc", "webvtt")
    code = (
        f"import sys, rag.ingestion.sandbox, rag.ingestion.loaders\nprint(*sorted(set(sys.modules) & set({heavy!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("output", ["", "echo 'Welcome to this machine.'; sleep 9"], ids=["silent", "prints"])
def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho 'no such interpreter' >&2\n{output}\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with ParserPool(1) as pool, pytest.raises(RagError, match=r"did not start: no such interpreter"):
        pool.parse(HELLO, "a.md")
