"""Ingestions of the page: in a process of their own, watched, cancelled, one after the other, and when they die."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.config import load_config
from rag.factory import open_index
from ui.jobs.ingesting import Ingestion, Ingestions, Work

TEXT = "The lamp is green. " * 20


@pytest.fixture
def jobs() -> Iterator[Ingestions]:
    made = Ingestions()
    yield made
    for number, job in list(made._jobs.items()):
        if not job.over:
            made.cancel(number)
            made.wait(number)


def fake(script: str) -> Ingestions:
    """Ingestions whose process is a few lines of Python."""
    return Ingestions(
        [sys.executable, "-c", f"import json, sys, time\njob = json.loads(sys.stdin.readline())\n{script}"]
    )


def files_in(folder: Path, *names: str) -> tuple[tuple[str, str], ...]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f"{name}: {TEXT}", encoding="utf-8")
    return tuple((str(folder / name), f"upload://{name}") for name in names)


def ended(jobs: Ingestions, work: Work) -> Ingestion:
    job = jobs.wait(jobs.begin(work).number)
    assert job is not None
    return job


def sources(index: Path) -> dict[str, str]:
    with closing(open_index(index, load_config("test").config).store) as store:
        return {row.source: row.state for row in store.documents()}


@pytest.mark.slow
def test_files_are_ingested_under_the_names_they_are_given(jobs: Ingestions, tmp_path: Path) -> None:
    index = tmp_path / ".rag"
    files = files_in(tmp_path / "blobs", "a.txt", "b.txt")
    (tmp_path / "blobs" / "c").write_bytes(b"%PDF-1.4 broken")
    job = ended(jobs, Work(index, "test", (), (*files, (str(tmp_path / "blobs" / "c"), "upload://c.pdf"))))
    assert (job.status, job.report["added"], job.report["failed"]) == ("done", 2, 1)
    assert job.files == {"upload://a.txt": "done", "upload://b.txt": "done", "upload://c.pdf": "failed"}
    assert [(failed.source, bool(failed.remedy)) for failed in job.failures] == [("upload://c.pdf", True)]
    assert sources(index) == {"upload://a.txt": "ready", "upload://b.txt": "ready", "upload://c.pdf": "failed"}
    again = ended(jobs, Work(index, "test", (), files))
    assert (again.report["unchanged"], again.files) == (2, {})
    forced = ended(jobs, Work(index, "test", (), files, reread=True))
    assert forced.report["changed"] == 2


@pytest.mark.slow
def test_a_folder_is_walked_and_one_that_is_not_there_is_said(jobs: Ingestions, tmp_path: Path) -> None:
    files_in(tmp_path / "docs", "a.txt", "b.txt")
    assert ended(jobs, Work(tmp_path / ".rag", "test", paths=(str(tmp_path / "docs"),))).report["added"] == 2
    assert sorted(sources(tmp_path / ".rag")) == ["docs/a.txt", "docs/b.txt"]
    job = ended(jobs, Work(tmp_path / ".rag", "test", paths=(str(tmp_path / "nowhere"),)))
    assert job.status == "failed"
    assert "nowhere does not exist" in job.message
    assert job.remedy


@pytest.mark.slow
def test_a_collection_that_is_being_written_says_by_whom(jobs: Ingestions, tmp_path: Path) -> None:
    files = files_in(tmp_path / "blobs", "a.txt")
    assert ended(jobs, Work(tmp_path / ".rag", "test", (), files)).status == "done"
    opened = open_index(tmp_path / ".rag", load_config("test").config, write=True)
    with closing(opened.store), opened.writing("rag ingest"):
        job = ended(jobs, Work(tmp_path / ".rag", "test", (), files, reread=True))
    assert job.status == "failed"
    assert "being written by rag ingest" in job.message


@pytest.mark.slow
def test_jobs_of_one_collection_wait_for_each_other(jobs: Ingestions, tmp_path: Path) -> None:
    first = jobs.begin(Work(tmp_path / ".rag", "test", (), files_in(tmp_path / "blobs", "a.txt")))
    second = jobs.begin(Work(tmp_path / ".rag", "test", (), files_in(tmp_path / "blobs", "b.txt")))
    third = jobs.begin(Work(tmp_path / ".rag", "test", (), files_in(tmp_path / "blobs", "c.txt")))
    assert [job.status for job in jobs.of(tmp_path / ".rag")] == ["running", "waiting", "waiting"]
    jobs.cancel(third.number)
    assert [jobs.wait(job.number).status for job in (first, second, third)] == ["done", "done", "cancelled"]  # type: ignore[union-attr]
    assert sorted(sources(tmp_path / ".rag")) == ["upload://a.txt", "upload://b.txt"]


@pytest.mark.slow
def test_a_cancelled_job_ends_soon_and_keeps_what_was_committed(jobs: Ingestions, tmp_path: Path) -> None:
    names = [f"{n:04}.txt" for n in range(2000)]
    work = Work(tmp_path / ".rag", "test", (), files_in(tmp_path / "blobs", *names))
    number = jobs.begin(work).number
    deadline = time.monotonic() + 60
    while not (jobs.of(tmp_path / ".rag")[0].progress.get("files_done", 0)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    jobs.cancel(number)
    job = jobs.wait(number)
    assert job is not None
    assert job.status == "cancelled"
    committed = sources(tmp_path / ".rag")
    assert set(committed.values()) <= {"ready"}
    assert ended(jobs, work).status == "done"
    assert len(sources(tmp_path / ".rag")) == 2000


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    job = ended(fake("sys.exit(3)"), Work(tmp_path, "test"))
    assert (job.status, job.message) == ("crashed", "exit code 3")


def test_a_process_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    job = ended(Ingestions(["/nonexistent/python"]), Work(tmp_path, "test"))
    assert job.status == "crashed"
    assert "No such file" in job.message


def test_noise_on_its_output_is_passed_over(tmp_path: Path) -> None:
    script = (
        'print("a library says hello"); print("[]"); print(json.dumps({"event": "unheard of"}))\n'
        'print(json.dumps({"event": "failed", "message": "m", "remedy": "r", "kind": "k"}))'
    )
    job = ended(fake(script), Work(tmp_path, "test"))
    assert (job.status, job.message, job.remedy, job.kind) == ("failed", "m", "r", "k")


def test_whoever_looks_gets_a_copy(tmp_path: Path) -> None:
    jobs = fake('print(json.dumps({"event": "planned", "sources": ["a"], "unchanged": 0}))\nsys.exit(0)')
    jobs.wait(jobs.begin(Work(tmp_path, "test")).number)
    jobs.of(tmp_path)[0].files["a"] = "changed by a page"
    assert jobs.of(tmp_path)[0].files == {"a": "waiting"}


def test_a_finished_job_can_be_dismissed_and_only_that(tmp_path: Path) -> None:
    jobs = fake("time.sleep(0.5)")
    number = jobs.begin(Work(tmp_path, "test")).number
    jobs.dismiss(number)
    assert len(jobs.of(tmp_path)) == 1
    jobs.wait(number)
    jobs.dismiss(number)
    assert jobs.of(tmp_path) == []
