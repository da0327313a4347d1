"""Chunks of texts in any script: cut at sentences, with overlap, and no character torn."""

from __future__ import annotations

from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from rag.embedding.fake import FakeEmbedder
from rag.ingestion.chunker import Chunker, ChunkerSettings
from rag.ingestion.script_borders import middle_border, units_backwards
from rag.types import Document, Section

SENTENCES = {
    "zh": "泊位每天收费九百元，请到港口办公室缴纳。",
    "ja": "係留料は一日九百円です。",
    "quoted": "他说：“泊位每天收费九百元。”",
    "hi": "नौका का शुल्क बारह यूरो है। ",
    "ar": "هل تدفع الرسوم في مكتب الميناء كل يوم؟ ",
    "ur": "دفتر آٹھ بجے کھلتا ہے۔ ",
    "hy": "Գրասենյակը բացվում է ութին։ ",
    "am": "ቢሮው በስምንት ሰዓት ይከፈታል። ",
    "km": "ការិយាល័យបើកនៅម៉ោងប្រាំបី។",
    "my": "ရုံးကို နံနက် ရှစ်နာရီ ဖွင့်သည်။ ",
    "th": "สำนักงานเปิดแปดโมงเช้า ",
}
SIGNS = "。”।؟۔։።។။"


class Characters(FakeEmbedder):
    """Counts each character as a token."""

    def count_tokens(self, texts: list[str]) -> list[int]:  # type: ignore[override]
        return [len(text) + 2 for text in texts]


def chunks(text: str, size: int = 120, overlap: int = 30) -> list[tuple[int, int]]:
    document = Document("a.txt", "text/plain", "a", text, (Section(0, len(text)),))
    settings = ChunkerSettings(size=size, overlap=overlap, pack=0, embed_headings=False)
    return [(chunk.start, chunk.end) for chunk in Chunker(Characters(), settings).chunk(document)]


def borders(text: str) -> set[int]:
    return {0, len(text), *(match.start() for match in regex.finditer(r"\X", text))}


@pytest.mark.parametrize("language", SENTENCES)
def test_chunks_end_with_sentences_and_overlap(language: str) -> None:
    text = SENTENCES[language] * 40
    spans = chunks(text)
    assert len(spans) > 4
    for start, end in spans[:-1]:
        assert text[end - 1] in SIGNS or (language == "th" and text[end : end + 1] == " ")
        assert end - start <= 120
    for (_, end), (start, _) in pairwise(spans):
        assert start < end
        assert text[start - 1].isspace() or text[start - 1] in f"{SIGNS}，"


@pytest.mark.parametrize(
    "unit",
    [
        "👨\u200d👩\u200d👧\u200d👦🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f👍🏽e\u0302",
        "ค่าจอดเรือวันละสิบสองยูโร",
        "สេវាកម្ពុជា",
    ],
)
def test_no_character_is_torn_where_nothing_parts_words(unit: str) -> None:
    text = unit * 80
    spans = chunks(text)
    whole = borders(text)
    assert len(spans) > 4
    assert all(start in whole and end in whole for start, end in spans)
    assert all(start < end for (_, end), (start, _) in pairwise(spans))
    assert (spans[0][0], spans[-1][1]) == (0, len(text))


@given(st.text(st.sampled_from("ab 泊位。ท่\u0301\u200d👩🙂\n"), max_size=300), st.integers(0, 50), st.integers(0, 50))
def test_units_come_backwards_and_tear_no_character(text: str, skipped: int, cut: int) -> None:
    first, whole = min(skipped, len(text)), borders(text)
    end = max((border for border in whole if border <= max(len(text) - cut, 0)), default=0)
    last = end
    for unit in units_backwards(text, first, end):
        assert first <= unit.start < unit.end <= last
        assert unit.start in whole
        assert (
            not any(map(str.isspace, text[unit.start : unit.end]))
            or len(regex.findall(r"\X", text[unit.start : unit.end])) == 1
        )
        last = unit.start


@given(st.text(min_size=1, max_size=900))
def test_a_text_is_halved_between_characters(text: str) -> None:
    middle = middle_border(text)
    assert middle in borders(text)
    assert middle or len(regex.findall(r"\X", text)) == 1 or len(text) > 400
