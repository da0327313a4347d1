"""E-mail: the main headers, the text, and each attachment in a known format.

If a message has its text both plain and as HTML, the fuller one is read (:mod:`~rag.ingestion.loaders.mail_body`). An
attachment that cannot be read is listed and noted with the reason.
"""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from rag.errors import DocumentError
from rag.ingestion.loaders.calendar_text import calendar_text
from rag.ingestion.loaders.decoding import BOMS, Decoded, decode_bytes, wide_encoding
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.limits import Bounds
from rag.ingestion.loaders.mail_body import fuller, unflowed
from rag.ingestion.loaders.mail_parts import TextForms, name_of, split_message
from rag.ingestion.loaders.text import decode, normalise
from rag.text import one_line
from rag.types import Document

__all__ = ["header_of", "load_mail", "parse_message", "text_of"]

_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
_TNEF_REMEDY = "ask the sender for a message in HTML or plain text, or save its files from Outlook"
_NOTED = ("struck_through", "attachment_not_read")  # what is hidden in messages repeats their first words
_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def load_mail(data: bytes, source: str, bounds: Bounds) -> Document:
    """Read a message and its attachments, which may be messages with attachments."""
    if bounds.attachment_depth < 1:
        raise DocumentError("nested", "it is a message inside too many other messages", "ingest it by itself")
    inner_bounds = replace(bounds, attachment_depth=bounds.attachment_depth - 1)
    message = parse_message(data)
    builder = DocumentBuilder()
    subject = header_of(message, "Subject")
    lines = [f"{name}: {value}" for name in _HEADERS if (value := header_of(message, name))]
    headings = (subject,) if subject else ()
    parts = split_message(message)
    texts = [_text(forms, source, builder) for forms in parts.texts]
    texts += [calendar_text(_decoded(part, builder)) or _decoded(part, builder) for part in parts.calendars]
    builder.add("\n\n".join(["\n".join(lines), *filter(str.strip, texts)]), None, headings)
    for sentence in parts.unreadable:
        builder.note("body_not_readable", sentence)
    for number, part in enumerate(parts.attachments, start=1):
        if number > bounds.attachments:
            more = f"attachments after the first {bounds.attachments} were not read"
            builder.add(f"[{more}]", None, headings)
            builder.note("attachment_not_read", more)
            break
        _add_attachment(part, builder, headings, inner_bounds)
    return builder.document(source, "message/rfc822", subject)


def _add_attachment(part: MIMEPart, builder: DocumentBuilder, headings: tuple[str, ...], bounds: Bounds) -> None:
    from rag.ingestion.loaders import load_bytes

    name = one_line(normalise(name_of(part)))
    below = (*headings, f"attachment {name}")
    try:
        if part.get_content_type() in _TNEF or name.casefold() == "winmail.dat":
            raise DocumentError("archive", "it is in Outlook's own format (TNEF)", _TNEF_REMEDY)
        document = load_bytes(_file(part), name, bounds)
        if document.text.strip():  # a picture may have none
            builder.add_document(document, below)
    except DocumentError as error:
        builder.add(f"[attachment {name} was not read: {error.message}]", None, below)
        kind = "pictures_not_read" if error.reason == "no ocr" else "attachment_not_read"
        builder.note(kind, f"not read: {error.message}", f"attachment {name}", error.remedy)


def _text(forms: TextForms, source: str, builder: DocumentBuilder) -> str:
    """Return a text of a message, of its two forms the fuller one."""
    plain = "\n\n".join(_plain_text(part, builder) for part in forms.plain)
    pages = [html_document(_decoded(part, builder), source, "text/html") for part in forms.html]
    text = fuller(plain, "\n\n".join(page.text for page in pages))
    for note in (note for page in pages for note in page.notes if note.kind in _NOTED and page.text in text):
        builder.note(note.kind, note.text, note.place, note.remedy)
    return text


def _plain_text(part: MIMEPart, builder: DocumentBuilder) -> str:
    if part.is_multipart():  # a report of delivery: groups of headers
        groups = [group for group in part.get_payload() if isinstance(group, MIMEPart)]
        return "\n\n".join("\n".join(f"{name}: {value}" for name, value in group.items()) for group in groups)
    text = normalise(_decoded(part, builder))
    if part.get_content_type() == "text/plain" and str(part.get_param("format", "")).casefold() == "flowed":
        return unflowed(text, delete_space=str(part.get_param("delsp", "")).casefold() == "yes")
    return text


def _decoded(part: MIMEPart, builder: DocumentBuilder) -> str:
    content = text_of(part)
    for note in content.notes:
        builder.note(note.kind, note.text, note.place, note.remedy)
    return content.text


def _file(part: MIMEPart) -> bytes:
    """Return the bytes of an attachment; text whose charset is declared as UTF-8."""
    if part.get_content_maintype() == "message" and part.is_multipart():
        inner: EmailMessage = part.get_payload(0)  # type: ignore[assignment]
        if "base64" in part.get("Content-Transfer-Encoding", "") and not inner.keys():  # forbidden, and yet written
            inner["Content-Transfer-Encoding"] = "base64"
            return _content_of(inner)
        return bytes(inner)
    declared = part.get_content_maintype() == "text" and part.get_content_charset()
    text = text_of(part) if declared else None
    exact = text is not None and not text.notes
    return text.text.encode("utf-8-sig", "replace") if exact and text else _content_of(part)


def parse_message(data: bytes) -> EmailMessage:
    """Parse a message. Damaged ones are parsed as far as possible, and those that were saved as UTF-16."""
    if data.startswith(BOMS) or wide_encoding(data):
        data = decode_bytes(data).text.encode()
    return message_from_bytes(data, policy=policy.default)


def header_of(message: EmailMessage, name: str) -> str:
    """Return a header on one line, an empty string if it is missing."""
    value = str(message.get(name, ""))
    raw = next((text for key, text in message.raw_items() if key.lower() == name.lower()), "")
    if not raw.isascii():  # bytes that no charset was declared for
        value = decode(raw.encode("utf-8", "surrogateescape"))
    return one_line(normalise(value))


def _content_of(part: MIMEPart) -> bytes:
    """Return a part's bytes, without its transfer encoding."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def text_of(part: MIMEPart) -> Decoded:
    """Decode a part of text by its charset, or by its bytes if it declares none or a wrong one."""
    return decode_bytes(_content_of(part), part.get_content_charset() or "")
