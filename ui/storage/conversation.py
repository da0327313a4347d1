"""The open chat of a session, on the page and in the store.

A failing store loses nothing on the page: the chat continues, and ``unsaved`` says why it is not saved. Everything here
works while Streamlit is ending the script, when widgets and session state must not be touched.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from rag.errors import Failure
from ui.storage.history import Chat, ChatRow, Chats, HistoryError, Turn
from ui.text.failures import failure_of

__all__ = ["Conversation", "again"]


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
        """Open what is wanted, if anything is. Raises :class:`~ui.storage.history.HistoryError`."""
        wanted, self.wanted = self.wanted, None
        if wanted:
            self.open(wanted)
        elif wanted is not None:
            self.begin(collection)

    def begin(self, collection: str) -> None:
        """Open a new chat."""
        self.chat, self.unsaved = Chat(collection), None

    def open(self, chat_id: str) -> bool:
        """Open a chat of this owner; return whether there is one. Raises :class:`~ui.storage.history.HistoryError`."""
        found = None if self.owner is None else self.chats.load(self.owner, chat_id)
        if found is not None:
            self.chat, self.unsaved = found, None
        return found is not None

    def rows(self, search: str) -> list[ChatRow]:
        """Return the owner's chats. Raises :class:`~ui.storage.history.HistoryError`."""
        return [] if self.owner is None else self.chats.list(self.owner, search)

    def rename(self, title: str) -> None:
        """Rename the open chat. Raises :class:`~ui.storage.history.HistoryError`."""
        if self.owner is not None and title.strip():
            self.chats.rename(self.owner, self.chat.id, title)
            found = self.chats.load(self.owner, self.chat.id)
            self.chat.title = found.title if found is not None else self.chat.title

    def delete(self, collection: str) -> None:
        """Delete the open chat and begin a new one. Raises :class:`~ui.storage.history.HistoryError`."""
        if self.owner is not None:
            self.chats.delete(self.owner, self.chat.id)
        self.begin(collection)


def again(turn: Turn, replaced: Turn) -> Turn:
    """Return a turn as the one that comes in the place of another."""
    return replace(turn, id=replaced.id)
