"""E-mail: the main headers, the text, and each attachment in a known format.

If a message has its text both plain and as HTML, the plain one is read. An attachment that cannot be read is listed
with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from rag.errors import DocumentError
from rag.ingestion.loaders.decoding import Decoded, decode_bytes
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.text import decode, normalise
from rag.text import one_line
from rag.types import Document

__all__ = ["content_of", "header_of", "load_mail", "parse_message", "text_of"]

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def load_mail(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a message and its attachments, which may be messages with attachments."""
    from rag.ingestion.loaders import load_bytes

    if bounds.attachment_depth < 1:
        raise DocumentError("nested", "it is a message inside too many other messages", "ingest it by itself")
    inner_bounds = replace(bounds, attachment_depth=bounds.attachment_depth - 1)
    message = parse_message(data)
    builder = DocumentBuilder()
    subject = header_of(message, "Subject")
    lines = [f"{name}: {value}" for name in _HEADERS if (value := header_of(message, name))]
    headings = (subject,) if subject else ()
    body = message.get_body(("plain", "html"))
    text = _body_text(body, source, builder) if body is not None else ""
    builder.add("\n".join(lines) + "\n\n" + text, None, headings)
    for number, (name, content) in enumerate(_attachments(message, body), start=1):
        below = (*headings, f"attachment {name}")
        if number > bounds.attachments:
            builder.add(f"[further attachments were not read: more than {bounds.attachments}]", None, headings)
            break
        try:
            builder.add_document(load_bytes(content, name, inner_bounds), below)
        except DocumentError as error:
            builder.add(f"[attachment {name} was not read: {error.message}]", None, below)
    return builder.document(source, "message/rfc822", subject)


def _body_text(body: MIMEPart, source: str, builder: DocumentBuilder) -> str:
    content = text_of(body)
    for note in content.notes:
        builder.note(note.kind, note.text, note.place, note.remedy)
    if body.get_content_type() == "text/html":
        return html_document(content.text, source, "text/html").text
    return normalise(content.text)


def _attachments(message: MIMEPart, body: MIMEPart | None) -> Iterator[tuple[str, bytes]]:
    """Yield each file in a message with its name, at any depth."""
    for part in message.iter_parts() if message.is_multipart() else ():
        if part is body:
            continue
        if part.get_content_maintype() == "multipart":
            yield from _attachments(part, body)
            continue
        name = part.get_filename() or part.get_content_type().replace("/", ".")
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload(0) if part.is_multipart() else None
            yield name, bytes(inner) if inner is not None else b""  # type: ignore[arg-type]  # a message
        elif part.is_attachment() or part.get_filename():
            declared = part.get_content_maintype() == "text" and part.get_content_charset()
            text = text_of(part) if declared else None
            exact = text is not None and not text.notes
            yield name, text.text.encode("utf-8-sig", "replace") if exact and text else content_of(part)


def parse_message(data: bytes) -> EmailMessage:
    """Parse a message. Damaged ones are parsed as far as possible."""
    return message_from_bytes(data, policy=policy.default)


def header_of(message: EmailMessage, name: str) -> str:
    """Return a header on one line, an empty string if it is missing."""
    value = str(message.get(name, ""))
    raw = next((text for key, text in message.raw_items() if key.lower() == name.lower()), "")
    if not raw.isascii():  # bytes that no charset was declared for
        value = decode(raw.encode("utf-8", "surrogateescape"))
    return one_line(normalise(value))


def content_of(part: MIMEPart) -> bytes:
    """Return a part's bytes, without its transfer encoding."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def text_of(part: MIMEPart) -> Decoded:
    """Decode a part of text by its charset, or by its bytes if it declares none or a wrong one."""
    return decode_bytes(content_of(part), part.get_content_charset() or "")
