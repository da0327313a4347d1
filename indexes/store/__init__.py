"""The store: one SQLite database, the only truth of an index."""
