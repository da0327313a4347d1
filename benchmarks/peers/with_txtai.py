"""txtai: an embeddings database with content, upserted and saved.

txtai knows no unchanged files: ``upsert`` embeds what it is given. Chunks are cut by chonkie's recursive chunker, the
one that its documentation names, in the embedder's own tokens, without overlap, which is less work than the others'.
"""

from __future__ import annotations

import time

from common import BATCH, SIZE, SUFFIXES, arguments, model_folder, tell
from tokenizers import Tokenizer
from txtai import Embeddings
from txtai.pipeline import Segmentation

started = time.monotonic()
documents, folder = arguments()
model = model_folder()
tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
tokenizer.no_truncation()
tokenizer.no_padding()
segment = Segmentation(chunker="recursive", tokenizer=tokenizer, chunk_size=SIZE, cleantext=False)
embeddings = Embeddings(path=model, content=True, encodebatch=BATCH, gpu=False)
if embeddings.exists(str(folder)):
    embeddings.load(str(folder))
files = sorted(path for path in documents.rglob("*") if path.suffix in SUFFIXES)
rows = [
    (f"{path}#{number}", chunk, None)
    for path in files
    for number, chunk in enumerate(segment(path.read_text(encoding="utf-8")))
]
embeddings.upsert(rows)
embeddings.save(str(folder))
tell(started, documents=len(files), chunks=embeddings.count())
