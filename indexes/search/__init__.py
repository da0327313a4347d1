"""Search backends behind two protocols: dense (FAISS) and lexical (tantivy)."""
