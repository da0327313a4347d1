"""Chunks: exact offsets, nothing lost, never more tokens than the embedder reads; held for any text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.embedding.base import Embedder
from rag.embedding.fake import FakeEmbedder
from rag.ingestion.chunker import Chunker, ChunkerSettings
from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.text import normalise
from rag.types import Document, Section

SIZES = [(16, 0), (16, 5), (64, 16), (200, 32)]

_HEADINGS = ["# A\n", "## Höhe der Masten\n", "B\n===\n", "#\n", "# " + "very long heading " * 60 + "\n"]
_HEADINGS += ["## " + "x" * 500 + "\n", "### " + "雾" * 300 + "\n"]
_WORDS = ["fog ", "Туман. ", "fog, net; ", "x" * 400, "ab-" * 90, "雾が濃い。" * 20, "한국어" * 40, "🙂" * 30]
_WORDS += ["e\u0301" * 50, "...!?" * 30, "the keeper rowed ashore every Friday. " * 12]
_SPACES = ["\n", "\n\n", " \n \n", "\u2028", "\x0b", "\u00a0", "\u200b"]
_PIECES = st.sampled_from(_HEADINGS + _WORDS + _SPACES)
TEXTS = (
    st.lists(_PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=15)
    .map("".join)
    .map(normalise)
)


def plain(text: str, title: str = "notes") -> Document:
    return Document("notes.txt", "text/plain", title, text, (Section(0, len(text)),))


def assert_sound(document: Document, embedder: Embedder, chunker: Chunker, *, overlap: int) -> None:
    chunks = chunker.chunk(document)
    texts = [str(text) for text in chunker.embedded_texts(document, chunks)]
    assert [text.length for text in chunker.embedded_texts(document, chunks)] == [len(text) for text in texts]
    for chunk, text in zip(chunks, texts, strict=True):
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert text.endswith(chunk.text)
        assert chunk.vector_key == hashlib.sha256(text.encode()).digest()
    assert max(embedder.count_tokens(texts), default=0) <= embedder.max_tokens
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        if overlap == 0:
            assert before.end <= after.start
    assert not lost(document, [(chunk.start, chunk.end) for chunk in chunks])
    assert chunker.chunk(document) == chunks


def lost(document: Document, spans: list[tuple[int, int]]) -> list[str]:
    """Return the stretches of sections that no chunk covers, white space and heading lines left out."""
    covered = bytearray(len(document.text))
    for start, end in spans:
        covered[start:end] = b"\x01" * (end - start)
    missing = []
    for section in document.sections:
        body = section.start
        if section.headings:  # its words are in the heading path of every chunk
            body = document.text.find("\n", section.start, section.end) + 1 or section.end
        missing += [
            document.text[n] for n in range(body, section.end) if not covered[n] and not document.text[n].isspace()
        ]
    return missing


@pytest.mark.parametrize(("size", "overlap"), SIZES)
@settings(max_examples=40)
@given(text=TEXTS)
def test_any_text_is_split_soundly(text: str, size: int, overlap: int) -> None:
    fake = FakeEmbedder()
    chunker = Chunker(fake, ChunkerSettings(size=size, overlap=overlap))
    for document in (plain(text), markdown_document(text, "a.md", "text/markdown")):
        assert_sound(document, fake, chunker, overlap=overlap)


@settings(max_examples=40)
@given(text=TEXTS, sizes=st.sampled_from(SIZES))
def test_any_text_is_split_soundly_for_the_real_tokenizer(minilm: Embedder, text: str, sizes: tuple[int, int]) -> None:
    chunker = Chunker(minilm, ChunkerSettings(size=sizes[0], overlap=sizes[1]))
    for document in (plain(text), markdown_document(text, "a.md", "text/markdown")):
        assert_sound(document, minilm, chunker, overlap=sizes[1])


EXAMPLES = sorted(path for path in (Path(__file__).parents[2] / "examples/docs").rglob("*.*") if path.is_file())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_example_documents_are_split_soundly(minilm: Embedder, path: Path) -> None:
    document = load_bytes(path.read_bytes(), path.name)
    assert_sound(document, minilm, Chunker(minilm, ChunkerSettings(size=200, overlap=32)), overlap=32)
    assert_sound(document, minilm, Chunker(minilm, ChunkerSettings(size=32, overlap=0)), overlap=0)


@pytest.mark.parametrize("unread", ["\u200b", "\u00ad", "\ufffd", "\x1b"], ids=ascii)
def test_characters_that_the_tokenizer_ignores_are_in_a_chunk(minilm: Embedder, unread: str) -> None:
    document = plain(f"The net hangs still.\n\n{unread}\n\n" * 60)
    assert_sound(document, minilm, Chunker(minilm, ChunkerSettings(size=64, overlap=16)), overlap=16)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["QUJDREVGR0hJSktM" * 2000, "การเดินทางไปยังสถานีรถไฟฟ้าที่ใกล้ที่สุดใช้เวลาประมาณสิบห้านาที " * 300, "가나다라마바사" * 1000],
    ids=["no space at all", "sentences without spaces", "decomposed by the tokenizer"],
)
def test_text_without_spaces_is_split_to_what_the_embedder_reads(minilm: Embedder, text: str) -> None:
    document = plain(text)
    chunker = Chunker(minilm, ChunkerSettings(size=200, overlap=32))
    assert_sound(document, minilm, chunker, overlap=32)
    assert max(len(chunk.text) for chunk in chunker.chunk(document)) < 1000


@pytest.fixture(params=["fake", "minilm"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Both embedders in turn."""
    return FakeEmbedder() if request.param == "fake" else request.getfixturevalue("minilm")


