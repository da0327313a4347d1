"""The script that Streamlit runs, alone in its folder: a folder ``pages`` beside it would be taken for its own."""
