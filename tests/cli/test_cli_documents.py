"""``rag documents``, and what ``rag ingest`` and ``rag index`` do about changed folders and earlier states."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_runner import Rag, error_of, process
from fpdf import FPDF
from scans import ocr_or_skip, pdf_of, scan

from indexes import Index
from indexes.store.store import Store

HORN = "How long does the fog horn sound?"


def names(rag: Rag) -> list[str]:
    return [row["source"] for row in rag("documents", "list", "--json").json]


def test_documents_are_listed_with_their_state(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "zero.txt").touch()
    rag("ingest", "docs")
    ran = rag("documents", "list")
    assert ran.out.splitlines()[0].startswith("ready  docs/horn.txt · 1 chunk, ")
    assert ran.out.splitlines()[-1].startswith("failed docs/zero.txt · the file is empty; ")
    [row] = rag("documents", "list", "--failed", "--json").json
    assert (row["source"], row["state"], row["reason"]) == ("docs/zero.txt", "failed", "empty")


def test_a_document_is_shown_with_its_chunks(indexed: Path, rag: Rag) -> None:
    ran = rag("documents", "show", "docs/pump.pdf", "--chunks")
    assert "pages       2" in ran.out
    value = rag("documents", "show", "docs/pump.pdf", "--chunks", "--json").json
    assert len(value["borders"]) == value["chunks"]
    assert all(border["end"] > border["start"] for border in value["borders"])
    assert len(value["content_sha256"]) == 64
    sentence, remedy = error_of(rag("documents", "show", "elephant"))
    assert sentence == "the index has no document elephant"
    assert "rag documents list" in remedy


NO_OCR = ("--set", "parsing.ocr=off")


def write_scan(path: Path, pages: int) -> None:
    """Write a PDF of one page with text and others with a picture."""
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.add_page()
    made.text(20, 50, f"The contract {path.stem} was signed in Nordby.")
    for _ in range(pages):
        made.add_page()
        made.rect(20, 100, 100, 100, style="F")
    made.output(str(path))


def test_what_was_not_read_is_said_by_ingest_list_show_and_ask(indexed: Path, rag: Rag) -> None:
    assert rag("documents", "list", "--notes").err == "No document has notes.\n"
    write_scan(indexed / "docs" / "contract.pdf", 2)
    write_scan(indexed / "docs" / "lease.pdf", 1)
    ran = rag("ingest", "docs", *NO_OCR)
    assert (ran.code, ran.out.split(" · ")[0]) == (0, "2 added, 0 changed, 3 unchanged, 0 failed")
    assert ran.err.splitlines() == [
        "not read in full: 2 documents, 2 notes",
        "  pages without text, such as scans (2): run `rag doctor`, which names what OCR lacks",
        "    docs/contract.pdf: pages 2-3 of 3 have no text; set parsing.ocr to auto",
        "    docs/lease.pdf: page 2 of 2 has no text; set parsing.ocr to auto",
    ]
    listed = rag("documents", "list").out.splitlines()
    assert [line for line in listed if "note" in line] == [
        line for line in listed if line.endswith(" · 1 note") and (".pdf" in line) and ("pump" not in line)
    ]
    only = rag("documents", "list", "--notes").out.splitlines()
    assert [line.split(" · ")[0] for line in only] == [
        "ready  docs/contract.pdf", "         pages 2-3 of 3 have no text; set parsing.ocr to auto",
        "ready  docs/lease.pdf", "         page 2 of 2 has no text; set parsing.ocr to auto",
    ]  # fmt: skip
    shown = rag("documents", "show", "lease.pdf").out
    assert "not read    page 2 of 2 has no text; set parsing.ocr to auto" in shown.splitlines()
    [note] = rag("documents", "show", "lease.pdf", "--json").json["notes"]
    assert note == {
        "kind": "pages_without_text", "text": "page 2 of 2 has no text", "place": "page 2",
        "remedy": "set parsing.ocr to auto",
    }  # fmt: skip
    assert [row["source"] for row in rag("documents", "list", "--notes", "--json").json] == [
        "docs/contract.pdf", "docs/lease.pdf",
    ]  # fmt: skip
    answered = rag("ask", "Where was the contract lease signed?", "--filter", "source=docs/lease.pdf")
    assert "What was read of docs/lease.pdf may be incomplete: page 2 of 2 has no text." in answered.err
    sentence, _ = error_of(rag("documents", "list", "--notes", "--failed"))
    assert sentence == "--failed and --notes cannot be combined"


def test_what_was_read_by_ocr_is_listed_apart(indexed: Path, rag: Rag) -> None:
    ocr_or_skip()
    (indexed / "docs" / "scan.pdf").write_bytes(pdf_of(scan("The ferry leaves at 7:45."), "Signed in Nordby."))
    assert rag("ingest", "docs").err.splitlines() == [
        "read by OCR: 1 document, 1 note",
        "  what OCR read (1): check names and numbers against the picture",
        "    docs/scan.pdf: page 1 of 2 was read by OCR",
    ]
    line = "page 1 of 2 was read by OCR; check names and numbers against the picture"
    assert f"read        {line}" in rag("documents", "show", "scan.pdf").out.splitlines()
    assert rag("documents", "text", "scan.pdf").err == f"read: {line}\n"


def test_of_many_notes_the_first_are_shown_and_json_has_all(corpus: Path, rag: Rag) -> None:
    for number in range(25):
        write_scan(corpus / "docs" / f"scan-{number:02}.pdf", 1)
    lines = rag("ingest", "docs", *NO_OCR).err.splitlines()
    assert lines[0] == "not read in full: 25 documents, 25 notes"
    assert lines[1] == "  pages without text, such as scans (25): run `rag doctor`, which names what OCR lacks"
    assert [line.split(":")[0].strip() for line in lines[2:-1]] == [f"docs/scan-{n:02}.pdf" for n in range(20)]
    assert lines[-1] == "  … and 5 more: rag documents list --notes"
    shutil.rmtree(corpus / ".rag")
    notes = rag("ingest", "docs", "--json", *NO_OCR).json["notes"]
    assert len(notes) == 25
    assert notes["docs/scan-24.pdf"][0]["place"] == "page 2"


def test_a_removed_document_is_gone_at_once_also_from_a_reader_that_is_open(indexed: Path, rag: Rag) -> None:
    reader = Index.open(indexed / ".rag").reader()
    before = reader.snapshot()
    hits = before.lexical.search(["fog horn sounds"], 9)[0].ids
    assert "docs/horn.txt" in {row.source for row in reader.store.chunks(hits).values()}
    ran = rag("documents", "rm", "docs/horn.txt")
    assert (ran.code, ran.out) == (0, "removed docs/horn.txt\n")
    old = reader.store.chunks(hits).values()
    assert "docs/horn.txt" not in {row.source for row in old}, "even among hits made before"
    after = reader.snapshot().lexical.search(["fog horn sounds"], 9)[0].ids
    assert "docs/horn.txt" not in {row.source for row in reader.store.chunks(after).values()}
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
    assert "bytes/s, the speed of the last runs" in ran.out
    value = rag("ingest", "docs", "moved", "--prune", "--dry-run", "--json").json
    assert (value["added"], value["removed"], value["bytes"]) == (
        ["docs/new.txt"],
        ["docs/horn.txt"],
        196,
    )  # a moved file is read again
    assert (indexed / ".rag" / "rag.db").read_bytes() == before
    ran = rag("ingest", "docs", "moved", "--prune")
    assert ran.out.startswith("1 added, 0 changed, 1 moved, 1 removed, 1 unchanged, 0 failed")


def test_a_dry_run_does_not_count_a_link_to_nothing_as_a_document(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "lost.txt").symlink_to(indexed / "nowhere.txt")
    ran = rag("ingest", "docs", "--dry-run")
    assert ran.out.splitlines()[0] == "cannot read docs/lost.txt"
    assert "0 to add, 0 to read again" in ran.out and "0 failed before, 1 cannot be read" in ran.out
    value = rag("ingest", "docs", "--dry-run", "--json").json
    assert (value["added"], value["unreadable"]) == ([], ["docs/lost.txt"])


def test_a_dry_run_before_the_first_run_does_not_guess(corpus: Path, rag: Rag) -> None:
    ran = rag("ingest", "docs", "--dry-run")
    assert "No estimate yet: this is the first run." in ran.out
    assert not (corpus / ".rag").exists()


def test_files_that_are_gone_are_told_of(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").unlink()
    assert "1 document remains whose file is gone. To remove what is gone, use --prune." in rag("ingest", "docs").err
    assert rag("ingest", "docs", "--prune").err == ""
    shutil.rmtree(indexed / "docs")
    sentence, remedy = error_of(rag("ingest", "docs", "--prune"))
    assert sentence == "docs does not exist, but the index has 2 documents from there"
    assert "--prune --force" in remedy
    assert rag("ingest", "docs", "--prune", "--force").code == 0
    assert names(rag) == []


def test_failed_files_are_tried_again_on_request(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "zero.txt").touch()
    assert rag("ingest", "docs").code == 7
    again = rag("ingest", "docs")
    assert again.code == 7, "it is told again, though not tried again"
    assert "1 of the failed files failed before" in again.err
    assert "--retry-failed" in again.err
    assert rag("ingest", "docs", "--json").json["reported"] == 1
    assert rag("ingest", "--retry-failed").code == 7
    (indexed / "docs" / "zero.txt").write_text("Not empty.\n", encoding="utf-8")
    ran = rag("ingest", "--retry-failed")
    assert (ran.code, ran.out.split(" · ")[0]) == (0, "1 added, 0 changed, 0 unchanged, 0 failed")


def test_a_failed_file_has_no_size(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert rag("ingest", "docs").code == 7
    listed, shown = rag("documents", "list", "--failed").out, rag("documents", "show", "bad.pdf").out
    assert listed.startswith("failed docs/bad.pdf · ")
    assert "byte" not in listed + shown


@pytest.mark.parametrize("pattern", ["zero.txt", "/docs/old/", "!*.md\n*.txt"])
def test_a_failed_file_that_is_ignored_is_not_tried_again(indexed: Path, rag: Rag, pattern: str) -> None:
    remains = "1 document remains whose file is ignored by .ragignore. To remove what is ignored, use --prune."
    (indexed / "docs" / "old").mkdir()
    (indexed / "docs" / "old" / "zero.txt").touch()
    assert rag("ingest", "docs/old/zero.txt").code == 7
    (indexed / ".ragignore").write_text(pattern, encoding="utf-8")
    ran = rag("ingest", "--retry-failed")
    assert (ran.code, ran.out.split(" · ")[0]) == (0, "0 added, 0 changed, 0 unchanged, 0 failed")
    assert ran.err.splitlines() == ["skipped: 1 ignored by .ragignore", remains]
    assert "whose file" in rag("ingest", "docs").err
    assert "zero.txt" in rag("documents", "list", "--failed").out
    assert rag("ingest", "--retry-failed", "--prune").code == 0
    assert rag("documents", "list", "--failed").out == ""


@pytest.mark.parametrize("arguments", [("ingest",), ("ingest", "docs", "--force")])
def test_options_that_say_nothing_are_refused(indexed: Path, rag: Rag, arguments: tuple[str, ...]) -> None:
    ran = rag(*arguments)
    assert ran.code == 2
    error_of(ran)


def test_an_index_that_is_a_file_is_said_to_be_one(indexed: Path, rag: Rag) -> None:
    (indexed / "afile").write_text("x", encoding="utf-8")
    ran = rag("ingest", "docs", "--index", "afile")
    assert ran.code == 1
    sentence, remedy = error_of(ran)
    assert "afile is a file" in sentence and "--index" in remedy


def test_the_last_run_can_be_undone_and_the_undoing_too(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "horn.txt").write_text("The horn is broken.\n", encoding="utf-8")
    (indexed / "docs" / "new.txt").write_text("New.\n", encoding="utf-8")
    rag("ingest", "docs")
    listed = rag("index", "rollback", "--list").out.splitlines()
    assert [line.split(" · ")[0] for line in listed] == ["generation 1", "generation 0"]
    assert listed[0].endswith("undoes 1 added, 1 changed") and "the empty index · undoes" in listed[1]
    ran = rag("index", "rollback")
    assert ran.out == "3 documents ready · as of generation 1 · generation 3 in .rag\n"
    assert "four seconds" in rag("search", HORN).out
    assert rag("index", "verify", "--deep").code == 0
    rag("index", "rollback")
    assert "docs/new.txt" in names(rag)
    assert "four seconds" not in rag("search", HORN).out
    sentence, _ = error_of(rag("index", "rollback", "--to", "99"))
    assert sentence == "the index in .rag cannot be put back to generation 99: generations 0 to 3 are on record"


def test_failed_files_are_not_counted_as_documents(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "zero.txt").write_bytes(b"")
    (indexed / "docs" / "horn.txt").write_bytes(b"")
    rag("ingest", "docs")
    rag("index", "snapshot", "copy.rag")
    (indexed / "docs" / "new.txt").write_text("New.\n", encoding="utf-8")
    rag("ingest", "docs")
    ran = rag("index", "rollback")
    told = "2 documents ready, 1 in an older version, 1 failed"
    assert ran.out == f"{told} · as of generation 2 · generation 4 in .rag\n"
    ran = rag("index", "restore", "copy.rag", "--force")
    assert ran.out.startswith(f"{told} · generation 2, copied ")
    counts = rag("index", "restore", "copy.rag", "--force", "--json").json
    assert (counts["documents"], counts["stale"], counts["failed"]) == (3, 1, 1)


def test_a_snapshot_is_restored_elsewhere_and_over_another_index(indexed: Path, rag: Rag) -> None:
    assert rag("index", "snapshot", "copy.rag").code == 0
    assert error_of(rag("index", "snapshot", "copy.rag"))[0] == "copy.rag already exists"
    rag("documents", "rm", "docs/horn.txt")
    assert error_of(rag("index", "restore", "copy.rag"))[0] == ".rag already contains an index"
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
    assert error_of(rag("index", "rollback"))[0] == "the index in .rag has no earlier state"


# Names ------------------------------------------------------------------------------------------------------


def test_a_document_may_be_named_by_the_end_of_its_path(indexed: Path, rag: Rag) -> None:
    for told in ("docs/horn.txt", "horn.txt", "./horn.txt", "rn.txt"):
        assert rag("documents", "show", told, "--chunks").out.startswith("source      docs/horn.txt\n")
    sentence, _ = error_of(rag("documents", "show", "nowhere.txt"))
    assert sentence == "the index has no document nowhere.txt"


def test_an_ambiguous_ending_lists_the_candidates(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "old").mkdir()
    (indexed / "docs" / "old" / "horn.txt").write_text("The old horn.\n", encoding="utf-8")
    assert rag("ingest", "docs").code == 0
    sentence, remedy = error_of(rag("documents", "show", "horn.txt"))
    assert sentence == "2 documents end in horn.txt: docs/horn.txt, docs/old/horn.txt"
    assert remedy == "give more of the name"
    assert "docs/old/horn.txt" in rag("documents", "show", "old/horn.txt").out


# Duplicates -------------------------------------------------------------------------------------------------


def test_copies_are_told_and_listed(indexed: Path, rag: Rag) -> None:
    assert rag("documents", "list", "--duplicates").err == "No duplicates.\n"
    text = (indexed / "docs" / "lantern.md").read_text(encoding="utf-8")
    (indexed / "docs" / "lantern copy.md").write_text(text, encoding="utf-8")
    long = " ".join(f"The keeper of house {n} lights lamp {n}." for n in range(40))
    (indexed / "docs" / "one.txt").write_text(long, encoding="utf-8")
    (indexed / "docs" / "two.txt").write_text(long + " And so on.", encoding="utf-8")
    told = rag("ingest", "docs").err
    assert "duplicate documents: 1 identical, 1 nearly identical" in told
    lines = rag("documents", "list", "--duplicates").out.splitlines()
    assert lines[:2] == ["docs/lantern copy.md", "  the same  docs/lantern.md"]
    assert lines[2] == "docs/one.txt"
    assert lines[3].endswith("similar  docs/two.txt")
    exact, near = rag("documents", "list", "--duplicates", "--json").json
    assert exact["exact"]
    assert not near["exact"]
    assert 0.8 <= near["documents"][1]["similarity"] < 1
    ran = rag("documents", "list", "--duplicates", "--failed")
    assert ran.code == 2


def test_a_copy_is_shown_once_with_the_places_it_stands_in(indexed: Path, rag: Rag) -> None:
    for name in ("copy-1.txt", "copy-2.txt"):
        shutil.copy(indexed / "docs" / "horn.txt", indexed / "docs" / name)
    rag("ingest", "docs")
    told = rag("search", "fog horn four seconds", "-k", "2").out
    assert told.count("The fog horn sounds for four seconds.") == 1
    assert "the same in docs/" in told
    first = rag("search", "fog horn four seconds", "-k", "2", "--json").json["passages"][0]
    stands = {first["source"], *(copy["source"] for copy in first["duplicates"])}
    assert stands == {"docs/horn.txt", "docs/copy-1.txt", "docs/copy-2.txt"}
    off = rag("search", "fog horn four seconds", "-k", "2", "--collapse", "off").out
    assert off.count("The fog horn sounds for four seconds.") == 2
    assert "the same in" in rag("ask", "How long does the fog horn sound?").out
    assert rag("search", "fog", "--collapse", "some").code == 2


# Nothing there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["search", "ask"])
def test_an_empty_index_and_a_filter_that_fits_nothing_say_so(indexed: Path, rag: Rag, command: str) -> None:
    ran = rag(command, "fog horn", "--filter", "source=elsewhere/*")
    assert "No document matches the filter source=elsewhere/*" in ran.err
    assert "no passage is near" not in ran.out
    assert rag("documents", "rm", "*").code == 0
    for only in ((), ("--filter", "source=docs/*")):
        ran = rag(command, "fog horn", *only)
        assert "The index holds no documents. Run `rag ingest PATH` first." in ran.err
        assert "no passage is near" not in ran.out
    assert "holds no documents" in str(rag("ask", "fog horn", "--json").json["notes"])


@pytest.mark.parametrize("command", ["search", "ask"])
def test_a_filter_by_the_end_of_a_name_is_corrected(indexed: Path, rag: Rag, command: str) -> None:
    ran = rag(command, "fog horn", "--filter", "source=horn.txt", "--filter", "type=text")
    assert "No document matches the filter source=horn.txt. Similar names: docs/horn.txt." in ran.err
    assert "Similar" not in rag(command, "fog horn", "--filter", "source=elephant").err


def test_filters_take_folders_paths_and_brackets(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "minutes [final].txt").write_text("The fog horn was praised.\n", encoding="utf-8")
    (indexed / "docs" / "minutes f.txt").write_text("The fog horn was blamed.\n", encoding="utf-8")
    assert rag("ingest", "docs").code == 0

    def found(*filters: str) -> set[str]:
        options = [word for text in filters for word in ("--filter", f"source={text}")]
        ran = rag("search", "fog horn", "--json", *options)
        assert ran.err == ""
        return {passage["source"] for passage in ran.json["passages"]}

    assert found("docs/minutes [final].txt") == {"docs/minutes [final].txt"}
    assert found(str(indexed / "docs" / "horn.txt")) == found("./docs/horn.txt") == {"docs/horn.txt"}
    assert found("docs\\horn.txt") == found("DOCS/Horn.TXT") == {"docs/horn.txt"}
    assert (
        len(found("docs")) == len(found("docs/")) == len(found(str(indexed))) == 4
    )  # the lantern, the horn and both minutes
    many = [f"docs/none-{n}.txt" for n in range(1500)]
    ran = rag(
        "search", "fog horn", "--json", *(w for n in [*many, "docs/horn.txt"] for w in ("--filter", f"source={n}"))
    )
    assert {passage["source"] for passage in ran.json["passages"]} == {"docs/horn.txt"}
    assert "No document matches the filter source=docs/none-0.txt" in ran.err


def test_documents_are_removed_by_folder_and_never_by_another_case(indexed: Path, rag: Rag) -> None:
    sentence, remedy = error_of(rag("documents", "rm", "docs/HORN.txt"))
    assert sentence == "the index has no document docs/HORN.txt"
    assert remedy == "similar names: docs/horn.txt; nothing was removed"
    assert rag("documents", "rm", "docs/", "--json").json["removed"] == names_of_corpus()
    assert names(rag) == []


def names_of_corpus() -> list[str]:
    return ["docs/horn.txt", "docs/lantern.md", "docs/pump.pdf"]


# The text ---------------------------------------------------------------------------------------------------


def test_the_text_of_a_document_is_printed_as_it_was_read(indexed: Path, rag: Rag) -> None:
    stored = (indexed / "docs" / "lantern.md").read_text(encoding="utf-8")
    assert rag("documents", "text", "docs/lantern.md").out == stored
    assert rag("documents", "text", str(indexed / "docs" / "lantern.md")).out == stored
    (indexed / "docs" / "odd.txt").write_bytes("a\u202eb\x1b[31m тест\n\n end".encode())
    assert rag("ingest", "docs").code == 0
    ran = process("documents", "text", "odd.txt", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert (ran.code, ran.err) == (0, "")
    with Store.open(Path(".rag")) as store:
        assert ran.out == store.text("docs/odd.txt")
    assert "\u202e" in ran.out
    assert ran.out.endswith("end")


def test_a_page_of_a_document_is_printed_with_its_sections(indexed: Path, rag: Rag) -> None:
    assert "pump house is painted" in rag("documents", "text", "pump.pdf", "--page", "1").out
    second = rag("documents", "text", "pump.pdf", "--page", "2", "--json").json
    whole = rag("documents", "text", "pump.pdf", "--json").json
    assert second["text"] == whole["text"][second["start"] : second["end"]]
    assert "spare key" in second["text"] and "painted" not in second["text"]
    assert [section["page"] for section in second["sections"]] == [2]
    assert {section["page"] for section in whole["sections"]} == {1, 2}
    assert (whole["state"], whole["pages"], whole["page"], whole["media_type"]) == ("ready", 2, None, "application/pdf")
    for page, message in (("3", "docs/pump.pdf has 2 pages, not a page 3"), ("0", "docs/pump.pdf has 2 pages, not")):
        assert error_of(rag("documents", "text", "pump.pdf", "--page", page))[0].startswith(message)
    assert error_of(rag("documents", "text", "horn.txt", "--page", "1"))[0] == "docs/horn.txt has no pages"


def test_a_text_comes_with_what_was_not_read(indexed: Path, rag: Rag) -> None:
    write_scan(indexed / "docs" / "contract.pdf", 2)
    (indexed / "docs" / "zero.txt").touch()
    (indexed / "docs" / "horn.txt").write_bytes(b"")
    rag("ingest", "docs", *NO_OCR)
    ran = rag("documents", "text", "contract.pdf", "--page", "2")
    assert ran.out == ""
    assert ran.err.splitlines()[0] == "note: page 2 of docs/contract.pdf has no text"
    assert ran.err.splitlines()[1].startswith("not read: pages 2-3 of 3 have no text")
    stale = rag("documents", "text", "horn.txt")
    assert stale.out.startswith("The fog horn sounds")
    assert stale.err == "note: docs/horn.txt could not be read again (the file is empty); this is the version before\n"
    sentence, _ = error_of(rag("documents", "text", "zero.txt"))
    assert sentence == "docs/zero.txt was not read: the file is empty"
    assert error_of(rag("documents", "text", "elephant"))[0] == "the index has no document elephant"


def test_a_restoration_that_fails_leaves_no_folder_behind(indexed: Path, rag: Rag) -> None:
    assert rag("index", "snapshot", "copy").code == 0
    data = bytearray((indexed / "copy").read_bytes())
    data[-1] ^= 1
    (indexed / "copy").write_bytes(data)
    error_of(rag("index", "restore", "copy", "--index", "new/place"))
    assert not (indexed / "new" / "place").exists()
    (indexed / "mine").mkdir()
    error_of(rag("index", "restore", "copy", "--index", "mine"))
    assert (indexed / "mine").is_dir(), "a folder that was there stays"


def test_the_time_of_a_dry_run_is_the_same_in_words_and_in_json(indexed: Path, rag: Rag) -> None:
    (indexed / "docs" / "new.txt").write_text("Seven words on the fog horn here.\n", encoding="utf-8")
    seconds = rag("ingest", "docs", "--dry-run", "--json").json["seconds"]
    assert 0 < seconds < 1
    assert "less than a second at " in rag("ingest", "docs", "--dry-run").out


# Reading again ----------------------------------------------------------------------------------------------


def test_unchanged_files_are_read_again_on_request(indexed: Path, rag: Rag) -> None:
    assert rag("ingest", "docs", "--json").json["unchanged"] == 3
    again = rag("ingest", "docs", "--reread", "--json").json
    assert (again["changed"], again["unchanged"], again["embedded"]) == (3, 0, 0)
    assert rag("ingest", "docs", "--reread", "--dry-run", "--json").json["changed"] == [
        "docs/horn.txt", "docs/lantern.md", "docs/pump.pdf",
    ]  # fmt: skip


def test_files_inside_files_are_noted_and_read_on_request(indexed: Path, rag: Rag) -> None:
    made = FPDF()
    made.set_font("helvetica", size=12)
    made.add_page()
    made.cell(text="See the list of ships.")
    made.embed_file(bytes=b"ship,berth\nAmalia,C1\nBorea,C2\n", basename="ships.csv")
    made.output(str(indexed / "docs" / "ships.pdf"))
    ran = rag("ingest", "docs")
    assert "read them with `rag ingest --embedded`, or save them and ingest them" in ran.err
    assert "docs/ships.pdf: a file inside it was not read (embedded file ships.csv)" in ran.err
    assert rag("ingest", "docs", "--json").json["changed"] == 0
    report = rag("ingest", "docs", "--embedded", "--json").json
    assert (report["changed"], report["unchanged"], report["notes"]) == (1, 3, {})
    assert rag("ingest", "docs", "--set", "parsing.embedded_files=true", "--json").json["changed"] == 0
    text = rag("documents", "text", "ships.pdf", "--json").json
    assert "Amalia" in text["text"]
    assert "embedded file ships.csv" in [section["headings"][0] for section in text["sections"] if section["headings"]]
