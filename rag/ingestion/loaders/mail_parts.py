"""What the parts of a message are: texts in one or two forms, calendars, attachments, and what cannot be read.

Only types and names are looked at, except for the content of an S/MIME signature, whose parts are sorted, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import MIMEPart

from rag.ingestion.loaders.smime import signed_content

__all__ = ["MessageParts", "TextForms", "name_of", "split_message"]

_ENVELOPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_WITHOUT_CONTENT = (
    "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
    "application/pgp-encrypted",
)  # fmt: skip


@dataclass(slots=True)
class TextForms:
    """A text of a message in its forms, which may say the same: plain parts and HTML parts, each in their order."""

    plain: list[MIMEPart] = field(default_factory=list)
    html: list[MIMEPart] = field(default_factory=list)


@dataclass(slots=True)
class MessageParts:
    """The parts of a message. ``unreadable`` holds sentences about bodies that are encrypted or damaged."""

    texts: list[TextForms] = field(default_factory=list)
    calendars: list[MIMEPart] = field(default_factory=list)
    attachments: list[MIMEPart] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def split_message(message: MIMEPart) -> MessageParts:
    """Return the parts of a message at any depth; a message inside is one attachment."""
    parts = MessageParts()
    if _is_file(message) and not message.is_multipart():  # the whole message is one file
        _add_leaf(message, parts, None)
    else:
        _walk(message, parts, None)
    return parts


def name_of(part: MIMEPart) -> str:
    """Return the file name of a part, made from its type if it has none."""
    return part.get_filename() or part.get_content_type().replace("/", ".")


def _walk(part: MIMEPart, parts: MessageParts, forms: TextForms | None) -> None:
    """Sort a part. ``forms`` is the text whose alternatives are being read."""
    kind = part.get_content_type()
    if kind == "multipart/encrypted":
        parts.unreadable.append("its text is encrypted")
    elif kind.startswith("multipart/") and part.is_multipart():
        if kind == "multipart/alternative" and forms is None:
            forms = TextForms()
            parts.texts.append(forms)
        for inner in _inner(part):
            _walk(inner, parts, forms)
    else:
        _add_leaf(part, parts, forms)


def _inner(part: MIMEPart) -> Iterator[MIMEPart]:
    for inner in part.get_payload():
        if isinstance(inner, MIMEPart):
            yield inner


def _add_leaf(part: MIMEPart, parts: MessageParts, forms: TextForms | None) -> None:
    kind, name = part.get_content_type(), (part.get_filename() or "").casefold()
    if kind in _WITHOUT_CONTENT:
        return
    if kind in _ENVELOPES or name.endswith(".p7m"):
        _open_envelope(part, parts, forms)
    elif kind == "text/calendar":
        parts.calendars.append(part)
    elif _is_file(part):
        if part.get_content_maintype() != "image" or part.get_filename() or part.is_attachment():
            parts.attachments.append(part)
    else:
        is_html = kind in ("text/html", "application/xhtml+xml")
        if forms is None:
            forms = TextForms()
            parts.texts.append(forms)
        (forms.html if is_html else forms.plain).append(part)


def _open_envelope(part: MIMEPart, parts: MessageParts, forms: TextForms | None) -> None:
    """Sort the message, or add the file, that is inside an S/MIME signature."""
    payload = part.get_payload(decode=True)
    content = signed_content(payload) if isinstance(payload, bytes) else None
    name = part.get_filename() or ""
    if content is None and part.get_content_type() not in _ENVELOPES and name.casefold() != "smime.p7m":
        parts.attachments.append(part)
    elif content is None:
        is_signed = "signed" in str(part.get_param("smime-type", ""))
        parts.unreadable.append(f"its text is {'in a damaged S/MIME signature' if is_signed else 'encrypted (S/MIME)'}")
    elif name.casefold() in ("", "smime.p7m"):
        _walk(message_from_bytes(content, policy=policy.default), parts, forms)
    else:
        file = MIMEPart(policy=policy.default)
        file.set_content(content, "application", "octet-stream", filename=name[: -len(".p7m")])
        parts.attachments.append(file)


def _is_file(part: MIMEPart) -> bool:
    """Return whether a part is a file, and not text that a mail program shows."""
    if part.is_attachment() or part.get_filename():
        return True
    kind = part.get_content_type()
    is_report = kind in ("message/delivery-status", "message/disposition-notification")
    is_broken = kind.startswith("multipart/")  # without parts: what is there is shown as text
    is_text = kind in ("text/html", "application/xhtml+xml") or kind.startswith("text/")
    return not (is_report or is_broken or (is_text and kind not in ("text/csv", "text/vcard", "text/x-vcard")))
