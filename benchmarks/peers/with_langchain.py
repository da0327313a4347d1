"""LangChain's indexing API: `index()` with an SQLite record manager and FAISS saved to disk, unchanged files skipped.

https://docs.langchain.com: the record manager hashes every chunk, so that only new ones are embedded.
"""

from __future__ import annotations

import time

import faiss
from common import BATCH, OVERLAP, SIZE, SUFFIXES, arguments, model_folder, tell
from langchain_classic.indexes import SQLRecordManager
from langchain_community.docstore.in_memory import InMemoryDocstore
from langchain_community.document_loaders import DirectoryLoader, TextLoader
from langchain_community.vectorstores import FAISS
from langchain_core.indexing import index
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from transformers import AutoTokenizer

started = time.monotonic()
documents, folder = arguments()
model = model_folder()
folder.mkdir(parents=True, exist_ok=True)
embeddings = HuggingFaceEmbeddings(
    model_name=model, model_kwargs={"device": "cpu"}, encode_kwargs={"batch_size": BATCH, "normalize_embeddings": True}
)
if (folder / "index.faiss").exists():
    store = FAISS.load_local(str(folder), embeddings, allow_dangerous_deserialization=True)
else:
    store = FAISS(embeddings, faiss.IndexFlatIP(384), InMemoryDocstore(), {})
records = SQLRecordManager("faiss/benchmark", db_url=f"sqlite:///{folder}/records.sql")
records.create_schema()
splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
    AutoTokenizer.from_pretrained(model), chunk_size=SIZE, chunk_overlap=OVERLAP
)
loader = DirectoryLoader(
    str(documents), glob=[f"**/*{s}" for s in SUFFIXES], loader_cls=TextLoader, loader_kwargs={"encoding": "utf-8"}
)
loaded = loader.load()
index(
    splitter.split_documents(loaded), records, store,
    cleanup="incremental", source_id_key="source", key_encoder="sha256", batch_size=1000,
)  # fmt: skip
store.save_local(str(folder))
tell(started, documents=len(loaded), chunks=store.index.ntotal)
