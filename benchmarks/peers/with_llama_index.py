"""llama-index: an IngestionPipeline with a document store (upserts) and FAISS, both persisted.

Files have their paths as ids, so that the document store knows what has not changed. The cache of transformations is
off: it would write every vector a second time, as JSON, and the document store decides before it is asked. Metadata is
kept out of what is embedded, which is less work than the default.
"""

from __future__ import annotations

import time

import faiss
from common import BATCH, OVERLAP, SIZE, SUFFIXES, arguments, model_folder, tell
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore
from transformers import AutoTokenizer

started = time.monotonic()
documents, folder = arguments()
model = model_folder()
tokenizer = AutoTokenizer.from_pretrained(model)
kept = folder / "docstore.json"
if kept.exists():
    store = FaissVectorStore.from_persist_dir(str(folder))
    docstore = SimpleDocumentStore.from_persist_path(str(kept))
else:
    folder.mkdir(parents=True, exist_ok=True)
    store, docstore = FaissVectorStore(faiss_index=faiss.IndexFlatIP(384)), SimpleDocumentStore()
pipeline = IngestionPipeline(
    transformations=[
        SentenceSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, tokenizer=tokenizer.tokenize, include_metadata=False),
        HuggingFaceEmbedding(model_name=model, embed_batch_size=BATCH, device="cpu", normalize=True),
    ],
    docstore=docstore,
    docstore_strategy=DocstoreStrategy.UPSERTS,
    vector_store=store,
    disable_cache=True,
)
reader = SimpleDirectoryReader(
    str(documents), recursive=True, filename_as_id=True, required_exts=list(SUFFIXES), exclude_hidden=False
)
read = reader.load_data()
for document in read:
    document.excluded_embed_metadata_keys = list(document.metadata)
pipeline.run(documents=read)
store.persist(str(folder / "default__vector_store.json"))
docstore.persist(str(kept))
tell(started, documents=len({d.metadata["file_path"] for d in read}), chunks=store.client.ntotal)
