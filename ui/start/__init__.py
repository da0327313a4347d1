"""Where Streamlit begins: a folder of its own, because of what it does with a folder ``pages`` beside its script."""
