"""Fine-tuning of span readers and rerankers: data, passages, the training loop and its records.

Nothing outside this package imports it but the command; answering needs none of it.
"""
