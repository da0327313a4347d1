"""Span reading: an encoder that marks where a passage answers a question, or that it does not.

Texts to windows (:mod:`rag.spans.windows`), the model (:mod:`rag.spans.model`), scores to spans
(:mod:`rag.spans.decode`).
"""
