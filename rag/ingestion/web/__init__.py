"""Single web pages: addresses, which of them may be reached, ``robots.txt``, and fetching within limits."""
