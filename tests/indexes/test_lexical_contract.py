"""Tantivy against BM25 written out, on texts short enough that tantivy's one-byte field lengths are exact."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from index_samples import NONE

from indexes.search.lexical_tantivy import LANGUAGES, TantivyIndex
from indexes.search.protocols import Hits

K1, B = 1.2, 0.75
WORDS = [f"{a}{b}x" for a in "bcdfg" for b in "hjklmnpq"]  # no codes, and no stemmer changes them


def bm25(texts: dict[int, str], query: str) -> dict[int, float]:
    """Score every text that shares a word with the query, with Lucene's form of the idf."""
    counts = {i: Counter(text.split()) for i, text in texts.items()}
    average = sum(c.total() for c in counts.values()) / len(texts)
    scores: dict[int, float] = {}
    for word in query.split():
        having = [i for i, c in counts.items() if word in c]
        idf = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
        for i in having:
            frequency = counts[i][word]
            norm = K1 * (1 - B + B * counts[i].total() / average)
            scores[i] = scores.get(i, 0.0) + idf * frequency * (K1 + 1) / (frequency + norm)
    return scores


def sentence(chance: random.Random, longest: int) -> str:
    weights = [1 / (n + 1) for n in range(len(WORDS))]
    return " ".join(chance.choices(WORDS, weights, k=chance.randint(1, longest)))


def some_texts(seed: int, n: int = 120) -> dict[int, str]:
    chance = random.Random(seed)
    return {i: sentence(chance, 39) for i in chance.sample(range(1, 10 * n), n)}


def index_of(folder: Path, texts: dict[int, str], languages: tuple[str, ...] = ("english", "russian")) -> TantivyIndex:
    folder.mkdir(exist_ok=True)
    index = TantivyIndex(folder, languages)
    index.apply(np.array(list(texts), dtype=np.int64), list(texts.values()), NONE)
    return index


def found(index: TantivyIndex, query: str, k: int = 10) -> list[int]:
    return index.search([query], k)[0].ids.tolist()


def assert_agrees(hits: Hits, scores: dict[int, float], k: int) -> None:
    """The scores are BM25's best ``k``, each belongs to its id, and the order is theirs."""
    best = sorted(scores.values(), reverse=True)[:k]
    assert hits.scores.tolist() == pytest.approx(best, abs=1e-3)
    assert hits.scores.tolist() == pytest.approx([scores[i] for i in hits.ids.tolist()], abs=1e-3)
    assert len(set(hits.ids.tolist())) == len(hits)


@pytest.mark.parametrize("seed", range(4))
def test_scores_and_order_are_those_of_bm25(tmp_path: Path, seed: int) -> None:
    texts = some_texts(seed)
    index = index_of(tmp_path, texts)
    chance = random.Random(seed + 100)
    queries = [sentence(chance, 6) for _ in range(25)]
    for k in (1, 10, 500):
        for query, hits in zip(queries, index.search(queries, k), strict=True):
            assert_agrees(hits, bm25(texts, query), k)
    assert len(index) == len(texts)
    assert index.ids().tolist() == sorted(texts)


def test_a_filter_keeps_scores_and_drops_the_rest(tmp_path: Path) -> None:
    texts = some_texts(7)
    index = index_of(tmp_path, texts)
    allowed = sorted(texts)[::4]
    query = " ".join(WORDS[n] for n in (1, 3, 8))
    scores = {i: s for i, s in bm25(texts, query).items() if i in allowed}
    assert scores
    assert_agrees(index.search([query], 500, allowed=np.array(allowed))[0], scores, 500)
    assert_agrees(index.search([query], 3, allowed=np.array(allowed))[0], scores, 3)


