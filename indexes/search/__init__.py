"""Search backends behind two protocols: dense (FAISS, NumPy) and lexical (tantivy)."""
