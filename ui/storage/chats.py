"""Chats that survive a reload: one SQLite file in the page's own folder, every row with its owner.

The owner is a user who logged in, else the browser, identified by a cookie that only this server reads: 32 random bytes
that the server sets with the first page (HttpOnly, same site only). The chats store its hash, so that a reader of the
file cannot impersonate a browser. A browser that takes no cookies has no owner: its chats live as long as its tab.

Every method of :class:`Chats` takes the owner and touches nothing else: a chat of another owner does not exist for it,
even by its id. A connection is opened for each call and closed after it, so any number of sessions may share a store.
A damaged file is named and left alone. Nothing here knows Streamlit or the index.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import Failure, RagError
from rag.ops.serialize import answer_from_json, answer_json
from rag.types import Answer
from ui.jobs.asking import Clock
from ui.text.failures import failure_of

__all__ = ["COOKIE", "Chat", "ChatRow", "Chats", "Conversation", "HistoryError", "Turn", "new_token", "owner_of"]

FILE = "chats.sqlite"
VERSION = 1
TITLE_CHARS = 80
_SCHEMA = """
CREATE TABLE IF NOT EXISTS chats (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, collection TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS chats_by_owner ON chats (owner, updated);
CREATE TABLE IF NOT EXISTS turns (
    number INTEGER PRIMARY KEY AUTOINCREMENT, chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    id TEXT NOT NULL, question TEXT NOT NULL, said TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (chat, id)
) STRICT;
"""


class HistoryError(RagError):
    """The chats cannot be read or written; what is on the page stays there."""


@dataclass(frozen=True)
class Turn:
    """One question and its result, complete enough to be shown again.

    ``shown`` is the streamed text, stored if there is no answer. ``band`` is the confidence in a word; ``absence`` says
    why there is no answer in the documents. ``config`` is the digest of the settings that answered, ``filter``
    the texts of the filter.
    """

    question: str
    id: str = field(default_factory=lambda: secrets.token_hex(9))  # `__` in a key would end a component's name
    asked: float = field(default_factory=time.time)
    answer: Answer | None = None
    shown: str = ""
    stopped: bool = False
    failure: Failure | None = None
    band: str = ""
    absence: str = ""
    clock: Clock = field(default_factory=Clock)
    config: str = ""
    filter: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The answer's text, or what there was of it."""
        return self.answer.text if self.answer is not None else self.shown


@dataclass
class Chat:
    """A chat as its session holds it. ``stored`` says that it was in the store at the last look."""

    collection: str = ""
    title: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    turns: list[Turn] = field(default_factory=list)
    stored: bool = False


@dataclass(frozen=True)
class ChatRow:
    """A chat in the list."""

    id: str
    title: str
    updated: float


class Chats:
    """The chats in ``folder``. Raises :class:`HistoryError` from every method."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def put(self, owner: str, chat: Chat, turn: Turn) -> None:
        """Store a turn of a chat, with all its turns if none could be stored before: at its end, or replacing one.

        A stored chat that is gone was deleted elsewhere. It does not come back with what is asked in it since.
        """
        chat.title = chat.title or title_of(turn.question)
        with self._writing() as db:
            if not self._touch(db, owner, chat):
                message = (
                    "this chat was deleted in another window" if chat.stored else "this chat belongs to another user"
                )
                raise HistoryError(f"{message}: its questions are not stored", "begin a new one")
            for one in [turn] if chat.stored else chat.turns or [turn]:
                db.execute(
                    "INSERT INTO turns (chat, id, question, said, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (chat, id) "
                    "DO UPDATE SET question = excluded.question, said = excluded.said, value = excluded.value",
                    (chat.id, one.id, _storable(one.question), _storable(one.said), _text(one)),
                )
        chat.stored = True

    def _touch(self, db: sqlite3.Connection, owner: str, chat: Chat) -> bool:
        """Say that a chat was used just now, and create it if it was not stored; return whether it is this owner's."""
        now = time.time()
        if chat.stored:
            made = db.execute("UPDATE chats SET updated = ? WHERE id = ? AND owner = ?", (now, chat.id, owner))
        else:
            made = db.execute(
                "INSERT INTO chats VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated WHERE owner = excluded.owner",
                (chat.id, owner, chat.title, chat.collection, now, now),
            )
        return bool(made.rowcount)

    def load(self, owner: str, chat_id: str) -> Chat | None:
        """Return a chat with its turns, or None where this owner has none of that id."""
        with self._open() as db:
            row = db.execute(
                "SELECT collection, title FROM chats WHERE id = ? AND owner = ?", (chat_id, owner)
            ).fetchone()
            if row is None:
                return None
            values = db.execute("SELECT value FROM turns WHERE chat = ? ORDER BY number", (chat_id,)).fetchall()
        return Chat(row[0], row[1], chat_id, [self._turn(value) for (value,) in values], stored=True)

    def list(self, owner: str, search: str = "") -> list[ChatRow]:
        """Return the owner's chats, the latest first: all, or those in which every word of ``search`` occurs.

        Words are compared in lower case and anywhere in title, questions and answers.
        """
        with self._open() as db:
            rows = db.execute(
                "SELECT id, title, updated FROM chats WHERE owner = ? ORDER BY updated DESC", (owner,)
            ).fetchall()
            words = search.casefold().split()
            if words:
                message = db.execute(
                    "SELECT chat, question || ' ' || said FROM turns "
                    "WHERE chat IN (SELECT id FROM chats WHERE owner = ?)",
                    (owner,),
                ).fetchall()
        if not words:
            return [ChatRow(*row) for row in rows]
        texts = {row[0]: row[1].casefold() for row in rows}  # SQLite's own lower() knows ASCII alone
        for chat, text in message:
            texts[chat] = f"{texts[chat]} {text.casefold()}"
        return [ChatRow(*row) for row in rows if all(word in texts[row[0]] for word in words)]

    def rename(self, owner: str, chat_id: str, title: str) -> None:
        """Give a chat another title; an empty one is not taken."""
        if title := " ".join(_storable(title).split())[:TITLE_CHARS]:
            with self._writing() as db:
                db.execute("UPDATE chats SET title = ? WHERE id = ? AND owner = ?", (title, chat_id, owner))

    def delete(self, owner: str, chat_id: str) -> None:
        """Remove a chat for good."""
        with self._writing() as db:
            db.execute("DELETE FROM chats WHERE id = ? AND owner = ?", (chat_id, owner))

    def _turn(self, value: str) -> Turn:
        try:
            return _turn(json.loads(value))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HistoryError(
                f"{self._file} holds a chat that cannot be read: {error!r}", "delete that chat"
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._file.exists():
                self._file.touch(mode=0o600)
            with closing(sqlite3.connect(self._file, timeout=5, isolation_level=None)) as db:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA secure_delete = ON")  # a deleted chat is gone from the file, too
                self._prepare(db)
                yield db  # closing rolls back what was not committed
        except sqlite3.OperationalError as error:
            locked = "locked" in str(error)
            remedy = "another process holds it; try again" if locked else "check the disk's free space and permissions"
            raise HistoryError(f"the chats in {self._file} cannot be stored: {error}", remedy) from None
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"the chats in {self._file} cannot be read: {error}", "move that file away; new chats begin a new one"
            ) from None
        except OSError as error:
            raise HistoryError(
                f"the chats cannot be stored in {error.filename or self._file}: {error.strerror}",
                "check the disk's free space and permissions",
            ) from None

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise HistoryError(f"{self._file} was written by a newer version", "install that version again")
        if version < VERSION:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")


def title_of(question: str) -> str:
    """Return what a chat is called until its user renames it: its first question, cut at a word."""
    line = " ".join(_storable(question).split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rsplit(" ", 1)[0] + "…"


def _storable(text: str) -> str:
    """Return a text without halves of characters, which no database takes."""
    return re.sub("[\ud800-\udfff]", "�", text)


def _text(turn: Turn) -> str:
    value = {name: getattr(turn, name) for name in ("id", "asked", "stopped", "band", "absence", "config", "filter")}
    value |= {
        "question": turn.question,
        "shown": turn.shown if turn.answer is None else "",
        "answer": None if turn.answer is None else answer_json(turn.answer, turn.config),
        "failure": None if turn.failure is None else asdict(turn.failure),
        "clock": asdict(turn.clock),
    }
    return json.dumps(value)  # as ASCII: what is no text in UTF-8 comes back too


def _turn(value: Mapping[str, Any]) -> Turn:
    answer, failure = value["answer"], value["failure"]
    return Turn(
        question=value["question"],
        id=value["id"],
        asked=value["asked"],
        answer=None if answer is None else answer_from_json(answer),
        shown=value["shown"],
        stopped=value["stopped"],
        failure=None if failure is None else Failure(**failure),
        band=value["band"],
        absence=value["absence"],
        clock=Clock(**value["clock"]),
        config=value["config"],
        filter=tuple(value["filter"] if "filter" in value else _older_filter(value)),
    )


def _older_filter(value: Mapping[str, Any]) -> list[str]:
    """Return the filter of a turn from when it was stored as one text, or not at all."""
    only: str = value.get("only", "")
    return only.split(" and ") if only else []


@dataclass
class Conversation:
    """With ``owner`` None nothing is stored. ``wanted`` is the chat to open next, an empty id a new one.

    ``asking`` is held from a question until its answer is stored. A click in between starts a new script run before the
    old one has ended: it waits for this lock, or it would draw the chat without the answer. Its callbacks run before it
    waits, so they only set ``wanted``: the answer must still find its own chat.
    """

    chats: Chats
    owner: str | None
    chat: Chat = field(default_factory=Chat)
    unsaved: Failure | None = None
    wanted: str | None = None
    asking: threading.Lock = field(default_factory=threading.Lock)

    def store(self, turn: Turn, chat: Chat) -> None:
        """Take a turn into the chat it was asked in, which may not be the open one any more.

        It comes at the end, or in place of the one with its id if it says something that one did not.
        """
        ids = [known.id for known in chat.turns]
        if turn.id not in ids:
            chat.turns.append(turn)
        elif turn.said:
            chat.turns[ids.index(turn.id)] = turn
        else:
            return
        if self.owner is not None:
            try:
                self.chats.put(self.owner, chat, turn)
                self.unsaved = None
            except HistoryError as error:
                self.unsaved = failure_of(error)

    def want(self, chat_id: str) -> None:
        """Say which chat is to be opened next; an empty id is a new one."""
        self.wanted = chat_id

    def turn_over(self, collection: str) -> None:
        """Open what is wanted, if anything is. Raises :class:`~ui.storage.chats.HistoryError`."""
        wanted, self.wanted = self.wanted, None
        if wanted:
            self.open(wanted)
        elif wanted is not None:
            self.begin(collection)

    def begin(self, collection: str) -> None:
        """Open a new chat."""
        self.chat, self.unsaved = Chat(collection), None

    def open(self, chat_id: str) -> bool:
        """Open a chat of this owner; return whether there is one. Raises :class:`~ui.storage.chats.HistoryError`."""
        found = None if self.owner is None else self.chats.load(self.owner, chat_id)
        if found is not None:
            self.chat, self.unsaved = found, None
        return found is not None

    def rows(self, search: str) -> list[ChatRow]:
        """Return the owner's chats. Raises :class:`~ui.storage.chats.HistoryError`."""
        return [] if self.owner is None else self.chats.list(self.owner, search)

    def rename(self, title: str) -> None:
        """Rename the open chat. Raises :class:`~ui.storage.chats.HistoryError`."""
        if self.owner is not None and title.strip():
            self.chats.rename(self.owner, self.chat.id, title)
            found = self.chats.load(self.owner, self.chat.id)
            self.chat.title = found.title if found is not None else self.chat.title

    def delete(self, collection: str) -> None:
        """Delete the open chat and begin a new one. Raises :class:`~ui.storage.chats.HistoryError`."""
        if self.owner is not None:
            self.chats.delete(self.owner, self.chat.id)
        self.begin(collection)


COOKIE = "rag_browser"
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return the value of a new browser's cookie."""
    return secrets.token_urlsafe(32)


def owner_of(user: Mapping[str, object], cookies: Mapping[str, str]) -> str | None:
    """Return the owner of a session: 64 hex digits, or None where nothing identifies it.

    ``user`` is what an OpenID provider said: its issuer and subject are who it is, whatever name or mail it shows.
    """
    subject, issuer = user.get("sub"), user.get("iss")
    if user.get("is_logged_in") and subject:
        return _hashed("user", str(issuer), str(subject))
    token = cookies.get(COOKIE, "")
    return _hashed("browser", token) if _FORM.fullmatch(token) else None


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
