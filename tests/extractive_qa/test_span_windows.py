"""Windows of tokens: nothing is lost, nothing is moved, whatever the tokenizer and the text."""

from __future__ import annotations

import copy
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from span_samples import WORDS, minilm_tokenizer, windower_named

from rag.errors import ModelError
from rag.extractive_qa.windows import Pair, Window, Windower, WindowSettings

TOKENIZERS = ("minilm", "roberta", "modern")
SMALL = WindowSettings(size=40, stride=8, question=12)
ONE = WindowSettings(size=100_000, stride=8, question=12)
# A word with the marks on its letters, or one sign: what MiniLM's tokens never cross.
PIECE = re.compile(r"(?:\w[\u0300-\u036f]*)+|[^\w\s]")

spaces = st.sampled_from((" ", " ", " ", "  ", "\n", "\t ", "\u00a0"))
texts = st.builds(
    lambda pairs, before: before + "".join(word + space for word, space in pairs),
    st.lists(st.tuples(st.sampled_from(WORDS), spaces), min_size=1, max_size=60),
    st.sampled_from(("", " ", "\n\n")),
)
wild = st.text(max_size=120) | st.text(alphabet="aZ9 .\u0301\u200b😀日\ufe0f\u0e01\u0e34\x00\r\n\u0130ﬁ", max_size=120)


def windows_of(name: str, settings: WindowSettings, question: str, passage: str) -> list[Window]:
    return windower_named(name, settings).cut([Pair(question, passage)])


def tokens_of(window: Window) -> list[tuple[int, int, int]]:
    """Ids and characters of the passage's tokens; where one of space alone stands is of no account."""
    ids = window.ids[window.first : window.last]
    places = zip(window.starts.tolist(), window.ends.tolist(), strict=True)
    return [(token, *(place if place[0] < place[1] else (0, 0))) for token, place in zip(ids, places, strict=True)]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(question=wild | texts, passage=wild | texts)
def test_windows_hold_every_token_of_the_passage(name: str, question: str, passage: str) -> None:
    whole = windows_of(name, ONE, question, passage)
    cut = windows_of(name, SMALL, question, passage)
    assert len(whole) <= 1
    assert bool(whole) == bool(cut)
    joined = [] if not cut else tokens_of(cut[0])
    for window in cut[1:]:
        tokens = tokens_of(window)
        assert joined[-SMALL.stride :] == tokens[: SMALL.stride]
        joined += tokens[SMALL.stride :]
    assert joined == (tokens_of(whole[0]) if whole else [])
    for window in cut:
        assert len(window.ids) == len(window.types) <= SMALL.size
        assert window.last - window.first == len(window.starts) == len(window.ends) > 0
        assert (np.diff(window.starts) >= 0).all() and (np.diff(window.ends) >= 0).all()
        assert (window.starts <= window.ends).all()
        assert window.starts[0] >= 0 and window.ends[-1] <= len(passage)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(passage=texts)
def test_every_word_of_the_passage_is_in_a_token(name: str, passage: str) -> None:
    held = {
        c for window in windows_of(name, SMALL, "who?", passage) for _, s, e in tokens_of(window) for c in range(s, e)
    }
    assert {n for n, c in enumerate(passage) if not c.isspace()} == held


@pytest.mark.parametrize("name", TOKENIZERS)
@given(passage=texts, data=st.data())
def test_whole_words_are_found_and_come_back(name: str, passage: str, data: st.DataObject) -> None:
    words = [match.span() for match in re.finditer(r"\S+", passage)]
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(first + 3, len(words) - 1)))
    answer = words[first][0], words[last][1]
    for settings in (ONE, SMALL):
        found = [(w, w.locate(*answer)) for w in windows_of(name, settings, "who?", passage)]
        places = [(w, place) for w, place in found if place is not None]
        assert {w.characters(*place) for w, place in places} <= {answer}
        tokens = sum(
            1 for _, s, e in tokens_of(windows_of(name, ONE, "who?", passage)[0]) if s < answer[1] and e > answer[0]
        )
        assert places or (settings is SMALL and tokens > SMALL.stride)  # overlapping windows lose no short answer


@given(passage=texts, data=st.data())
def test_any_span_comes_back_as_the_words_it_touches(passage: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(passage) - 1))
    end = data.draw(st.integers(start + 1, len(passage)))
    window = windows_of("minilm", ONE, "who?", passage)[0]
    inside = [n for n in range(start, end) if not passage[n].isspace()]
    place = window.locate(start, end)
    if not inside:
        assert place is None
        return
    if start < window.starts[0] or end > window.ends[-1]:  # space around the text is in no window
        assert place is None
        place = window.locate(inside[0], inside[-1] + 1)
    assert place is not None
    assert window.first <= place[0] <= place[1] < window.last
    begin, close = window.characters(*place)
    touched = [m.span() for m in PIECE.finditer(passage) if m.start() < end and m.end() > start]
    assert touched[0][0] <= begin <= inside[0] < inside[-1] + 1 <= close <= touched[-1][1]
    whole = window.locate(touched[0][0], touched[-1][1])
    assert whole is not None
    assert window.characters(*whole) == (touched[0][0], touched[-1][1])


