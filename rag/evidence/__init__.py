"""Evidence: find the spans of passages that support a text. Knows nothing of models."""
