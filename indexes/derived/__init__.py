"""Derived indexes: built from the store, published whole, verified on opening."""
