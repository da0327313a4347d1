"""Generators: what turns a question and its passages into an answer. The protocol is :mod:`rag.generation.base`."""
