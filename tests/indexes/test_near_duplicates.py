"""Which texts are the same or nearly so, and the signatures that find them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_samples import document, new_index, put

from indexes import Index
from indexes import minhash as near_duplicates
from indexes.derived.signatures import complete, duplicate_groups
from indexes.minhash import SIZE, THRESHOLD, Signature, _jaccard, group, jaccard, sign
from indexes.store.store import DATABASE


def words(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(5000)}" for _ in range(count)]


def changed(text: Sequence[str], every: int) -> str:
    """Exchange every n-th word for one that stands nowhere else."""
    return " ".join(f"other{n}" if n % every == every - 1 else word for n, word in enumerate(text))


def groups(texts: dict[str, str]) -> list[tuple[tuple[str, float], ...]]:
    found = group({name: sign(text) for name, text in texts.items()}, texts.__getitem__)
    return [tuple((name, round(similarity, 3)) for name, similarity in one.members) for one in found]


def by_hand(a: str, b: str) -> float:
    runs = [{tuple(t.split()[n : n + 5]) for n in range(max(len(t.split()) - 4, 1))} for t in (a, b)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.lists(st.sampled_from("abc"), min_size=1))
def test_the_similarity_is_that_of_sets_of_five_words(one: list[str], other: list[str]) -> None:
    a, b = " ".join(one), " ".join(other)
    assert jaccard(a, b) == pytest.approx(by_hand(a, b))
    assert jaccard(a, a) == 1


@given(st.text(alphabet="abß Σς漢字ก \n-", max_size=80), st.sampled_from([1, 3, 10]))
def test_a_text_that_is_read_in_parts_has_the_same_signature(text: str, characters: int) -> None:
    whole, shingles = sign(text), near_duplicates._shingles(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_CHARACTERS_AT_ONCE", characters)
        assert sign(text) == whole
        assert (near_duplicates._shingles(text) == shingles).all()


def test_a_signature_estimates_the_similarity() -> None:
    text = words(2000, 1)
    for every in (200, 50, 20, 8):
        other = changed(text, every)
        pair = [np.frombuffer(sign(t).minima, dtype="<u4") for t in (" ".join(text), other)]
        assert len(pair[0]) == SIZE
        assert (pair[0] == pair[1]).mean() == pytest.approx(jaccard(" ".join(text), other), abs=0.15)


def test_equal_words_are_exact_duplicates_however_they_are_set() -> None:
    text = " ".join(words(50, 1))
    found = groups({"a": text, "b": text.upper().replace(" ", "\n"), "c": " ".join(words(50, 2))})
    assert found == [(("a", 1.0), ("b", 1.0))]


def test_a_near_duplicate_is_found_and_a_mere_relative_is_not() -> None:
    text = words(1000, 3)
    texts = {"a": " ".join(text), "near": changed(text, 100), "relative": changed(text, 25), "z": " ".join(words(9, 4))}
    [members] = groups(texts)
    assert members == (("a", 1.0), ("near", round(jaccard(texts["a"], texts["near"]), 3)))
    assert 0.4 < jaccard(texts["a"], texts["relative"]) < THRESHOLD


def test_signatures_that_lie_do_not_make_duplicates() -> None:
    """What the signatures bring together, the texts themselves decide."""
    texts = {"a": " ".join(words(100, 1)), "b": " ".join(words(100, 2))}
    same = sign(texts["a"]).minima
    found = group({"a": Signature(b"a", same), "b": Signature(b"b", same)}, texts.__getitem__)
    assert found == []


def test_nearly_every_pair_at_the_threshold_is_found() -> None:
    texts = {}
    for n in range(60):
        base = words(400, n)
        texts |= {f"{n:02}a": " ".join(base), f"{n:02}b": changed(base, 45)}  # a similarity of 0.80 to 0.82
    alike = [n for n in range(60) if jaccard(texts[f"{n:02}a"], texts[f"{n:02}b"]) >= THRESHOLD]
    assert len(alike) > 30
    assert len(groups(texts)) >= 0.95 * len(alike)
    assert {members[0][0][:2] for members in groups(texts)} <= {f"{n:02}" for n in alike}


def test_texts_after_one_pattern_are_compared_with_a_few_and_not_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of seven shingles are common to all pairs, just too few: each is a candidate of each."""
    texts = {f"{n:03}": f"{n:03} txt " + "the lamp is green " * 20 for n in range(300)}
    texts |= {f"copy {name}": texts[name].upper() for name in list(texts)[::3]}
    counted = []
    monkeypatch.setattr(near_duplicates, "_jaccard", lambda a, b: counted.append(1) or _jaccard(a, b))
    found = groups(texts)
    assert found == [((f"{n:03}", 1.0), (f"copy {n:03}", 1.0)) for n in range(0, 300, 3)]
    assert len(counted) <= 20 * 300  # of 44,850 pairs


