"""The table of file formats: one row each, from which detection, loading, filters, listings and docs all follow.

To add a format, write a module with a function ``load(data, source) -> Document`` and add a row. This module is a leaf:
it names loaders and imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rag.ingestion.loaders.code import CODE_SUFFIXES, LANGUAGES
from rag.ingestion.loaders.picture_file import PICTURE_TYPES

if TYPE_CHECKING:
    from rag.types import Document

__all__ = [
    "CODE",
    "FORMATS",
    "PLAIN_TEXT",
    "Format",
    "add_format",
    "extensions",
    "filter_named",
    "filter_of",
    "filter_types",
    "has_slides",
    "language_of",
]

CODE, PLAIN_TEXT = "text/x-code", "text/plain"
_LOADERS = "rag.ingestion.loaders"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument.text"
_PRESENTATION = "application/vnd.oasis.opendocument.presentation"
_SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"


@dataclass(frozen=True, slots=True)
class Format:
    """One file format. Plain values only, so that a row can be sent to a worker process.

    - ``name``: as docs and messages call it
    - ``media_type``: what detection returns, and what documents have; ``variants`` are further types of its documents
    - ``extensions``: files with these are read from folders; files with ``other_extensions`` only if they are named
    - ``loader``: ``module:function``. With ``takes_limits``, it gets the limits as its third argument
    - ``package``: the distribution that the loader imports
    - ``filter``: the name in ``--filter type=NAME``, which several formats may share; ``aliases`` are further names
    - ``magic``: how a file of this format begins, after white space, as a regular expression. For zip packages instead:
      ``zip_member``, the name of a member that only this format has, in small letters, and ``zip_types``, families of
      content types that its main part has under another name; or ``zip_mimetypes``, what the member ``mimetype`` may
      contain. For OLE files: ``ole_streams``, names of which one is at the top of the file
    - ``own_encodings``: its parts declare their own encodings, so the loader gets the bytes as they are. The loaders of
      other formats of text get UTF-8
    - ``needs_content``: a file with the extension whose content is not recognised is plain text
    - ``noun``: what a broken file is called; without it, a loader that fails counts as a defect of this project.
      ``remedy`` says what to do about a broken file. With ``text_if_broken``, it is read as plain text instead
    - ``page``: what a page of its documents is called
    - ``may_be_blank``: a file without text is a document, too
    - ``needs_ocr``: it is only read from folders where OCR is ready
    """

    name: str
    media_type: str
    extensions: tuple[str, ...]
    loader: str
    filter: str
    package: str = ""
    aliases: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    other_extensions: tuple[str, ...] = ()
    magic: str = ""
    zip_member: str = ""
    zip_types: tuple[str, ...] = ()
    zip_mimetypes: tuple[str, ...] = ()
    ole_streams: tuple[str, ...] = ()
    takes_limits: bool = False
    own_encodings: bool = False
    needs_content: bool = False
    text_if_broken: bool = False
    noun: str = ""
    remedy: str = "export or download it again"
    page: str = "page"
    may_be_blank: bool = False
    needs_ocr: bool = False

    @property
    def is_zip(self) -> bool:
        """Whether its files are zip packages."""
        return bool(self.zip_member or self.zip_mimetypes)

    @property
    def is_binary(self) -> bool:
        """Whether its files are not text."""
        return self.is_zip or bool(self.magic or self.ole_streams)

    def load(self) -> Callable[..., Document]:
        """Import the loader."""
        module, _, function = self.loader.partition(":")
        loader: Callable[..., Document] = getattr(import_module(module), function)
        return loader

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Format:
        """Return the row of which ``values`` are the ``asdict``, read from JSON."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)


FORMATS: dict[str, Format] = {}
"""Every format by its media type, in the order of the docs."""


def add_format(row: Format) -> None:
    """Add a format to the table, or replace the one of its media type."""
    FORMATS[row.media_type] = row


