"""The Streamlit application: thin pages over pure view functions.

``rag ui`` starts it. Importing this package loads nothing.
"""