def test_a_group_may_have_more_members_than_a_text_is_compared_with() -> None:
    text = words(60, 3)
    texts = {f"{n:04}": " ".join([*text, f"end{n % 5}"]) for n in range(1200)}
    (group_of_all,) = groups(texts)
    assert [name for name, _ in group_of_all] == sorted(texts)
    assert {similarity for _, similarity in group_of_all} == {1.0, 0.966}


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    text = "".join(chr(0x4E00 + n) for n in words_of(400))
    found = groups({"a": text, "b": text[:200] + "一二" + text[200:]})
    assert [name for name, _ in found[0]] == ["a", "b"]


def words_of(count: int) -> list[int]:
    chance = random.Random(5)
    return [chance.randrange(5000) for _ in range(count)]


@pytest.mark.parametrize("text", ["", "   ", "…", "one", "one two three"])
def test_texts_of_few_words_are_like_themselves_alone(text: str) -> None:
    assert groups({"a": text, "b": text, "c": "another one"}) == [(("a", 1.0), ("b", 1.0))]


# Beside the texts -------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = new_index(tmp_path / "index")
    put(made.store, document("a", "fog on the quay"), document("b", "fog on the quay"), document("c", "soup"))
    made.sync()
    return made


def members(index: Index) -> list[list[str]]:
    return [[name for name, _ in one.members] for one in duplicate_groups(index.store)]


def test_every_text_is_signed_once(index: Index) -> None:
    assert complete(index.store) == 0
    put(index.store, document("d", "soup"))
    assert complete(index.store) == 1
    assert members(index) == [["a", "b"], ["c", "d"]]


def test_a_signature_goes_with_its_text(index: Index) -> None:
    put(index.store, document("b", "bread"))
    assert members(index) == []
    index.store.commit(removals=["a"])
    index.sync()
    with closing(sqlite3.connect(index.store.path)) as db:
        assert db.execute("SELECT count(*) FROM signatures").fetchone() == (2,)
    index.store.commit(moves=[("c", "m")])
    put(index.store, document("n", "soup"))
    assert members(index) == [["m", "n"]]


def test_a_run_that_is_undone_is_signed_again(index: Index) -> None:
    put(index.store, document("b", "bread"))
    index.sync()
    index.store.roll_back(1)
    index.sync()
    assert members(index) == [["a", "b"]]
    assert index.verify(deep=True) == []


@pytest.mark.parametrize("column", ["words", "minima", "sha256"])
def test_a_damaged_signature_is_found_passed_over_and_mended(index: Index, column: str) -> None:
    index.store.close()
    with closing(sqlite3.connect(index.folder / DATABASE)) as db:
        db.execute(f"UPDATE signatures SET {column} = zeroblob(480) WHERE document_id = 1")
        db.commit()
    assert members(index) == [["a", "b"]]
    [problem] = index.verify()
    assert (problem.part, problem.repairable) == ("signatures", True)
    index.rebuild({"signatures"})
    assert index.verify(deep=True) == []


def test_a_signature_of_another_text_is_found_by_a_deep_check(index: Index) -> None:
    from indexes.minhash import METHOD
    from indexes.store.checksums import row_sha256

    other = sign("something else")
    row = (1, METHOD, other.words, other.minima)
    with index.store.transaction() as db:
        db.execute("DELETE FROM signatures WHERE document_id = 1")
        db.execute("INSERT INTO signatures VALUES (?, ?, ?, ?, ?)", (*row, row_sha256(*row)))
    assert index.verify() == []
    [problem] = index.verify(deep=True)
    assert problem.part == "signatures"
    index.rebuild({"signatures"})
    assert index.verify(deep=True) == []
