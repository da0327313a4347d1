"""Retrieval: question to ranked passages."""
