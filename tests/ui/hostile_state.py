"""An index, runs, sweeps, chats and a configuration in which every name and every text is a stranger's.

What a file system allows is a name as it is; elsewhere the payload stands whole. Built once for the tests of the pages.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.files import write_json
from eval.runs import FORMAT
from rag.types import Answer, Citation, Note, Passage, Sentence, Usage
from ui.jobs.ingest_job import run_job
from ui.settings import UiSettings
from ui.storage.chats import Chat, Chats, Conversation, Turn
from ui.storage.uploads import Incoming, StoredUpload, Uploads

__all__ = ["OWNER", "answer_of", "build", "names", "settings_of"]

OWNER = "f" * 64
QUESTION_WORD = "alpha"
_MOST_NAME = 60  # characters: what every list shows whole
_BROKEN = 12


def names(texts: Sequence[str]) -> list[str]:
    """Return the payloads as names of files: slashes turned, which browsers take for slashes, no control characters."""
    turned = dict.fromkeys(" ".join(text.split()).replace("/", "\\") for text in texts)
    return [n for n in turned if len(n) <= _MOST_NAME and not n.startswith(".") and n.isprintable()]


def settings_of(folder: Path) -> UiSettings:
    """Return the settings of a page over what :func:`build` made: the index folder has a payload for its name."""
    [index] = (folder / "collections").glob("*img*")
    return UiSettings(index, "test", runs=folder / "runs", state_folder=folder / "state")


def build(folder: Path, texts: Sequence[str]) -> None:
    """Make everything below a folder."""
    legal = names(texts)
    collections = folder / "collections"
    index = collections / next(name for name in legal if name.startswith("<img"))
    for name in [index.name, *legal[:8]]:
        (collections / name).mkdir(parents=True, exist_ok=True)
        (collections / name / "collection.json").write_text("{}", encoding="utf-8")
    _documents(folder, index, texts)
    _runs(folder / "runs", texts)
    _sweep(folder / "runs", texts)
    _chats(folder / "state", texts)
    _configuration(folder, texts)


# Documents ----------------------------------------------------------------------------------------------------------


def _documents(folder: Path, index: Path, texts: Sequence[str]) -> None:
    documents = index.parent / "documents"
    documents.mkdir()
    legal = names(texts)
    for number, name in enumerate(legal):
        (documents / f"{name}.txt").write_text(f"Beta, file {number}.\n", encoding="utf-8")
    for name in legal[:_BROKEN]:
        (documents / f"{name}.pdf").write_bytes(b"%PDF-1.4 nothing")
    # JSON carries every character; HTML the headings, each of its own; a table the cells.
    (documents / "texts.json").write_text(json.dumps([f"alpha {text}" for text in texts]), encoding="utf-8")
    printable = [text for text in texts if not re.search(r"[\x00\x1b]", text)]
    headed = "".join(f"<h1>{html.escape(text)}</h1><p>Gamma, heading {n}.</p>" for n, text in enumerate(printable))
    (documents / "headed.html").write_text(f"<title>{html.escape(texts[0])}</title>{headed}", encoding="utf-8")
    cells = "\n".join('"{}",gamma'.format(text.replace('"', '""')) for text in printable)
    (documents / "cells.csv").write_text(f"text,word\n{cells}\n", encoding="utf-8")
    uploads = Uploads(folder / "state" / "uploads" / index.name)
    kept = [uploads.keep(Incoming(f"{text}.txt", f"Beta, upload {n}.".encode())) for n, text in enumerate(texts[:6])]
    files = [(str(uploads.folder / one.path), one.source) for one in kept if isinstance(one, StoredUpload)]
    assert _ingest(index, paths=[str(documents)]) == {"added": len(legal) + 3, "failed": _BROKEN}
    assert _ingest(index, files=files) == {"added": len(files), "failed": 0}


def _ingest(index: Path, **what: object) -> dict[str, int]:
    """Ingest as the page does, in this process; return how many were added and failed."""
    told: dict[str, dict[str, Any]] = {}
    job = {"index": str(index), "config": "test", "assignments": (), "paths": (), "files": (), "reread": False} | what
    run_job(job, lambda event, **values: told.update({event: values}))
    report = told["done"]["report"]
    return {name: report[name] for name in ("added", "failed")}


def _configuration(folder: Path, texts: Sequence[str]) -> None:
    """Write a configuration whose reader is no model: the engine's failure names it."""
    legal = names(texts)
    tree = {
        "embedding": {"model": "fake"},
        "generator": {"type": "extractive", "model": " ".join(texts)},
        "reader": {"model": texts[0]},
        "retrieval": {"min_relevance": 0.05, "cross_encoder": " ".join(texts[:4])},
    }
    (folder / f"{legal[0]}.yaml").write_text(json.dumps(tree), encoding="utf-8")


# Evaluation ---------------------------------------------------------------------------------------------------------


