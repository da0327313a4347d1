"""The file that Streamlit runs.

It is not in ``ui/`` itself, where Streamlit would take every file of ``ui/pages`` for a script of its own, and run that
and show nothing, when an address such as ``/documents`` is the first to be asked for.
"""

from __future__ import annotations

from ui.app import main

if __name__ == "__main__":
    main()