def test_nothing_is_found_among_nothing_or_strangers(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat", 2: "dog"})
    assert found(index, "cat dog") == [1, 2]
    for allowed in (NONE, np.array([3, 99_999])):
        assert len(index.search(["cat dog"], 10, allowed=allowed)[0]) == 0


@pytest.mark.parametrize("k", [3, 1000, pytest.param(2**62, id="huge")])
def test_asking_for_more_than_there_is_gives_what_there_is(tmp_path: Path, k: int) -> None:
    index = index_of(tmp_path, {1: "cat", 2: "cat dog", 3: "dog"})
    assert found(index, "cat", k) == [1, 2]


def test_no_hits_wanted_none_given_and_no_queries_no_answers(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat"})
    assert len(index.search(["cat"], 0)[0]) == 0
    assert index.search([], 10) == []


def test_equal_scores_come_in_order_of_id(tmp_path: Path) -> None:
    index = index_of(tmp_path, {9: "same text", 2: "same text", 5: "same text", 7: "text same"})
    hits = index.search(["same"], 10)[0]
    assert hits.ids.tolist() == [2, 5, 7, 9]
    assert len(set(hits.scores.tolist())) == 1


def test_a_cut_through_equal_scores_keeps_the_lowest_ids(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "same text", 2: "same text"})
    for new in range(3, 8):
        index.apply(np.array([new]), ["same text"], NONE)
    assert [found(index, "same", k) for k in range(1, 8)] == [list(range(1, k + 1)) for k in range(1, 8)]


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    assert (len(index), index.ids().tolist()) == (0, [])
    assert [len(h) for h in index.search(["cat", ""], 10)] == [0, 0]
    index.apply(NONE, [], NONE)
    index.apply(NONE, [], np.array([1]))
    assert found(index, "cat") == []


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "?!", "+- * ~ \\", '"', "(", "((", ")[", "\0", "😀", "𝄞"])
def test_a_query_without_words_finds_nothing(tmp_path: Path, query: str) -> None:
    assert found(index_of(tmp_path, {1: "cat + dog ( \\ ~ *", 2: "title"}), query) == []


@pytest.mark.parametrize(
    "query",
    ['AND OR "(" title:x +- * ~ \\', "NOT cat", "+cat -dog", "cat^2~3", "id:1", "text:cat", "[a TO b]", "/ca.*/",
     '"cat dog"~2', "cat AND", "* cat"],
)  # fmt: skip
def test_nothing_in_a_query_is_syntax(tmp_path: Path, query: str) -> None:
    texts = {1: "title", 2: "x", 3: "and", 4: "or not", 5: "cat", 6: "dog", 7: "id", 8: "to text ca"}
    words = set("".join(c if c.isalnum() else " " for c in query).lower().split())
    expected = [i for i, text in texts.items() if words & set(text.split())]
    assert expected
    assert sorted(found(index_of(tmp_path, texts), query)) == expected


def test_a_shared_beginning_is_no_shared_word(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "catalogue", 2: "cat"})
    assert found(index, "cat") == [2]
    assert found(index, "dog") == []