def _runs(runs: Path, texts: Sequence[str]) -> None:
    legal = names(texts)
    for number, right in enumerate((0.0, 1.0)):
        folder = runs / f"2026010{number + 1}-000000-{legal[number]}"
        folder.mkdir(parents=True)
        rows = [
            _row(texts, "all", "\n".join(texts), right),
            *(_row(texts, f"q{n}", t, right) for n, t in enumerate(texts)),
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
        write_json(folder / "run.json", _manifest(texts, len(rows), right, lines))
    for number, text in enumerate(texts):  # what is not a run says what it found instead
        folder = runs / f"20250101-{number:06}-broken"
        folder.mkdir()
        write_json(folder / "run.json", {"format": text})


def _row(texts: Sequence[str], key: str, text: str, right: float) -> dict[str, Any]:
    few = list(texts) if key == "all" else [text]
    passages = [
        {"source": one, "page": 1, "headings": [one, one], "text": one, "rank": n, "shown": True}
        for n, one in enumerate(few[:12], start=1)
    ]
    return {
        "id": key, "question": text, "answers": few, "prediction": text, "text": f"{text} {text}", "source": text,
        "em": right, "f1": right, "confidence": 0.5, "latency_s": 0.1, "loss": None if right else few[0],
        "timings": dict.fromkeys(few[:3], 0.01), "notes": few, "passages": passages,
        "citations": [{"source": one, "quote": one} for one in few[:12]],
    }  # fmt: skip


def _manifest(texts: Sequence[str], asked: int, right: float, lines: str) -> dict[str, Any]:
    interval = {"mean": 100 * right, "low": 0.0, "high": 100.0, "n": asked}
    return {
        "format": FORMAT, "status": "complete", "rows_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "dataset": {"name": texts[0], "sha256": texts[1], "asked": asked}, "mode": texts[2], "config_name": texts[3],
        "config_digest": texts[4], "seed": texts[5], "git_commit": texts[6], "created": texts[7],
        "models": {"embedder": texts[8], "generator": texts[9]}, "index": {"generation": texts[10]},
        "hardware": {"cpu": texts[11], "cores": texts[12], "memory_gib": texts[13], "gpu": texts[14]},
        "packages": {text: text for text in texts}, "losses": {} if right else {texts[0]: asked},
        "metrics": {"em": interval, "f1": interval, **{text: {"mean": 0.5, "n": 1} for text in texts}},
    }  # fmt: skip


def _sweep(runs: Path, texts: Sequence[str]) -> None:
    points = [
        {"name": text, "run": text, "p95_latency_s": 0.1 + n, "tokens": n, "pareto": n % 2 == 0,
         "settings": {texts[0]: text, texts[33]: n, texts[35]: texts[n], " ".join(texts): "all"},
         "em": {"mean": 50.0 + n}, "f1": {"mean": 50.0 + n}}
        for n, text in enumerate(texts[30:36])
    ]  # fmt: skip
    folder = runs / f"20260103-000000-{names(texts)[2]}"
    folder.mkdir()
    write_json(folder / "sweep.json", {"points": points})
    for number, text in enumerate(names(texts)):
        broken = runs / f"20250102-{number:06}-{text}"[:200]
        broken.mkdir()
        (broken / "sweep.json").write_text("{", encoding="utf-8")


# Chats --------------------------------------------------------------------------------------------------------------


def answer_of(texts: Sequence[str], question: str, *, abstained: bool = False) -> Answer:
    """Return an answer that says all texts, from a dozen documents that are called and headed like them."""
    text = "\n".join(texts)
    found = tuple(Passage(n, one, one, 1, (one, one), 0, len(one), one, 1.0) for n, one in enumerate(texts))
    if abstained:
        return Answer(question, text, True, 0.0, passages=found[:3], notes=tuple(map(Note, texts)), generator="fake")
    cited = tuple(Citation(passage, 0, 5, passage.text[:5], passage.text) for passage in found[:12])
    sentences = (Sentence(0, len(text), 0.9, 0),)
    noted = tuple(Note(one, "contradicted", {"said": one}) for one in texts)
    return Answer(question, text, False, 0.9, sentences, cited, found, (), texts[0], noted, Usage(1, 1),
        {"generate": 0.1}, 1, "\n".join(texts))  # fmt: skip


def _chats(state: Path, texts: Sequence[str]) -> None:
    whole = "\n".join(texts)
    turns = [
        Turn(whole, answer=answer_of(texts, f"rewritten {whole}"), band="high"),
        Turn("abstains", answer=answer_of(texts, "abstains", abstained=True), absence="irrelevant"),
        Turn("breaks off", shown=whole, stopped=True),
    ]
    for number, text in enumerate(texts):
        now = Conversation(Chats(state), OWNER, Chat("somewhere", id=f"chat{number}"))
        now.store(Turn(text), now.chat)
        assert now.unsaved is None
    now = Conversation(Chats(state), OWNER, Chat("somewhere", title=whole, id="open"))
    for turn in turns:
        now.store(turn, now.chat)
    assert now.unsaved is None
