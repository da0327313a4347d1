"""``rag eval``: the one place where the product (``rag``) and the harness (``eval``) meet."""
