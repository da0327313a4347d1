"""What Streamlit runs; see :mod:`ui.app`.

Beside a folder called ``pages`` Streamlit serves the files in it as scripts, and an address such as ``/evaluation``
would run a module of ours and show nothing.
"""

from ui.app import main

if __name__ == "__main__":
    main()
