"""Embedders: texts to unit vectors, behind the protocol in :mod:`rag.embedding.base`.

An embedder knows its model, its prefixes and how many tokens it reads. It does not know documents, chunks or indexes.
"""
