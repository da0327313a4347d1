"""reStructuredText, through docutils and HTML. Includes and raw parts are not followed.

The content of directives and roles that docutils does not know, such as Sphinx's, is read as text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rag.ingestion.loaders.html import html_document
from rag.ingestion.loaders.text import decode
from rag.types import Document

__all__ = ["load_rst"]

_SETTINGS = {
    "_disable_config": True,
    "doctitle_xform": False,
    "embed_stylesheet": False,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "initial_header_level": 1,
    "line_length_limit": 1 << 30,
    "math_output": "LaTeX",
    "raw_enabled": False,
    "report_level": 5,
    "smart_quotes": False,
    "stylesheet_path": "",
    "syntax_highlight": "none",
    "toc_backlinks": False,
}
_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]{1,100}\|[ \t]+)?([\w:.+-]{1,80}?)::(?:\s|$)", re.MULTILINE)
_CODE = frozenset({"code", "code-block", "sourcecode"})
_ROLE = re.compile(r":([A-Za-z][\w:.+-]{0,80}?):`")


def load_rst(data: bytes, source: str) -> Document:
    """Read reStructuredText."""
    from docutils.core import publish_parts

    text = decode(data)
    _register_unknown(text)
    html = publish_parts(text, source_path=None, writer="html5", settings_overrides=_SETTINGS)["html_body"]
    return html_document(html, source, "text/x-rst", without="nav.contents")


def _register_unknown(text: str) -> None:
    """Register the directives and roles that a text uses and docutils does not know."""
    from docutils.parsers.rst import directives, roles

    plain, listing = _directive_classes()
    known_directives, known_roles = _known()
    for name in _CODE:  # docutils knows these, but drops the whole block for an option of Sphinx's
        directives.register_directive(name, listing)
    for name in set(map(str.lower, _DIRECTIVE.findall(text))) - known_directives:
        directives.register_directive(name, plain)
    for name in set(map(str.lower, _ROLE.findall(text))) - known_roles:
        roles.register_local_role(name, _plain_role)


def _known() -> tuple[frozenset[str], frozenset[str]]:
    from docutils.parsers.rst.languages import en

    return frozenset(en.directives) | _CODE, frozenset(en.roles)


@lru_cache(maxsize=1)
def _directive_classes() -> tuple[Any, Any]:
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class Plain(Directive):
        """Shows its argument as a paragraph, and its content as if it were outside."""

        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True
        option_spec = _AnyOption()

        def run(self) -> list[nodes.Node]:
            node = nodes.container()
            if self.arguments:
                node += nodes.paragraph("", "", *self.state.inline_text(self.arguments[0], self.lineno)[0])
            self.state.nested_parse(self.content, self.content_offset, node)
            return [node]

    class Listing(Plain):
        """Shows code."""

        def run(self) -> list[nodes.Node]:
            code = "\n".join(self.content)
            return [nodes.literal_block(code, code)]

    return Plain, Listing


class _AnyOption(dict[str, Any]):
    """Accepts options of any name."""

    def __bool__(self) -> bool:
        return True

    def __missing__(self, key: str) -> Any:
        return lambda argument: argument


def _plain_role(
    role: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[Any], list[Any]]:
    """Return the text of a role: ``the mast`` of ``the mast <mast-height>``."""
    del role, lineno, inliner, options, content
    from docutils import nodes
    from docutils.utils import unescape

    shown = re.sub(r"\s*<[^<>]*>$", "", unescape(text)).lstrip("~!")
    return [nodes.inline(rawtext, shown)], []