for _row in (
    Format(
        "PDF", "application/pdf", (".pdf",), f"{_LOADERS}.pdf:load_pdf", "pdf",
        package="pypdfium2", magic="%PDF-", takes_limits=True, noun="PDF",
    ),
    Format(
        "Word", f"{_OFFICE}.wordprocessingml.document", (".docx", ".docm", ".dotx", ".dotm"),
        f"{_LOADERS}.docx:load_docx", "docx",
        package="lxml", aliases=("word",), zip_member="word/document.xml", zip_types=("wordprocessingml", "word"),
        noun="Word document",
    ),
    Format(
        "PowerPoint", f"{_OFFICE}.presentationml.presentation",
        (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), f"{_LOADERS}.pptx:load_pptx", "pptx",
        package="python-pptx", aliases=("powerpoint",),
        zip_member="ppt/presentation.xml", zip_types=("presentationml", "powerpoint"), noun="presentation",
        page="slide",
    ),
    Format(
        "Excel", f"{_OFFICE}.spreadsheetml.sheet", (".xlsx", ".xlsm", ".xltx", ".xltm"),
        f"{_LOADERS}.xlsx:load_xlsx", "xlsx",
        package="lxml", aliases=("excel",), zip_member="xl/workbook.xml", zip_types=("spreadsheetml", "excel"),
        noun="workbook",
    ),
    Format(
        "old Excel", "application/vnd.ms-excel", (".xls", ".xlt"), f"{_LOADERS}.xls:load_xls", "xls",
        package="xlrd", ole_streams=("Workbook", "Book", "WORKBOOK", "BOOK"), noun="workbook",
    ),
    Format(
        "binary Excel", "application/vnd.ms-excel.sheet.binary.macroenabled.12", (".xlsb",),
        f"{_LOADERS}.calamine_sheets:load_xlsb", "xlsb",
        package="python-calamine", zip_member="xl/workbook.bin", noun="workbook",
    ),
    Format(
        "OpenDocument spreadsheet", _SPREADSHEET, (".ods", ".ots"), f"{_LOADERS}.ods:load_ods", "ods",
        package="lxml", zip_mimetypes=(_SPREADSHEET, f"{_SPREADSHEET}-template"), noun="spreadsheet",
    ),
    Format(
        "OpenDocument text", _OPEN_DOCUMENT, (".odt",), f"{_LOADERS}.odt:load_odt", "odt",
        package="lxml", zip_mimetypes=(_OPEN_DOCUMENT, f"{_OPEN_DOCUMENT}-template"), noun="OpenDocument text",
    ),
    Format(
        "OpenDocument presentation", _PRESENTATION, (".odp", ".otp"), f"{_LOADERS}.odp:load_odp", "odp",
        package="lxml", zip_mimetypes=(_PRESENTATION, f"{_PRESENTATION}-template"), noun="presentation",
        page="slide",
    ),
    Format(
        "RTF", "application/rtf", (".rtf",), f"{_LOADERS}.rtf:load_rtf", "rtf",
        magic=r"\{\\rtf", noun="RTF document",
    ),
    Format(
        "EPUB", "application/epub+zip", (".epub",), f"{_LOADERS}.epub:load_epub", "epub",
        package="defusedxml", zip_mimetypes=("application/epub+zip",), noun="EPUB book",
    ),
    Format(
        "HTML", "text/html", (".html", ".htm", ".xhtml"), f"{_LOADERS}.html:load_html", "html",
        package="beautifulsoup4",
    ),
    Format(
        "saved web page", "multipart/related", (".mhtml", ".mht"), f"{_LOADERS}.mhtml:load_mhtml", "html",
        package="beautifulsoup4", own_encodings=True, needs_content=True, noun="saved page",
    ),
    Format(
        "Markdown", "text/markdown", (".md", ".markdown", ".mdx"), f"{_LOADERS}.markdown:load_markdown", "markdown",
        package="markdown-it-py",
    ),
    Format(
        "reStructuredText", "text/x-rst", (".rst",), f"{_LOADERS}.rst:load_rst", "rst",
        package="docutils", text_if_broken=True,
    ),
    Format(
        "LaTeX", "text/x-latex", (".tex",), f"{_LOADERS}.latex:load_latex", "latex",
        package="pylatexenc", text_if_broken=True,
    ),
    Format("plain text", PLAIN_TEXT, (".txt", ".text", ".log"), f"{_LOADERS}.text:load_text", "text"),
    Format("CSV, TSV", "text/csv", (".csv", ".tsv"), f"{_LOADERS}.csv_data:load_csv", "csv"),
    Format("JSON", "application/json", (".json",), f"{_LOADERS}.json_data:load_json", "json", needs_content=True),
    Format(
        "JSON lines", "application/jsonl", (".jsonl", ".ndjson"), f"{_LOADERS}.json_data:load_json_lines", "json",
        needs_content=True,
    ),
    Format(
        "XML", "application/xml", (".xml",), f"{_LOADERS}.xml_data:load_xml", "xml",
        package="defusedxml", needs_content=True, noun="XML",
    ),
    Format(
        "notebook", "application/x-ipynb+json", (".ipynb",), f"{_LOADERS}.notebook:load_notebook", "notebook",
        needs_content=True, noun="notebook",
    ),
    Format(
        "e-mail", "message/rfc822", (".eml",), f"{_LOADERS}.mail:load_mail", "mail",
        aliases=("email",), takes_limits=True, own_encodings=True, noun="message",
    ),
    Format(
        "Outlook message", "application/vnd.ms-outlook", (".msg",), f"{_LOADERS}.outlook:load_msg", "mail",
        package="olefile", takes_limits=True, ole_streams=("__properties_version1.0",), noun="message",
    ),
    Format(
        "SubRip subtitles", "application/x-subrip", (".srt",), f"{_LOADERS}.subtitles:load_srt", "subtitles",
        package="webvtt-py", needs_content=True, text_if_broken=True,
    ),
    Format(
        "WebVTT subtitles", "text/vtt", (".vtt",), f"{_LOADERS}.subtitles:load_vtt", "subtitles",
        package="webvtt-py", needs_content=True, text_if_broken=True,
    ),
    *(
        Format(
            f"{name} picture", f"image/{kind}", endings, f"{_LOADERS}.image:load_image", "image",
            package="pillow", aliases=("picture", "scan"), magic=PICTURE_TYPES[f"image/{kind}"], takes_limits=True,
            noun="picture", may_be_blank=True, needs_ocr=True,
        )
        for name, kind, endings in (
            ("PNG", "png", (".png",)),
            ("JPEG", "jpeg", (".jpg", ".jpeg")),
            ("TIFF", "tiff", (".tif", ".tiff")),
            ("WebP", "webp", (".webp",)),
            ("BMP", "bmp", (".bmp",)),
            ("GIF", "gif", (".gif",)),
        )
    ),
    Format(
        "source code", CODE, tuple(CODE_SUFFIXES), f"{_LOADERS}.code:load_code", "code",
        variants=tuple(f"text/x-{language}" for language in LANGUAGES),
    ),
):  # fmt: skip
    add_format(_row)