def test_what_is_not_in_the_window_is_not_located() -> None:
    window = windows_of("minilm", ONE, "who?", "  Denver won.  ")[0]
    assert window.locate(2, 8) == (window.first, window.first)
    assert window.locate(0, 8) is None
    assert window.locate(2, 15) is None
    assert window.locate(8, 9) is None  # the space between two tokens
    assert window.locate(5, 5) is None
    assert window.locate(8, 5) is None


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("passage", ["", " ", "\n\t \u00a0"])
def test_a_blank_passage_offers_no_span(name: str, passage: str) -> None:
    for window in windows_of(name, SMALL, "who?", passage):
        assert (window.starts == window.ends).all()
        assert window.locate(0, max(1, len(passage))) is None


def test_windows_name_their_pair_and_keep_the_order() -> None:
    passages = ["", "Denver won.", " ".join(WORDS) * 3, "x"]
    windower = windower_named("minilm", SMALL)
    found = windower.cut([Pair("who?", passage) for passage in passages])
    pairs = [window.pair for window in found]
    assert pairs == sorted(pairs)
    assert set(pairs) == {1, 2, 3}
    assert pairs.count(2) > 1
    assert windower.cut([]) == []


@pytest.mark.parametrize("name", TOKENIZERS)
@given(question=st.text(min_size=30, max_size=80) | st.text(alphabet="😀日ab é", min_size=30, max_size=300))
def test_a_long_question_is_cut_to_what_is_read(name: str, question: str) -> None:
    windower = windower_named(name, SMALL)
    (short,), cut = windower.shorten([question])

    def length(text: str) -> int:
        return len(windower.tokenizer(text, add_special_tokens=False)["input_ids"])

    assert question.startswith(short)
    assert length(short) <= SMALL.question
    assert cut == ([0] if length(question) > SMALL.question else [])
    assert bool(cut) == (short != question)


def test_a_question_longer_than_the_window_leaves_the_passage_whole() -> None:
    passage = " ".join(WORDS)
    found = windows_of("minilm", SMALL, "why " * 5000, passage)
    assert all(window.first <= SMALL.question + 2 for window in found)
    assert found[0].starts[0] == 0 and found[-1].ends[-1] == len(passage)


def test_only_the_long_questions_are_named() -> None:
    windower = windower_named("minilm", SMALL)
    texts, cut = windower.shorten(["short", "long " * 20, "", "longer " * 30])
    assert cut == [1, 3]
    assert texts[0] == "short" and texts[2] == ""
    assert texts[1] == ("long " * 12).strip()
    assert windower.shorten([]) == ([], [])


def test_token_types_tell_the_passage_where_the_tokenizer_has_them() -> None:
    with_types = windows_of("minilm", SMALL, "who?", "Denver won.")[0]
    assert set(with_types.types[with_types.first : with_types.last]) == {1}
    assert with_types.types[0] == 0
    assert set(windows_of("roberta", SMALL, "who?", "Denver won.")[0].types) == {0}


@pytest.mark.parametrize("side", ["padding_side", "truncation_side"])
def test_the_side_on_which_a_tokenizer_pads_or_cuts_changes_no_offset(side: str) -> None:
    passage = " ".join(WORDS) * 3
    turned = copy.deepcopy(minilm_tokenizer())
    setattr(turned, side, "left")
    usual = windower_named("minilm", SMALL).cut([Pair("who?", passage), Pair("who?", "x")])
    found = Windower(turned, SMALL).cut([Pair("who?", passage), Pair("who?", "x")])
    assert {t for w in found for t in tokens_of(w)} == {t for w in usual for t in tokens_of(w)}
    if side == "padding_side":
        assert [w.ids for w in found] == [w.ids for w in usual]


def test_lone_surrogates_keep_their_place() -> None:
    passage = "a \ud800 Denver"
    window = windows_of("minilm", SMALL, "wh\udfffo?", passage)[0]
    place = window.locate(4, 10)
    assert place is not None
    assert window.characters(*place) == (4, 10)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(passage=wild | texts)
def test_the_context_line_is_read_first_and_holds_no_answer(name: str, passage: str) -> None:
    windower = windower_named(name, ONE)
    plain = windower.cut([Pair("who pays?", passage)])
    titled = windower.cut([Pair("who pays?", passage, "Lease of Unit 12 > Rent")])
    assert len(plain) == len(titled)
    for without, window in zip(plain, titled, strict=True):
        assert len(window.ids) > len(without.ids)
        assert window.first > without.first
        assert window.starts[0] >= 0
        assert window.ends[-1] <= len(passage)


def test_only_the_first_window_has_the_context_line() -> None:
    windows = windower_named("minilm", SMALL).cut([Pair("who?", "owner " * 60, "Lease of Unit 12")])
    assert len(windows) > 1
    assert windows[0].first == windows[1].first + 4
    assert int(windows[0].starts[0]) == 0
    assert windows[-1].ends[-1] == 6 * 60 - 1


def test_many_threads_may_cut_at_once() -> None:
    windower = Windower(copy.deepcopy(minilm_tokenizer()), SMALL)
    jobs = [[Pair("who?", " ".join(WORDS[n:]) * 4), Pair("why " * 50, " ".join(WORDS[:n]))] for n in range(20)] * 5
    expected = [[w.ids for w in windower.cut(job)] for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: [w.ids for w in windower.cut(job)], jobs))
    assert found == expected


def test_a_slow_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="not a fast one") as raised:
        Windower(object(), SMALL)
    assert "tokenizer.json" in raised.value.remedy


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ModelError, match="no room") as raised:
        Windower(minilm_tokenizer(), WindowSettings(size=40, stride=25, question=12))  # 3 special tokens: 25 are left
    assert "larger" in raised.value.remedy
    Windower(minilm_tokenizer(), WindowSettings(size=40, stride=24, question=12)).cut([Pair("why " * 99, "x " * 99)])
