"""Chats in their file: kept, found, and never another owner's."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import Failure
from rag.types import Answer
from ui.jobs.asking import Clock
from ui.storage.chats import (
    COOKIE,
    FILE,
    Chat,
    Chats,
    Conversation,
    HistoryError,
    Turn,
    new_token,
    owner_of,
    title_of,
)

TEXT = st.text(max_size=20)


def kept(chats: Chats, owner: str, *questions: str) -> Chat:
    chat = Chat("/index")
    for question in questions:
        turn = Turn(question, shown=f"answer to {question}")
        chat.turns.append(turn)
        chats.put(owner, chat, turn)
    return chat


@pytest.mark.slow
@given(
    turn=st.builds(
        Turn, TEXT, asked=st.floats(0, 1e10), shown=TEXT, stopped=st.booleans(), band=st.sampled_from(["", "high"]),
        failure=st.none() | st.builds(Failure, TEXT, TEXT, st.integers(0, 9)),
        clock=st.builds(Clock, done=st.floats(0, 9)),
        answer=st.none() | st.builds(Answer, TEXT, TEXT, st.booleans(), st.just(0.5)), absence=TEXT, config=TEXT,
        filter=st.lists(TEXT, max_size=2).map(tuple),
    )
)  # fmt: skip
def test_a_turn_comes_back_as_it_was(turn: Turn, tmp_path_factory: pytest.TempPathFactory) -> None:
    chats = Chats(tmp_path_factory.mktemp("state"))
    chat = Chat("/index", turns=[turn])
    chats.put("me", chat, turn)
    found = chats.load("me", chat.id)
    assert found is not None
    back = found.turns[0]
    assert (back.said, back.question) == (turn.said, turn.question)
    assert {**vars(back), "shown": ""} == {**vars(turn), "shown": ""}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("json_remove(value, '$.filter')", ()),
        ("json_set(json_remove(value, '$.filter'), '$.only', '')", ()),
        (
            "json_set(json_remove(value, '$.filter'), '$.only', 'source=a* and type=pdf')",
            ("source=a*", "type=pdf"),
        ),
    ],
)
def test_a_chat_of_an_earlier_version_opens(tmp_path: Path, change: str, expected: tuple[str, ...]) -> None:
    chats = Chats(tmp_path)
    chat = kept(chats, "me", "one")
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute(f"UPDATE turns SET value = {change}").rowcount == 1
    found = chats.load("me", chat.id)
    assert found is not None and found.turns[0].filter == expected


def test_halves_of_characters_are_kept(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    chat = kept(chats, "me", "\ud800?")
    found = chats.load("me", chat.id)
    assert found is not None and found.turns[0].question == "\ud800?"


def test_the_latest_chat_stands_first_and_a_turn_moves_it_there(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    one, two = kept(chats, "me", "one"), kept(chats, "me", "two")
    assert [row.id for row in chats.list("me")] == [two.id, one.id]
    chats.put("me", one, Turn("more"))
    assert [row.id for row in chats.list("me")] == [one.id, two.id]


def test_a_turn_of_a_known_id_takes_its_place(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    chat = kept(chats, "me", "one", "two")
    chats.put("me", chat, replace(Turn("one", shown="better"), id=chat.turns[0].id))
    found = chats.load("me", chat.id)
    assert found is not None and [turn.said for turn in found.turns] == ["better", "answer to two"]


def test_a_search_finds_words_in_titles_questions_and_answers(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    fog, soup = kept(chats, "me", "Сколько весит ДАТЧИК?"), kept(chats, "me", "What is soup?")
    assert [row.id for row in chats.list("me", "датчик сколько")] == [fog.id]
    assert [row.id for row in chats.list("me", "ANSWER")] == [soup.id, fog.id]
    assert chats.list("me", "100% _") == []


def test_a_chat_is_renamed_and_deleted(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    chat = kept(chats, "me", "one")
    chats.rename("me", chat.id, "  Another \n name ")
    chats.rename("me", chat.id, "   ")
    chats.put("me", chat, Turn("more"))  # which does not bring the old title back
    assert [row.title for row in chats.list("me")] == ["Another name"]
    chats.delete("me", chat.id)
    assert (chats.list("me"), chats.load("me", chat.id)) == ([], None)
    assert b"answer to one" not in (tmp_path / FILE).read_bytes()


# Owners -------------------------------------------------------------------------------------------------------------


def test_a_chat_of_another_owner_is_as_good_as_not_there(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    chat = kept(chats, "me", "canary-7f3a")
    assert chats.list("you") == [] and chats.list("you", "canary") == []
    assert chats.load("you", chat.id) is None
    chats.rename("you", chat.id, "taken")
    chats.delete("you", chat.id)
    with pytest.raises(HistoryError, match="another user"):
        chats.put("you", Chat("", id=chat.id), Turn("taken"))
    found = chats.load("me", chat.id)
    assert found is not None and (found.title, len(found.turns)) == ("canary-7f3a", 1)


def test_a_browser_is_known_by_its_cookie_and_a_user_by_who_the_provider_says() -> None:
    one, two = new_token(), new_token()
    assert (
        owner_of({}, {COOKIE: one}) == owner_of({"is_logged_in": False}, {COOKIE: one}) != owner_of({}, {COOKIE: two})
    )
    assert owner_of({}, {}) is owner_of({}, {COOKIE: "guess"}) is owner_of({}, {COOKIE: one + "x"}) is None
    user = {"is_logged_in": True, "iss": "https://id.example", "sub": "7"}
    assert owner_of(user, {COOKIE: one}) == owner_of({**user, "name": "another"}, {COOKIE: two})
    assert owner_of(user, {}) != owner_of({**user, "iss": "https://other.example"}, {})
    assert one not in str(owner_of({}, {COOKIE: one}))


# Trouble ------------------------------------------------------------------------------------------------------------


def test_a_chat_goes_on_unsaved_where_the_file_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, and long enough to be looked at" * 100)
    now = Conversation(Chats(tmp_path), "me")
    now.store(Turn("one", shown="1"), now.chat)
    assert [turn.question for turn in now.chat.turns] == ["one"]
    assert now.unsaved is not None and FILE in now.unsaved.message and now.unsaved.remedy
    with pytest.raises(HistoryError):
        now.rows("")


def test_a_full_disk_is_said_and_the_chat_goes_on(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    now = Conversation(chats, "me")
    now.store(Turn("one", shown="1"), now.chat)
    with sqlite3.connect(tmp_path / FILE) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]

    class Full(Chats):
        def _prepare(self, db: sqlite3.Connection) -> None:
            db.execute(f"PRAGMA max_page_count = {pages}")

    now.chats = Full(tmp_path)
    now.store(Turn("two", shown="2" * 100_000), now.chat)
    assert now.unsaved is not None and "full" in now.unsaved.message
    assert len(now.chat.turns) == 2
    now.chats = chats
    now.store(Turn("three", shown="3"), now.chat)
    assert now.unsaved is None
    found = chats.load("me", now.chat.id)
    assert found is not None and [turn.question for turn in found.turns] == ["one", "three"]


def test_a_locked_store_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chats = Chats(tmp_path)
    kept(chats, "me", "one")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.05}))
    with connect(tmp_path / FILE, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HistoryError, match="locked"):
            kept(chats, "me", "two")
        holder.execute("ROLLBACK")
    holder.close()
    kept(chats, "me", "two")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(HistoryError, match="state"):
        kept(Chats(tmp_path / "state" / "ui"), "me", "one")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="newer"):
        Chats(tmp_path).list("me")


def test_a_damaged_turn_is_an_error_of_its_chat_alone(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    bad, good = kept(chats, "me", "bad"), kept(chats, "me", "good")
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE turns SET value = '{}' WHERE chat = ?", (bad.id,))
    with pytest.raises(HistoryError, match="cannot be read"):
        chats.load("me", bad.id)
    assert chats.load("me", good.id) is not None
    chats.delete("me", bad.id)
    assert [row.id for row in chats.list("me")] == [good.id]


def test_many_sessions_write_at_once(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    threads = [threading.Thread(target=kept, args=(chats, f"owner {n}", "one", "two")) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(6):
        (row,) = chats.list(f"owner {n}")
        found = chats.load(f"owner {n}", row.id)
        assert found is not None and [turn.question for turn in found.turns] == ["one", "two"]


# The chat that is open ----------------------------------------------------------------------------------------------


def test_without_an_owner_nothing_is_written(tmp_path: Path) -> None:
    now = Conversation(Chats(tmp_path / "state"), None)
    now.store(Turn("one"), now.chat)
    assert (now.rows(""), now.open(now.chat.id), len(now.chat.turns)) == ([], False, 1)
    assert not (tmp_path / "state").exists()


def test_asking_again_keeps_the_old_answer_where_none_came(tmp_path: Path) -> None:
    now = Conversation(Chats(tmp_path), "me")
    now.store(Turn("one", shown="old"), now.chat)
    now.store(replace(Turn("one", stopped=True), id=now.chat.turns[0].id), now.chat)
    assert [turn.said for turn in now.chat.turns] == ["old"]
    now.store(replace(Turn("one", shown="new"), id=now.chat.turns[0].id), now.chat)
    assert [turn.said for turn in now.chat.turns] == ["new"]


def test_a_turn_goes_to_the_chat_it_was_asked_in(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    now = Conversation(chats, "me")
    asked_in = now.chat
    now.want("")
    now.turn_over("docs")
    now.store(Turn("one", shown="1"), asked_in)
    assert now.chat.turns == [] and now.chat.collection == "docs"
    found = chats.load("me", asked_in.id)
    assert found is not None and [turn.question for turn in found.turns] == ["one"]
    now.want(asked_in.id)
    assert now.chat.turns == []  # not before the page turns over
    now.turn_over("docs")
    assert [turn.question for turn in now.chat.turns] == ["one"]
    now.turn_over("docs")
    assert now.chat.id == asked_in.id


def test_a_chat_that_was_deleted_elsewhere_does_not_come_back(tmp_path: Path) -> None:
    chats = Chats(tmp_path)
    now = Conversation(chats, "me")
    now.store(Turn("one", shown="1"), now.chat)
    other = Conversation(chats, "me")
    assert other.open(now.chat.id)
    other.delete("docs")
    for question in ("two", "three"):
        now.store(Turn(question, shown="2"), now.chat)
        assert now.unsaved is not None and "deleted in another window" in now.unsaved.message
        assert chats.list("me") == []
    assert [turn.question for turn in now.chat.turns] == ["one", "two", "three"]


def test_turns_of_a_chat_that_could_not_be_kept_at_first_are_kept_with_the_next(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    now = Conversation(Chats(state), "me")
    now.store(Turn("one", shown="1"), now.chat)
    assert now.unsaved is not None
    state.unlink()
    now.store(Turn("two", shown="2"), now.chat)
    found = now.chats.load("me", now.chat.id)
    assert now.unsaved is None and found is not None and [turn.question for turn in found.turns] == ["one", "two"]


def test_a_title_is_the_first_question_cut_at_a_word() -> None:
    assert title_of(" What \n is it? ") == "What is it?"
    long = title_of("word " * 50)
    assert len(long) <= 80 and long.endswith("word…")
