"""``rag index``: one file for each command."""
