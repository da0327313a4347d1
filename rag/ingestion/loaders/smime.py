"""S/MIME bodies that are signed and not encrypted: the content inside the signature, which is not verified."""

from __future__ import annotations

__all__ = ["signed_content"]


def signed_content(data: bytes) -> bytes | None:
    """Return what a signature (CMS ``SignedData``) contains.

    None if it contains nothing, is encrypted, or is damaged.
    """
    from asn1crypto import cms

    try:
        info = cms.ContentInfo.load(data)
        if info["content_type"].native != "signed_data":
            return None
        content = info["content"]["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # what asn1crypto raises for damaged data
        return None
    return content if isinstance(content, bytes) and content else None
