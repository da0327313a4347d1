"""Embedders: texts to vectors, behind one protocol (:mod:`rag.embedding.base.base`)."""
