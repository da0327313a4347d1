"""The Streamlit application's package. It has no page yet: ``rag ask`` is the way to ask for now."""
