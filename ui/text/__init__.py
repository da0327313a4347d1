"""Plain text for the page: escaping untrusted text, messages for failures."""
