"""Training data: from corpora to examples, with the overlap test that keeps evaluation sets out."""
