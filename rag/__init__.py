"""Ask questions over your own documents and get answers whose citations have been checked.

The command line is ``rag`` (see ``rag --help``); from Python, start at :mod:`rag.answering.pipeline`. Importing this
package loads no model library.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
