"""The command line: one file for each command, listed in :mod:`rag.cli.main`.

Only here do ``rag``, ``eval`` and ``ui`` meet."""