LONG = " ".join(f"word{n} fog" for n in range(600))


def test_neighbours_overlap(embedder: Embedder) -> None:
    chunks = Chunker(embedder, ChunkerSettings(size=64, overlap=16)).chunk(plain(LONG))
    assert len(chunks) > 10
    assert all(after.start < before.end for before, after in pairwise(chunks))


def test_the_overlap_is_no_larger_than_set(embedder: Embedder) -> None:
    chunks = Chunker(embedder, ChunkerSettings(size=64, overlap=16)).chunk(plain(LONG))
    special = embedder.count_tokens([""])[0]
    shared = [LONG[after.start : before.end] for before, after in pairwise(chunks)]
    assert max(embedder.count_tokens(shared)) - special <= 16


def test_neighbours_are_apart_without_overlap(embedder: Embedder) -> None:
    chunks = Chunker(embedder, ChunkerSettings(size=64, overlap=0)).chunk(plain(LONG))
    assert len(chunks) > 10
    assert all(before.end <= after.start for before, after in pairwise(chunks))


@pytest.mark.parametrize("overlap", [0, 16])
def test_periodic_text_is_covered_from_end_to_end(embedder: Embedder, overlap: int) -> None:
    text = "abc " * 2000
    chunks = Chunker(embedder, ChunkerSettings(size=64, overlap=overlap)).chunk(plain(text))
    assert (chunks[0].start, chunks[-1].end) == (0, len(text) - 1)
    assert len({chunk.start for chunk in chunks}) == len(chunks)
    assert all(after.start <= before.end + 1 for before, after in pairwise(chunks))


def test_chunks_use_the_size_they_are_given(embedder: Embedder) -> None:
    special = embedder.count_tokens([""])[0]
    counts = embedder.count_tokens(
        [c.text for c in Chunker(embedder, ChunkerSettings(size=64, overlap=0)).chunk(plain(LONG))]
    )
    assert max(counts) - special <= 64
    assert min(counts[:-1]) - special > 32


def test_a_split_prefers_paragraphs_to_sentences_to_words() -> None:
    first, second = "The net hangs still. " * 6, "The cup tips over. " * 6
    chunks = Chunker(FakeEmbedder(), ChunkerSettings(size=40, overlap=0)).chunk(
        plain(f"{first.strip()}\n\n{second.strip()}")
    )
    assert [chunk.text for chunk in chunks] == [first.strip(), second.strip()]


def test_chunks_stay_inside_their_section_and_carry_its_place() -> None:
    text = "page one " * 30 + "\n\n" + "page two " * 30
    document = Document("a.pdf", "application/pdf", "A", text, (Section(0, 270, 1), Section(272, 542, 2)), 2)
    chunks = Chunker(FakeEmbedder(), ChunkerSettings(size=50, overlap=10)).chunk(document)
    assert {chunk.page for chunk in chunks} == {1, 2}
    assert all(chunk.end <= 270 if chunk.page == 1 else chunk.start >= 272 for chunk in chunks)


