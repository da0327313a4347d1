"""Span reading: an encoder that marks where a passage answers a question, or that it does not.

Texts to windows (:mod:`rag.extractive_qa.windows`), the model (:mod:`rag.extractive_qa.model`), scores to spans
(:mod:`rag.extractive_qa.decode`).
"""
