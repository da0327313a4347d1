"""The application's own pages over what :mod:`hostile_state` made; Streamlit runs them through ``hostile_app.py``."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from hostile_state import OWNER, QUESTION_WORD, names, settings_of

from rag.errors import Failure
from rag.ops.doctor import Finding
from rag.retrieval.filters import Filter
from ui.components.frame import Here, sidebar
from ui.settings import UiSettings, use

__all__ = ["FOLDER", "PAGES"]

FOLDER = "HOSTILE_STATE"
Page = Callable[[Here, list[str]], None]


def _here(**changes: object) -> Here:
    """Return where the page is, with the sidebar that all pages share."""
    return sidebar(use(dataclasses.replace(_settings(), **changes)))  # type: ignore[arg-type]


def _settings() -> UiSettings:
    return settings_of(Path(os.environ[FOLDER]))


def _begin(**state: object) -> None:
    """Set what a user would have chosen, once a session."""
    for key, value in state.items():
        st.session_state.setdefault(key, value)


def documents(_: Here, texts: list[str]) -> None:
    from ui.pages.documents import show

    here = _here()
    _begin(documents_chosen=["documents/texts.json"], filter=Filter())
    _work(here.index, texts)
    show(here)


def documents_headed(_: Here, texts: list[str]) -> None:
    """One document with a title and headings, under a filter that says a payload."""
    from ui.pages.documents import show

    here = _here()
    _begin(documents_chosen=["documents/headed.html"], filter=Filter(sources=("*", texts[0])))
    show(here)


def _work(index: Path, texts: list[str]) -> None:
    """Have ingestions of all states going on; eight files of each are named."""
    from ui.jobs.ingesting import Failed, Ingestion, Work, ingestions

    jobs = ingestions()._jobs
    work = Work(index, "test")
    for number, start in enumerate(range(0, len(texts), 8), start=1):
        files = dict.fromkeys(texts[start : start + 8], "parsing")
        jobs.setdefault(number, Ingestion(number, work, "running", "reading", files))
    failures = tuple(Failed(text, text, text, text) for text in texts[:10])
    report = dict.fromkeys(("added", "changed", "unchanged", "moved", "failed", "chunks"), 1)
    skipped = dict.fromkeys(texts, 1)
    jobs.setdefault(1000, Ingestion(1000, work, "done", report=report, failures=failures, skipped=skipped))


def documents_failed(_: Here, texts: list[str]) -> None:
    """The page of a collection without documents whose ingestion failed."""
    from ui.jobs.ingesting import Ingestion, Work, ingestions
    from ui.pages.documents import show

    here = _here()
    empty = next(
        path for path in here.index.parent.iterdir() if path not in (here.index, here.index.parent / "documents")
    )
    told = "".join(texts)[:400]
    ingestions()._jobs.setdefault(2000, Ingestion(2000, Work(empty, "test"), "failed", message=told, remedy=told))
    show(dataclasses.replace(here, index=empty))


def lab(_: Here, texts: list[str]) -> None:
    from ui.jobs.background import Engines
    from ui.pages.lab import show

    Engines.reranker = lambda self, config: None  # type: ignore[method-assign]  # the bundled reader says nothing more
    here = _here()
    _begin(
        lab_question=QUESTION_WORD,
        lab_values={"lab_k": 50, "lab_weight": 0.0},
        lab_expect=f"documents/{names(texts)[0]}.txt",
    )
    show(here)


def _evaluation(**state: object) -> None:
    from ui.pages.evaluation import show

    here = _here()
    _begin(**state)
    show(here)


def evaluation(_: Here, texts: list[str]) -> None:
    """The newest run, with what came of an evaluation that was started and failed."""
    from ui.jobs.evaluations import Evaluation, Request, evaluations

    class Ended:
        def now(self) -> Evaluation:
            return Evaluation(Request("q"), "failed", 1.0, error="\n".join(texts), remedy="\n".join(texts))

    evaluations()._jobs.setdefault(_settings().runs, Ended())  # type: ignore[arg-type]
    _evaluation()


_CHILD = """
import json, pathlib, sys, time
folder, mode, texts = sys.argv[1], sys.argv[2], json.loads(pathlib.Path(sys.argv[3]).read_text())
def say(**event): print(json.dumps(event), file=sys.stderr, flush=True)
for text in texts:
    say(event="run", run=text, questions=4)
    say(event=text, run=text)
    say(event="questions", done=text, total=text, em=text, f1=text)
    print(" ".join(text.split()), file=sys.stderr)
