"""Ingestion: discover files, plan, parse, chunk, embed and commit."""
