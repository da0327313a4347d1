"""Forks a process for each request, with everything imported already: a fault costs a fork instead of seconds.

Reads one JSON object a line and answers with the exit status of the process, negative for a signal. It never uses
FAISS or tantivy itself: their threads would not live through a fork.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import fault_script
from fault_crowd import CROWD
from fault_mutants import MUTANTS, check, put_one

from indexes.backup import restore_snapshot, write_snapshot
from indexes.errors import IndexLockedError, StoreError
from indexes.fail_points import arm
from indexes.index import Index
from indexes.search.dense_faiss import load_faiss
from indexes.store.store import Store

FULL, LOCKED, INTERRUPTED = 28, 75, 130


def snapshot(folder: Path, **_: Any) -> None:
    store = Store.open(folder)
    write_snapshot(store, Path(f"{folder}.snapshot"), replace=True)


def restore(folder: Path, **_: Any) -> None:
    restore_snapshot(Path(f"{folder}.snapshot"), folder, replace=True)
    index = Index.open(folder, write=True)
    with index.writing("test"):
        index.sync()


def script(folder: Path, mutant: str = "", until: int = len(fault_script.STEPS), **_: Any) -> None:
    if mutant:
        MUTANTS[mutant]()
    fault_script.run_script(folder, until=until)


TASKS: dict[str, Callable[..., None]] = {
    "script": script,
    "snapshot": snapshot,
    "restore": restore,
    "put": put_one,
    "check": check,
    **CROWD,
}


def child(request: dict[str, Any]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arm(request.pop("fail", ""), request.pop("log", ""))
    task = TASKS[request.pop("task")]
    try:
        task(Path(request.pop("folder")), **request)
    except KeyboardInterrupt:
        return INTERRUPTED
    except IndexLockedError:
        return LOCKED
    except (OSError, StoreError) as error:
        sys.stderr.write(f"{error}\n")
        return FULL
    except Exception as error:  # noqa: BLE001 - sqlite3's and any other: the test reads it
        full = "disk is full" in str(error) or "disk I/O" in str(error)
        if not full:
            traceback.print_exc()
        return FULL if full else 1
    return 0


def start(request: dict[str, Any]) -> tuple[int, float | None]:
    kill_after = request.pop("kill_after", None)
    pid = os.fork()
    if pid == 0:
        try:
            code = child(request)
        except BaseException:  # noqa: BLE001 - a forked child must never go on as its parent
            traceback.print_exc()
            code = 2
        os._exit(code)
    return pid, kill_after


def wait(pid: int, kill_after: float | None) -> int:
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    load_faiss()
    import tantivy  # noqa: F401

    _say("ready")
    for line in sys.stdin:
        requests = json.loads(line)
        started = [start(request) for request in requests]
        _say(json.dumps([wait(*one) for one in started]))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
