"""``rag documents``, and what ``rag ingest`` and ``rag index`` do about changed folders and earlier states."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_runner import Rag, error_of

from indexes import Index

HORN = "How long does the fog horn sound?"


def names(rag: Rag) -> list[str]:
    return [row["source"] for row in rag("documents", "list", "--json").json]


def test_documents_are_listed_with_their_state(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "zero.txt").touch()
    rag("ingest", "docs")
    ran = rag("documents", "list")
    assert ran.out.splitlines()[0].startswith("ready  docs/horn.txt · 1 chunks, ")
    assert ran.out.splitlines()[-1].startswith("failed docs/zero.txt · 0 chunks, 0 bytes · the file is empty; ")
    [row] = rag("documents", "list", "--failed", "--json").json
    assert (row["source"], row["state"], row["reason"]) == ("docs/zero.txt", "failed", "empty")


def test_a_document_is_shown_with_its_chunks(indexed: Path, rag: Rag) -> None:
    ran = rag("documents", "show", "docs/pump.pdf", "--chunks")
    assert "pages       2" in ran.out
    value = rag("documents", "show", "docs/pump.pdf", "--chunks", "--json").json
    assert len(value["borders"]) == value["chunks"]
    assert all(border["end"] > border["start"] for border in value["borders"])
    assert len(value["content_sha256"]) == 64
    sentence, remedy = error_of(rag("documents", "show", "nowhere.txt"))
    assert sentence == "the index holds no document nowhere.txt"
    assert "rag documents list" in remedy


def test_a_removed_document_is_gone_at_once_also_from_a_reader_that_is_open(indexed: Path, rag: Rag) -> None:
    reader = Index.open(indexed / ".rag").reader()
    before = reader.snapshot()
    hits = before.lexical.search(["fog horn sounds"], 9)[0].ids
    assert "docs/horn.txt" in {row.source for row in reader.chunks(hits).values()}
    ran = rag("documents", "rm", "docs/horn.txt")
    assert (ran.code, ran.out) == (0, "removed docs/horn.txt\n")
    assert "docs/horn.txt" not in {row.source for row in reader.chunks(hits).values()}, "even among hits made before"
    after = reader.snapshot().lexical.search(["fog horn sounds"], 9)[0].ids
    assert "docs/horn.txt" not in {row.source for row in reader.chunks(after).values()}
    assert len(reader.snapshot().dense) == len(before.dense) - 1
    reader.close()
    assert "horn.txt" not in rag("search", HORN).out
    assert rag("index", "verify", "--deep").code == 0


def test_documents_are_removed_by_pattern_and_all_or_none(indexed: Path, rag: Rag) -> None:
    ran = rag("documents", "rm", "docs/*.md", "no/such")
    assert ran.code == 1
    assert "nothing was removed" in ran.err
    assert len(names(rag)) == 3
    assert rag("documents", "rm", "docs/*.md", "docs/h*").code == 0
    assert names(rag) == ["docs/pump.pdf"]


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").unlink()
    (indexed / "docs" / "new.txt").write_text("New.\n", encoding="utf-8")
    (indexed / "moved").mkdir()
    (indexed / "docs" / "lantern.md").rename(indexed / "moved" / "lantern.md")
    before = (indexed / ".rag" / "rag.db").read_bytes()
    ran = rag("ingest", "docs", "moved", "--prune", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines()[:3] == [
        "add         docs/new.txt", "rename      docs/lantern.md → moved/lantern.md", "remove      docs/horn.txt",
    ]  # fmt: skip
    assert "1 to add, 0 to read again, 1 to rename, 1 to remove, 1 unchanged" in ran.out
    assert "bytes/s of the last runs" in ran.out
    value = rag("ingest", "docs", "moved", "--prune", "--dry-run", "--json").json
    assert (value["added"], value["removed"], value["bytes"]) == (["docs/new.txt"], ["docs/horn.txt"], 5)
    assert (indexed / ".rag" / "rag.db").read_bytes() == before
    ran = rag("ingest", "docs", "moved", "--prune")
    assert ran.out.startswith("1 added, 0 changed, 1 moved, 1 removed, 1 unchanged, 0 failed")


def test_a_dry_run_before_the_first_run_does_not_guess(corpus: Path, rag: Rag) -> None:
    ran = rag("ingest", "docs", "--dry-run")
    assert "how long that takes is not known" in ran.out
    assert not (corpus / ".rag").exists()


def test_files_that_are_gone_are_told_of(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").unlink()
    assert (
        "1 document stays whose file is not there any more; --prune removes what is gone" in rag("ingest", "docs").err
    )
    assert rag("ingest", "docs", "--prune").err == ""
    shutil.rmtree(indexed / "docs")
    sentence, remedy = error_of(rag("ingest", "docs", "--prune"))
    assert sentence == "docs is not there, and 2 documents of the index came from there"
    assert "--prune --force" in remedy
    assert rag("ingest", "docs", "--prune", "--force").code == 0
    assert names(rag) == []


def test_failed_files_are_tried_again_on_request(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "zero.txt").touch()
    assert rag("ingest", "docs").code == 7
    assert rag("ingest", "docs").code == 7, "it is told again, though not tried again"
    assert rag("ingest", "--retry-failed").code == 7
    (indexed / "docs" / "zero.txt").write_text("Not empty.\n", encoding="utf-8")
    ran = rag("ingest", "--retry-failed")
    assert (ran.code, ran.out.split(" · ")[0]) == (0, "1 added, 0 changed, 0 unchanged, 0 failed")


@pytest.mark.parametrize("arguments", [("ingest",), ("ingest", "docs", "--force")])
def test_options_that_say_nothing_are_refused(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag(*arguments)
    assert ran.code == 2
    error_of(ran)


def test_the_last_run_can_be_undone_and_the_undoing_too(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").write_text("The horn is broken.\n", encoding="utf-8")
    (indexed / "docs" / "new.txt").write_text("New.\n", encoding="utf-8")
    rag("ingest", "docs")
    assert rag("index", "rollback", "--list").out.splitlines() == ["generation 1", "generation 0"]
    ran = rag("index", "rollback")
    assert ran.out == "3 documents, as of generation 1 · generation 3 in .rag\n"
    assert "four seconds" in rag("search", HORN).out
    assert rag("index", "verify", "--deep").code == 0
    rag("index", "rollback")
    assert "docs/new.txt" in names(rag)
    assert "four seconds" not in rag("search", HORN).out
    sentence, _ = error_of(rag("index", "rollback", "--to", "99"))
    assert sentence == "the index in .rag cannot be put back to generation 99: generations 0 to 3 are on record"


def test_a_snapshot_is_restored_elsewhere_and_over_another_index(indexed: Path, rag: Rag) -> None:
    assert rag("index", "snapshot", "copy.rag").code == 0
    assert error_of(rag("index", "snapshot", "copy.rag"))[0] == "copy.rag exists already"
    rag("documents", "rm", "docs/horn.txt")
    assert error_of(rag("index", "restore", "copy.rag"))[0] == "there is an index in .rag already"
    assert rag("index", "restore", "copy.rag", "--force").code == 0
    assert "four seconds" in rag("search", HORN).out
    assert rag("index", "restore", "copy.rag", "--index", "elsewhere").code == 0
    assert rag("index", "verify", "--deep", "--index", "elsewhere").code == 0


def test_a_damaged_snapshot_is_refused_and_the_index_left_alone(indexed: Path, rag: Rag) -> None:
    rag("index", "snapshot", "copy.rag")
    whole = (indexed / "copy.rag").read_bytes()
    before = (indexed / ".rag" / "rag.db").read_bytes()
    for spoilt in (
        whole[:-1],
        whole[:5000] + b"\0" + whole[5001:] + b"",
        b"junk",
        whole.replace(b'"size": ', b'"size":0'),
    ):
        if spoilt == whole:
            spoilt = whole[:-1] + bytes([whole[-1] ^ 1])
        (indexed / "copy.rag").write_bytes(spoilt)
        ran = rag("index", "restore", "copy.rag", "--force")
        assert ran.code == 1
        error_of(ran)
    assert (indexed / ".rag" / "rag.db").read_bytes() == before


def test_compacting_drops_the_past_and_keeps_the_answers(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").write_text("The fog horn sounds for nine seconds.\n", encoding="utf-8")
    rag("ingest", "docs")
    found = [passage["id"] for passage in rag("search", HORN, "--json").json["passages"]]
    ran = rag("index", "compact", "--json")
    assert ran.json["generation"] == 3
    assert [passage["id"] for passage in rag("search", HORN, "--json").json["passages"]] == found
    info = rag("index", "info", "--json").json
    assert (info["counts"]["tombstones"], info["counts"]["vectors"]) == (0, info["counts"]["chunks"])
    assert rag("index", "verify", "--deep").code == 0
    assert rag("index", "rollback", "--list").out == ""
    assert error_of(rag("index", "rollback"))[0] == "the index in .rag remembers no earlier state"
