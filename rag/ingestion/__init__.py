"""Ingestion: from files to an index. Discover files, plan, parse, chunk, embed and commit.

:mod:`rag.ingestion.run` is the entry. This package knows files, documents and chunks, and takes everything that depends
on the configuration as :class:`~rag.ingestion.run.IngestParts`; it does not know the configuration or the factory.
"""