def extensions() -> dict[str, Format]:
    """Return the format of each extension that is read from folders."""
    return {extension: row for row in FORMATS.values() for extension in row.extensions}


def filter_types() -> dict[str, tuple[str, ...]]:
    """Return the names that ``type=`` accepts, sorted, each with the media types of its documents."""
    types: dict[str, tuple[str, ...]] = {}
    for row in FORMATS.values():
        types[row.filter] = (*types.get(row.filter, ()), row.media_type, *row.variants)
    return dict(sorted(types.items()))


def filter_named(name: str) -> str | None:
    """Return the filter's name for a name, an alias or an extension, with or without its dot; None if unknown."""
    name = name.lower().removeprefix(".")
    names = {row.filter: row.filter for row in FORMATS.values()}
    aliases = {alias: row.filter for row in FORMATS.values() for alias in row.aliases}
    endings = {ending.removeprefix("."): row.filter for ending, row in extensions().items()}
    return (endings | aliases | names).get(name)


def filter_of(media_type: str) -> str:
    """Return the filter's name for a media type, the media type itself if it is unknown."""
    return next((name for name, types in filter_types().items() if media_type in types), media_type)


def has_slides(source: str) -> bool:
    """Return whether a document's pages are slides, by its name: a passage does not know its document's type."""
    suffix = PurePath(source).suffix.lower()
    return any(row.page == "slide" and suffix in row.extensions + row.other_extensions for row in FORMATS.values())


def language_of(media_type: str) -> str | None:
    """Return the language of source code or markup, such as ``python`` or ``latex``; None for other media types."""
    prefix = "text/x-"
    return media_type.removeprefix(prefix) if media_type.startswith(prefix) else None
