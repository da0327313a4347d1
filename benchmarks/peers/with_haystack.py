"""Haystack: converter, splitter, embedder and writer with a duplicate policy, into the FAISS document store on disk.

A CacheChecker passes over files that the store already holds, by path: it would not see that one has changed, which
makes its second run faster than a correct one. Chunks are counted in characters, 900 for 200 tokens: counted in tokens
they would be tiktoken's, which is fetched from a network.
"""

from __future__ import annotations

import time

from common import BATCH, SUFFIXES, arguments, model_folder, tell
from haystack import Pipeline
from haystack.components.caching import CacheChecker
from haystack.components.converters import TextFileToDocument
from haystack.components.preprocessors import RecursiveDocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import ComponentDevice
from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersDocumentEmbedder
from haystack_integrations.document_stores.faiss import FAISSDocumentStore

started = time.monotonic()
documents, folder = arguments()
folder.mkdir(parents=True, exist_ok=True)
kept = folder / "store"
store = FAISSDocumentStore(index_path=str(kept), embedding_dim=384)
files = sorted(str(path) for path in documents.rglob("*") if path.suffix in SUFFIXES)
new = CacheChecker(store, cache_field="meta.file_path").run(items=files)["misses"]
if new:
    pipeline = Pipeline()
    pipeline.add_component("read", TextFileToDocument(store_full_path=True))
    pipeline.add_component(
        "split", RecursiveDocumentSplitter(
            split_length=900, split_overlap=144, split_unit="char", separators=["\n\n", "\n", " "]
        ),
    )  # fmt: skip
    pipeline.add_component(
        "embed", SentenceTransformersDocumentEmbedder(
            model=model_folder(), device=ComponentDevice.from_str("cpu"), batch_size=BATCH, normalize_embeddings=True,
            progress_bar=False, local_files_only=True,
        ),
    )  # fmt: skip
    pipeline.add_component("write", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    for left, right in (("read", "split"), ("split", "embed"), ("embed", "write")):
        pipeline.connect(f"{left}.documents", f"{right}.documents")
    pipeline.run({"read": {"sources": new}})
    store.save(kept)
tell(started, documents=len(files), chunks=store.count_documents())
