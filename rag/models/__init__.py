"""Model files: where they are, whether they are the right ones, and what is made of them once for this machine.

Nothing here knows what a model is for. Only :mod:`rag.models.resolve` downloads, and only safetensors.
"""
