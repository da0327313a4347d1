"""The parts of a MIME message, which e-mail and saved web pages have in common."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from rag.ingestion.loaders.text import normalise
from rag.text import one_line

__all__ = ["content_of", "header_of", "parse_message"]


def parse_message(data: bytes) -> EmailMessage:
    """Parse a message. Damaged ones are parsed as far as possible."""
    return message_from_bytes(data, policy=policy.default)


def header_of(message: EmailMessage, name: str) -> str:
    """Return a header on one line, an empty string if it is missing."""
    return one_line(normalise(str(message.get(name, ""))))


def content_of(part: MIMEPart) -> str | bytes:
    """Return a part's content: text if its encoding is known, else its bytes."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    if part.get_content_maintype() != "text" or charset is None:
        return data
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data
