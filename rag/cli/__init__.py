"""The command line, one command a file. Only here do ``rag``, ``eval`` and ``ui`` meet."""
