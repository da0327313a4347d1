"""Runnable experiments, each with its command and its last figures. See ``make bench``."""