@pytest.mark.parametrize("overlap", [0, 4])
def test_a_heading_line_that_was_left_out_does_not_come_back(overlap: int) -> None:
    document = markdown_document("# The mast\n\n" + "It is 31 metres tall. " * 30, "a.md", "text/markdown")
    chunker = Chunker(FakeEmbedder(), ChunkerSettings(size=24, overlap=overlap))
    chunks = chunker.chunk(document)
    assert chunks[0].text.startswith("It is 31")
    assert all(str(text).startswith("The mast\n") for text in chunker.embedded_texts(document, chunks))


def test_a_short_section_keeps_its_heading() -> None:
    document = markdown_document("# The mast\n\nIt is tall.\n", "a.md", "text/markdown")
    assert [c.text for c in Chunker(FakeEmbedder()).chunk(document)] == ["# The mast\n\nIt is tall."]


def test_what_a_dropped_heading_line_holds_beside_its_words_is_not_lost() -> None:
    text = "# ![Ada Brill at the lamp](ada.png) The mast\n\n" + "It is 31 metres tall. " * 30
    document = markdown_document(text, "a.md", "text/markdown")
    chunker = Chunker(FakeEmbedder(), ChunkerSettings(size=24, overlap=4))
    assert "Ada Brill" in " ".join(map(str, chunker.embedded_texts(document, chunker.chunk(document))))


def test_the_context_line_is_title_file_words_and_headings() -> None:
    chunker = Chunker(FakeEmbedder(), ChunkerSettings(pack=0))
    deep = markdown_document("# A\n\na\n\n## B\n\nb\n", "lease-2023.md", "text/markdown")
    assert str(chunker.embedded_texts(deep, chunker.chunk(deep))[1]) == "A (lease 2023) > B\n## B\n\nb"
    flat = plain("just text", title="Price list")
    assert list(map(str, chunker.embedded_texts(flat, chunker.chunk(flat)))) == ["Price list (notes)\njust text"]
    bare = Chunker(FakeEmbedder(), ChunkerSettings(embed_headings=False))
    assert list(map(str, bare.embedded_texts(flat, bare.chunk(flat)))) == ["just text"]


def test_a_context_that_would_crowd_out_the_text_loses_its_least_specific_part() -> None:
    headings = ("雾" * 60, "near")
    document = Document("a.md", "text/markdown", "a", "text", (Section(0, 4, None, headings),))
    texts = Chunker(_Signs()).embedded_texts(document, Chunker(_Signs()).chunk(document))
    assert [str(text) for text in texts] == ["a > near\ntext"]