def test_deleted_id_is_never_found(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat", 2: "cat dog", 3: "cat"})
    index.apply(NONE, [], np.array([2, 99]))
    assert found(index, "cat dog") == [1, 3]
    assert (len(index), index.ids().tolist()) == (2, [1, 3])


def test_an_update_removes_the_old_text_and_finds_the_new(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat", 2: "dog"})
    index.apply(np.array([3, 2]), ["bird", "fish"], np.array([1, 2]))
    assert [found(index, word) for word in ("cat", "dog", "bird", "fish")] == [[], [], [3], [2]]
    assert index.ids().tolist() == [2, 3]


def test_a_failed_change_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat", 2: "dog"})
    with pytest.raises(ValueError, match="zip"):
        index.apply(np.array([3, 4]), ["bird"], np.array([1]))
    assert index.ids().tolist() == TantivyIndex(tmp_path).ids().tolist() == [1, 2]
    index.apply(np.array([3]), ["bird"], np.array([1]))
    assert [found(index, word) for word in ("cat", "bird")] == [[], [3]]


def test_an_index_opened_again_answers_the_same(tmp_path: Path) -> None:
    texts = some_texts(3)
    index = index_of(tmp_path, texts)
    index.apply(NONE, [], np.array(sorted(texts)[::5]))
    again = TantivyIndex(tmp_path)
    for query in (WORDS[1], f"{WORDS[2]} {WORDS[9]}", f"{WORDS[0]} {WORDS[30]}"):
        ours, theirs = (i.search([query], 50)[0] for i in (index, again))
        assert ours.ids.tolist() == theirs.ids.tolist() != []
        assert ours.scores.tolist() == theirs.scores.tolist()


def test_an_open_index_does_not_see_changes_made_by_another(tmp_path: Path) -> None:
    index = index_of(tmp_path, {1: "cat"})
    TantivyIndex(tmp_path).apply(np.array([2]), ["cat"], np.array([1]))
    assert found(index, "cat") == [1]
    assert found(TantivyIndex(tmp_path), "cat") == [2]


INFLECTIONS = [
    ("The servers were restarted", "restarting server"),
    ("indexes of documents", "indexing a document"),
    ("Новые документы хранятся", "документами"),
    ("Список книг", "книгами"),
    ("Ёлки и огни", "ёлка"),
]


@pytest.mark.parametrize(("text", "query"), INFLECTIONS)
def test_inflected_words_match(tmp_path: Path, text: str, query: str) -> None:
    texts = {1: "something else", 2: text, 3: "совсем другое"}
    assert found(index_of(tmp_path / "both", texts), query) == [2]
    assert found(index_of(tmp_path / "none", texts, ()), query) == [], "it is the stemmer that matches them"


def test_each_word_of_a_mixed_text_is_stemmed_in_its_own_language(tmp_path: Path) -> None:
    texts = {1: "Servers хранят документы", 2: "clients without anything", 3: "папки пусты"}
    index = index_of(tmp_path, texts)
    assert found(index, "server") == found(index, "документ") == found(index, "СЕРВЕР server") == [1]


@pytest.mark.parametrize(
    ("alone", "query"), [("english", "running runners' quickly"), ("russian", "бегущие документы быстро")]
)
def test_a_second_language_does_not_disturb_the_first(tmp_path: Path, alone: str, query: str) -> None:
    texts = {
        1: "He runs quick races", 2: "a running stream", 3: "generously cities",
        4: "Он бежит быстро", 5: "бегущий документ", 6: "города и люди",
    }  # fmt: skip
    one = index_of(tmp_path / "one", texts, (alone,)).search([query], 10)[0]
    both = index_of(tmp_path / "both", texts).search([query], 10)[0]
    assert one.ids.tolist() == both.ids.tolist() != []
    assert one.scores.tolist() == both.scores.tolist()


def test_an_unknown_language_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no stemmer for klingon, latin: choose from .*" + LANGUAGES[-1]):
        TantivyIndex(tmp_path, ("english", "latin", "klingon"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_that_is_offered_has_a_stemmer(tmp_path: Path, language: str) -> None:
    assert found(index_of(tmp_path, {1: "w1"}, (language,)), "w1") == [1]


@pytest.mark.parametrize(
    "query",
    ["word " * 5000 + "cat", " ".join(f"x{n}" for n in range(5000)) + " cat", "x" * 100_000 + " cat"],
    ids=["repeated", "many", "one long word"],
)
def test_a_very_long_query_is_answered(tmp_path: Path, query: str) -> None:
    assert found(index_of(tmp_path, {1: "dog", 2: "cat"}), query) == [2]


@pytest.mark.parametrize("text", ["", "   ", "x" * 70_000, "nul \0 inside", "\ufeff😀", "a" * 3000 + " cat " * 3000])
def test_any_text_can_be_indexed(tmp_path: Path, text: str) -> None:
    index = index_of(tmp_path, {1: text, 2: "plain"})
    assert index.ids().tolist() == [1, 2]
    assert found(index, "plain") == [2]
    assert found(index, "cat") == ([1] if "cat" in text else [])


# What counts in a query ---------------------------------------------------------------------------------------


def test_words_of_the_question_count_more_than_function_words(tmp_path: Path) -> None:
    texts = {1: "what is it and where is it, and why", 2: "the pump stands in the cellar of the pump house"}
    index = index_of(tmp_path, texts)
    assert found(index, "what is it, and where is the pump") == [2, 1]
    assert index.search(["what"], 1)[0].scores[0] > index.search(["what of a pipe"], 1)[0].scores[0], "alone, in full"


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("TW-2025-0119", "TW-2025-0119"), ("FL-40", "(FL-40),"), ("uploads.max_size", "`uploads.max_size`"),
        ("§ 3.2", "§3.2"), ("1,250", "1250"), ("1250", "1 250"), ("14:30", "at 14:30."),
        ("a@b.example", "<a@b.example>"),
    ],
)  # fmt: skip
def test_a_code_is_found_before_its_parts(tmp_path: Path, code: str, written: str) -> None:
    parts = "tw 2025 0119 fl 40 uploads max size 3 2 250 14 30 1 a b example " * 3
    texts = dict.fromkeys(range(1, 9), parts) | {
        9: f"another line {written} among words " + "and a row of figures " * 9
    }
    assert found(index_of(tmp_path, texts), f"price of {code}")[0] == 9


def test_a_code_counts_as_much_in_a_long_table_as_in_a_short_line(tmp_path: Path) -> None:
    table = " ".join(f"| K-{n} | {n}.50 |" for n in range(300))
    index = index_of(tmp_path, {1: f"{table} | K-777 |", 2: "about K-900 and other things", 3: "K 777"})
    assert found(index, "K-777")[0] == 1


def test_a_quoted_phrase_counts_as_a_phrase(tmp_path: Path) -> None:
    texts = {
        1: "term of notice, notice period, period term",
        2: "a longer text about the notice period and nothing else",
    }
    index = index_of(tmp_path, {**texts, 3: "срок аренды помещения", 4: "аренды аренды срок"})
    assert found(index, 'What is "the notice period"?')[0] == 2
    assert found(index, "Что значит «срок аренды»?")[0] == 3
    assert found(index, 'an unclosed "notice period'), "an odd quotation mark is no error"
