"""How many of the project's files are involved in one document or one question, and how often the code changes file.

    python -m benchmarks.code_walk [ingest|ask|page] [--config NAME] [--files]      # 30 seconds

Three walks, each in a fresh process, with the embedder already prepared for this machine:
- ``ingest``, ``ask``: ``rag ingest`` of one PDF, and ``rag ask`` of one question over its index (preset ``cpu``);
- ``page``: one question on the open chat page, run by ``AppTest`` over three short documents, the models loaded before
  the trace begins (preset ``test``, whose models are fakes, as in ``tests/ui``).

The trace has every call of a named function in the project's files. Code that runs at import (modules, class bodies),
lambdas and comprehensions are left out; a generator that resumes is a call. A file is *entered* if one of its functions
is called. A *jump* is a call in another file than the call before it in the same thread; returns are not counted.
Child processes, such as those that parse, are not traced. The figures are in code_structure.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import pairwise
from pathlib import Path
from types import FrameType
from unittest import mock

import rag

ROOT = Path(rag.__file__).resolve().parents[1]
FOLDERS = tuple(f"{ROOT / name}{os.sep}" for name in ("rag", "indexes", "eval", "ui", "configs"))
PDF = ROOT / "examples" / "docs" / "manuals" / "field-manual.pdf"
PDF_QUESTION = "Which extension do I ask for when a horn will not stop at night?"
DOCUMENTS = {
    "fog.md": "# Fog\n\nThe fog sensor weighs 3.4 kg and stands on the mast beside the old lighthouse by the sea.",
    "canteen.txt": "Lentil soup is served on Mondays. A bowl costs four tokens.\n",
    "mast.txt": "The mast is 31 metres tall.\n",
}
QUESTION = "How much does the fog sensor weigh and where does it stand?"
calls: defaultdict[int, list[str]] = defaultdict(list)  # for each thread, the file of each call


def on_event(frame: FrameType, event: str, _: object) -> None:
    """Record a call of a named function of the project."""
    code = frame.f_code
    is_named_function = code.co_flags & CO_OPTIMIZED and not code.co_name.startswith("<")
    if event == "call" and is_named_function and code.co_filename.startswith(FOLDERS):
        calls[threading.get_ident()].append(str(Path(code.co_filename).relative_to(ROOT)))


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Record the calls of this thread, and of threads that start inside."""
    threading.setprofile(on_event)
    sys.setprofile(on_event)
    yield
    sys.setprofile(None)
    threading.setprofile(None)


def run_rag(*arguments: object) -> None:
    """Run a ``rag`` command in this process."""
    from rag.cli.main import main

    if code := main([str(argument) for argument in arguments]):
        raise RuntimeError(f"rag {arguments[0]} ended with exit code {code}: run the same command to see why")


def prepare(documents: Path, index: Path, config: str) -> None:
    """Ingest in a child process, so that this one has loaded and cached nothing."""
    command = [sys.executable, "-m", "rag", "ingest", str(documents), "--index", str(index), "--config", config]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def walk_command(folder: Path, config: str, command: str, argument: str) -> None:
    """Trace ``rag ingest`` of the PDF into a new index, or ``rag ask`` over an index of it."""
    index = folder / ".rag"
    prepare(PDF, index if command == "ask" else folder / "other", config)
    with recording():
        run_rag(command, argument, "--index", index, "--config", config)


def walk_page(folder: Path, config: str) -> None:
    """Trace a question on the chat page, in a browser whose cookie makes it the owner of its chats."""
    import streamlit as st
    from streamlit.runtime.context import StreamlitCookies
    from streamlit.testing.v1 import AppTest

    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    prepare(folder, folder / ".rag", config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scripts: list[str] = []
    with mock.patch.object(st.App, "run", lambda app, **_: scripts.append(str(app.script_path))):  # serve nothing
        run_rag("ui", "--index", folder / ".rag", "--config", config, "--port", port)
    with mock.patch.object(type(st.context), "cookies", StreamlitCookies({"rag_browser": "b" * 43})):
        first, page = [AppTest.from_file(scripts[0], default_timeout=120).run() for _ in range(2)]
        first.chat_input[0].set_value("How tall is the mast?").run()  # waits for the models
        with recording():
            page.chat_input[0].set_value(QUESTION).run()
    if page.exception or len(page.chat_message) != 2:
        raise RuntimeError(f"the page gives no answer: {page.exception}")


WALKS: dict[str, tuple[str, Callable[[Path, str], None]]] = {
    "ingest": ("cpu", partial(walk_command, command="ingest", argument=str(PDF))),
    "ask": ("cpu", partial(walk_command, command="ask", argument=PDF_QUESTION)),
    "page": ("test", walk_page),
}


def measure(name: str, config: str | None) -> tuple[list[str], int]:
    """Return the files entered and the number of jumps of a walk. Call it once in a process."""
    preset, walk = WALKS[name]
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, out, err:
        walk(Path(folder), config or preset)
    jumps = sum(here != there for files in calls.values() for here, there in pairwise(files))
    return sorted({file for files in calls.values() for file in files}), jumps


def main() -> None:
    """Print a row for each walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("walk", nargs="?", choices=WALKS, help="default: all")
    parser.add_argument("--config", help="one preset for all walks")
    parser.add_argument("--files", action="store_true", help="list the files")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    print("walk    files   jumps")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in [args.walk] if args.walk else WALKS:
            files, jumps = pool.submit(measure, name, args.config).result()
            print(f"{name:7} {len(files):5} {jumps:7,}", *(files if args.files else ()), sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