say(event="run", run="runs/" + folder)
say(event="stage", stage=texts[0])
say(event="questions", done=1, total=4, em=0.25, f1=0.5)
if mode == "running": time.sleep(600)
said = " ".join(" ".join(texts).split())
if mode == "failed": sys.exit("error: " + said + "\\n  " + said)
"""


def evaluation_new(_: Here, texts: list[str]) -> None:
    """The form, of a page that was started with a configuration whose name and folder are payloads."""
    from ui.pages.evaluation import show

    [config] = Path(os.environ[FOLDER]).glob("*.yaml")
    _begin(evaluation_view="new", new_source=st.query_params.get("source", "path"))
    show(_here(config=str(config), paths=(Path("/"),)))


def evaluation_running(_: Here, texts: list[str]) -> None:
    """One that runs, failed or is done (``?mode=``), as another process tells it; and all stages it could name."""
    import sys

    import ui.jobs.evaluations as module
    from ui.pages.evaluation import show
    from ui.views.runs import progress_words

    mode, here = st.query_params.get("mode", "running"), _here()
    runs = here.settings.runs
    told = Path(os.environ[FOLDER]) / "texts.json"
    told.write_text(json.dumps(texts), encoding="utf-8")
    if "began" not in st.session_state:
        st.session_state["began"] = True
        module._evaluations = module.Evaluations([sys.executable, "-c", _CHILD, _run(0), mode, str(told)])
        module.evaluations().start(module.Request(texts[0]), runs, here.settings.state / "evaluations")
    now = module.evaluations().now(runs)
    if mode == "running" and now is not None:
        for text in texts:
            st.progress(
                0.5, progress_words(dataclasses.replace(now, stage=text, point=1, points=2, label=text), here.t)
            )
    show(here)


def evaluation_questions(_: Here, texts: list[str]) -> None:
    _evaluation(evaluation_part="questions", evaluation_run=_run(0))


def evaluation_made(_: Here, texts: list[str]) -> None:
    _evaluation(evaluation_part="made", evaluation_run=_run(1))


def evaluation_broken(_: Here, texts: list[str]) -> None:
    names_ = sorted(path.name for path in _settings().runs.glob("20250101-*"))
    number = int(st.query_params.get("number", "0"))
    _evaluation(evaluation_run=names_[number])


def evaluation_compare(_: Here, texts: list[str]) -> None:
    _evaluation(evaluation_view="compare", evaluation_a=_run(0), evaluation_b=_run(1))


def evaluation_sweeps(_: Here, texts: list[str]) -> None:
    _evaluation(evaluation_view="sweeps")


def _run(number: int) -> str:
    return sorted(path.name for path in _settings().runs.glob("2026*") if (path / "run.json").exists())[number]


def system(_: Here, texts: list[str]) -> None:
    import ui.pages.system as page

    page.ask_doctor = lambda *_: [Finding(text, "fail", text, text) for text in texts]
    [config] = Path(os.environ[FOLDER]).glob("*.yaml")
    page.show(_here(config=str(config), paths=(Path(os.environ[FOLDER]),)))


def chat(_: Here, texts: list[str]) -> None:
    from ui.pages.chat import show
    from ui.storage.chats import Chats, Conversation, Turn

    here = dataclasses.replace(_here(), owner=OWNER)
    if "conversation" not in st.session_state:
        now = st.session_state["conversation"] = Conversation(Chats(here.settings.state), OWNER)
        assert now.open("open")
        failure = Failure("\n".join(texts), "\n".join(texts), 1)
        now.chat.turns.append(Turn("fails", failure=failure))
        now.unsaved = failure
    _begin(filter=Filter(sources=(texts[0],)))
    show(here)


def chat_asked(_: Here, texts: list[str]) -> None:
    """A new chat, over documents that say every payload, for the test to ask in."""
    from ui.pages.chat import show

    show(dataclasses.replace(_here(), owner=OWNER))


PAGES: dict[str, Page] = {
    page.__name__: page
    for page in (documents, documents_headed, documents_failed, lab, evaluation, evaluation_questions, evaluation_made,
                 evaluation_broken, evaluation_compare, evaluation_sweeps, evaluation_new, evaluation_running, system,
                 chat, chat_asked)
}  # fmt: skip
