"""The table of formats: a row is enough to have a format detected, loaded, filtered and listed; its rows are sound."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import distribution
from pathlib import Path

import pytest
from format_samples import SAMPLES

from rag.config import load_config
from rag.errors import DocumentError, UsageError
from rag.factory import make_ingest_parts
from rag.ingestion.loaders import FORMATS, Format, add_format, load_bytes, sniff
from rag.ingestion.loaders.formats import extensions, filter_named, filter_types, has_slides
from rag.ingestion.loaders.picture_file import PICTURE_TYPES
from rag.ingestion.run import ingest_paths
from rag.ingestion.sandbox import ParserPool
from rag.knowledge_base import KnowledgeBase
from rag.retrieval.filters import Filter

ROOT = Path(__file__).parents[3]
LAMPS = Format(
    "lamps",
    "application/x-lamps",
    (".lamps",),
    "tests.ingestion.loaders.lamp_format:load_lamps",
    "lamps",
    aliases=("lantern",),
    magic="LAMPS",
    noun="list of lamps",
    page="slide",
)
CONTENT = b"LAMPS\nThe lamp on the pier is green.\n"


@pytest.fixture
def lamps(monkeypatch: pytest.MonkeyPatch) -> Format:
    """The made-up format, in the table until the test ends."""
    monkeypatch.setitem(FORMATS, LAMPS.media_type, LAMPS)
    return LAMPS


# Adding a row ------------------------------------------------------------------------------------------------


def test_an_added_format_is_detected_and_loaded(lamps: Format) -> None:
    assert sniff(CONTENT, "a.txt") == lamps.media_type
    assert load_bytes(CONTENT, "a.lamps").text == "The lamp on the pier is green.\n"
    assert has_slides("a.lamps")


def test_an_added_format_is_loaded_in_the_sandbox(lamps: Format) -> None:
    with ParserPool(workers=1) as pool:
        assert pool.parse(CONTENT, "a.lamps").title == "Lamps"
        with pytest.raises(DocumentError, match="the list of lamps cannot be read: ValueError: a lamp is broken"):
            pool.parse(b"LAMPS\nbroken", "a.lamps")


def test_any_error_of_a_loader_is_a_failure_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "text/plain", Format("x", "text/plain", (), "lamp_format:load_lamps", "x"))
    with pytest.raises(DocumentError, match="its parser failed: ValueError: a lamp is broken") as caught:
        load_bytes(b"a broken lamp", "a.txt")
    assert (caught.value.reason, caught.value.remedy) == ("parser", "report the file")


def test_documents_of_an_added_format_are_ingested_filtered_and_listed(lamps: Format, tmp_path: Path) -> None:
    (tmp_path / "pier.lamps").write_bytes(CONTENT)
    (tmp_path / "quay.txt").write_text("The lamp on the quay is red.\n", encoding="utf-8")
    resolved = load_config("test")
    report = ingest_paths(make_ingest_parts(resolved.config), tmp_path / ".rag", [tmp_path])
    assert (report.added, report.failures) == (2, [])
    with KnowledgeBase(tmp_path / ".rag", resolved) as base:
        assert [row.source for row in base.documents(filter="type=lamps")] == ["pier.lamps"]
        assert {passage.source for passage in base.search("lamp", filter="type=lantern")} == {"pier.lamps"}
    with pytest.raises(UsageError) as caught:
        Filter.parse(["type=elephant"])
    assert "lamps" in caught.value.remedy


def test_without_its_row_the_format_is_unknown() -> None:
    assert sniff(CONTENT, "a.lamps") == "text/plain"
    assert filter_named("lamps") is None


def test_a_row_replaces_the_one_of_its_media_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, LAMPS.media_type, LAMPS)
    add_format(Format("lamps", LAMPS.media_type, (".lmp",), LAMPS.loader, "lamps"))
    assert ".lmp" in extensions() and ".lamps" not in extensions()


# The rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", FORMATS.values(), ids=lambda row: row.name)
def test_a_row_has_a_loader_and_an_installed_package(row: Format) -> None:
    assert callable(row.load())
    if row.package:
        assert distribution(row.package).version
    assert filter_named(row.filter) == row.filter
    assert all(alias == alias.lower() and filter_named(alias) == row.filter for alias in row.aliases)


@pytest.mark.parametrize("row", FORMATS.values(), ids=lambda row: row.name)
def test_a_row_survives_json(row: Format) -> None:
    assert Format.from_dict(json.loads(json.dumps(asdict(row)))) == row


def test_no_extension_belongs_to_two_formats() -> None:
    listed = [extension for row in FORMATS.values() for extension in row.extensions + row.other_extensions]
    assert sorted(listed) == sorted(set(listed))
    assert all(extension.startswith(".") and extension == extension.lower() for extension in listed)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_the_type_of_every_document_is_in_the_table(name: str) -> None:
    media_type = load_bytes(SAMPLES[name](), name).media_type
    row = FORMATS[sniff(SAMPLES[name](), name)]
    assert media_type in (row.media_type, *row.variants)
    assert media_type in filter_types()[row.filter]


def test_every_format_has_a_sample() -> None:
    elsewhere = {"text/plain", "text/x-code", *PICTURE_TYPES}  # pictures: test_ocr.py
    assert {sniff(make(), name) for name, make in SAMPLES.items()} >= FORMATS.keys() - elsewhere


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "text/plain", Format("x", "text/plain", (), "no_such_module:load", "x", "no-such"))
    with pytest.raises(DocumentError, match="reading x needs no-such, which is not installed") as caught:
        load_bytes(b"words", "a.txt")
    assert (caught.value.reason, caught.value.remedy) == ("missing package", "run `pip install no-such`")


@pytest.mark.parametrize(
    ("source", "slides"), [("a/Talk.PPTX", True), ("talk.potx", True), ("talk.pdf", False), ("pptx", False)]
)
def test_a_presentation_has_slides(source: str, slides: bool) -> None:
    assert has_slides(source) is slides
