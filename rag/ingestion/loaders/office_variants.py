"""Makes packages of Office Open XML readable for libraries that know only one of its forms.

A strict document (ISO 29500) has other namespaces than a transitional one, and a template or a slide show another type
of its main part. Both are rewritten; nothing else changes.
"""

from __future__ import annotations

import io
import re
import zipfile

__all__ = ["as_transitional"]

_TYPES = "[Content_Types].xml"
_STRICT = b"http://purl.oclc.org/ooxml/"
_NAMESPACE = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_RENAMED = {b"extendedProperties": b"extended-properties", b"customProperties": b"custom-properties"}
_RENAMED_NAME = re.compile(rb"(?<=/)(?:" + b"|".join(_RENAMED) + rb')(?=")')
_SLIDES = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_SLIDE_TYPES = re.compile(
    rb"application/vnd\.(?:openxmlformats-officedocument\.presentationml\.(?:slideshow|template)"
    rb"|ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled)\.main\+xml"
)


def as_transitional(data: bytes) -> bytes:
    """Return a package of Office Open XML as a transitional document; the same bytes if it is one."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = package.namelist()
        types = package.read(_TYPES) if _TYPES in names else b""
        relations = package.read("_rels/.rels") if "_rels/.rels" in names else b""
        strict = _STRICT in relations
        if not strict and not _SLIDE_TYPES.search(types):
            return data
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as rewritten:
            for member in package.infolist():
                content = package.read(member)
                if member.filename == _TYPES:
                    content = _SLIDE_TYPES.sub(_SLIDES, content)
                if strict and member.filename.endswith((".xml", ".rels", ".vml")):
                    content = _transitional(content)
                rewritten.writestr(member.filename, content)
    return made.getvalue()


def _transitional(xml: bytes) -> bytes:
    if _STRICT not in xml:
        return xml
    xml = _NAMESPACE.sub(rb"http://schemas.openxmlformats.org/\1/2006/", xml)
    return _RENAMED_NAME.sub(lambda match: _RENAMED[match.group()], xml)
