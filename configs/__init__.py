"""Presets as package data: one YAML file each, laid over the defaults in :mod:`rag.config`."""