class _Signs(FakeEmbedder):
    """Counts characters."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) + 2 for text in texts]


# Tables ---------------------------------------------------------------------------------------------------------

HEADER = "| Code | Vessel | Flag |\n| --- | --- | --- |\n"
LONG_TABLE = HEADER + "\n".join(f"| C-{n} | Aurelia Star {n} | Norway |" for n in range(40))


def test_a_chunk_in_the_middle_of_a_table_begins_with_a_row_and_knows_its_columns() -> None:
    fake = FakeEmbedder()
    text = f"# Calls\n\nAll calls.\n\n{LONG_TABLE}\n\nThe end of the list, and {'more ' * 30}."
    document = markdown_document(text, "a.md", "text/markdown")
    chunker = Chunker(fake, ChunkerSettings(size=64, overlap=20))
    assert_sound(document, fake, chunker, overlap=20)
    chunks = chunker.chunk(document)
    inside = [chunk for chunk in chunks if chunk.text.startswith("| C-")]
    assert len(inside) > 5
    assert {chunk.headings for chunk in inside} == {("Calls", "All calls.", "Code | Vessel | Flag")}
    assert all(line.count("|") == 4 for chunk in inside for line in chunk.text.splitlines() if line.startswith("|"))
    assert {chunk.headings for chunk in chunks if chunk not in inside} == {("Calls",)}
    contexts = {text.context for text in chunker.embedded_texts(document, inside)}
    assert contexts == {"Calls > All calls.\n| Code | Vessel | Flag |"}


def test_the_first_chunk_of_a_table_begins_with_its_caption() -> None:
    fake = FakeEmbedder()
    text = f"Old words. {'more ' * 30}\n\nTable 3: all calls\n\n{LONG_TABLE}\n"
    chunks = Chunker(fake, ChunkerSettings(size=128, overlap=0)).chunk(plain(text))
    (first,) = [chunk for chunk in chunks if "| Code |" in chunk.text]
    assert first.text.startswith("Table 3: all calls\n\n| Code | Vessel | Flag |")
    assert "| C-0 |" in first.text


def test_a_chunk_of_a_sheet_names_its_own_rows() -> None:
    csv = "Code,Price\n" + "\n".join(f"C-{n},{n}.50" for n in range(60))
    document = load_bytes(csv.encode(), "a.csv")
    chunks = Chunker(FakeEmbedder(), ChunkerSettings(size=100, overlap=10)).chunk(document)
    ranges = [[int(number) for number in re.findall(r"\d+", chunk.headings[0])] for chunk in chunks]
    assert ranges[0][0] == 2
    assert ranges[-1][-1] == 61
    assert all(before[-1] + 1 == after[0] for before, after in pairwise(ranges))
    for chunk, numbers in zip(chunks, ranges, strict=True):
        rows = [line for line in chunk.text.split("\n") if line.startswith("| C-")]
        assert rows[0] == f"| C-{numbers[0] - 2} | {numbers[0] - 2}.50 |"
        assert len(rows) == numbers[-1] - numbers[0] + 1


def test_many_column_names_leave_room_for_rows() -> None:
    names = [f"measure number {n}" for n in range(12)]
    header = f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"
    text = header + "\n".join(f"|{' 7 |' * len(names)}" for _ in range(40))
    fake = FakeEmbedder()
    chunker = Chunker(fake, ChunkerSettings(size=90, overlap=10))
    chunks = chunker.chunk(plain(text))
    inside = [chunk for chunk in chunks if chunk.text.startswith("| 7")]
    assert inside
    assert all(chunk.headings[-1].startswith("measure number 0 | measure number 1") for chunk in inside)
    assert all(text.context for text in chunker.embedded_texts(plain(text), inside))
    assert_sound(plain(text), fake, chunker, overlap=10)


def test_a_table_that_fits_keeps_its_headings() -> None:
    document = plain(HEADER + "| C-1 | Star | Malta |")
    assert [chunk.headings for chunk in Chunker(FakeEmbedder()).chunk(document)] == [()]


@given(st.integers(0, 12), st.integers(1, 60), st.sampled_from(SIZES))
def test_any_table_is_split_soundly(before: int, rows: int, sizes: tuple[int, int]) -> None:
    text = "fog " * before + "\n\n" + HEADER + "\n".join(f"| {n} | {'Star ' * (n % 9)}| \\| |" for n in range(rows))
    fake = FakeEmbedder()
    assert_sound(plain(text), fake, Chunker(fake, ChunkerSettings(size=sizes[0], overlap=sizes[1])), overlap=sizes[1])


def test_a_size_that_the_embedder_cannot_read_is_refused(embedder: Embedder) -> None:
    special = embedder.count_tokens([""])[0]
    Chunker(embedder, ChunkerSettings(size=embedder.max_tokens - special))
    with pytest.raises(ValueError, match=r"chunking\.size is 255"):
        Chunker(embedder, ChunkerSettings(size=embedder.max_tokens - special + 1))


@pytest.mark.parametrize("overlap", [32, 33])
def test_an_overlap_as_large_as_the_chunk_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=r"chunking\.overlap"):
        Chunker(FakeEmbedder(), ChunkerSettings(size=32, overlap=overlap))


def test_a_document_without_sections_has_no_chunks() -> None:
    assert Chunker(FakeEmbedder()).chunk(Document("a.md", "text/markdown", "a", "\n", ())) == ()


def test_a_long_text_is_counted_no_further_than_need_be() -> None:
    class Counted(FakeEmbedder):
        most = 0

        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            Counted.most = max(Counted.most, *map(len, texts))
            return super().count_tokens(texts)

    text = " ".join(f"word{n}" for n in range(50_000))
    chunks = Chunker(Counted(), ChunkerSettings(size=64, overlap=8)).chunk(plain(text))
    assert lost(plain(text), [(chunk.start, chunk.end) for chunk in chunks]) == []
    assert Counted.most <= 20_000 < len(text)
