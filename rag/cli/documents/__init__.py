"""``rag documents``: one file for each command."""
