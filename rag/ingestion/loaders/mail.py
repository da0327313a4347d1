"""E-mail: the headers a person reads, the text, and each attachment that is itself a document; saved web pages (MHTML).

Of a text that is there twice the plain one is read. An attachment that cannot be read is named with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from rag.errors import DocumentError
from rag.ingestion.loaders.document_builder import DocumentBuilder
from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.text import normalise, title_from
from rag.types import Document

__all__ = ["load_mail", "load_mhtml"]

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def load_mail(data: bytes, source: str, read: Callable[[bytes, str], Document], most: int) -> Document:
    """Read a message; ``read`` reads its attachments, ``most`` of them."""
    message = _parsed(data)
    built = DocumentBuilder()
    subject = _header(message, "Subject")
    told = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    headings = (subject,) if subject else ()
    body = message.get_body(("plain", "html"))
    text = _body_text(body, source) if body is not None else ""
    built.add("\n".join(told) + "\n\n" + text, None, headings)
    for number, (name, content) in enumerate(_attachments(message, body), start=1):
        below = (*headings, f"attachment {name}")
        if number > most:
            built.add(f"[further attachments were not read: more than {most}]", None, headings)
            break
        try:
            built.add_document(read(content, name), below)
        except DocumentError as error:
            built.add(f"[attachment {name} was not read: {error.message}]", None, below)
    return built.document(source, "message/rfc822", subject or title_from(source))


def load_mhtml(data: bytes, source: str) -> Document:
    """Read a web page that was saved as one file."""
    message = _parsed(data)
    page = next((part for part in message.walk() if part.get_content_type() in _PAGES), None)
    if page is None:
        raise DocumentError("broken", "the saved page holds no HTML", "save it again")
    html = _content(page)
    return html_document(html, source, "multipart/related", _header(message, "Subject"))


_PAGES = ("text/html", "application/xhtml+xml")


def _parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(normalise(str(message.get(name, ""))).split())


def _body_text(body: MIMEPart, source: str) -> str:
    content = _content(body)
    if body.get_content_type() == "text/html":
        return html_document(content, source, "text/html").text
    return normalise(content if isinstance(content, str) else content.decode("utf-8", "replace"))


def _attachments(message: MIMEPart, body: MIMEPart | None) -> Iterator[tuple[str, bytes]]:
    """Yield each file in a message, at whatever depth, with its name."""
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
            content = _content(part)
            yield name, content.encode() if isinstance(content, str) else content


def _content(part: MIMEPart) -> str | bytes:
    """Return a part's content: text where its encoding is known, else its bytes."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    if part.get_content_maintype() != "text" or charset is None:
        return data
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data
