"""Parts that pages are put together from: widgets only. What they show is computed in :mod:`ui.views`."""
