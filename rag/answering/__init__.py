"""Answering: passages to a checked answer, and a conversation's follow-up to a question of its own."""
