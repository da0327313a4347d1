"""``rag eval``: one file for each command, and what they share. Only here do ``rag`` and ``eval`` meet."""
