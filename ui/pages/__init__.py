"""The pages: widgets only. What they show is computed in :mod:`ui.views`."""
