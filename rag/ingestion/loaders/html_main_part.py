"""The main part of a web page: navigation, cookie banners and footers go; a page that would lose half keeps all.

Elements are left out by what they are (``nav``, ``role``, words in class and id) and by how much of their text is in
links; nothing is chosen. So headings, buttons, panels, asides and addresses stay, wherever they are, and a page with
several articles, an empty ``main`` or none is read like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rag.ingestion.loaders.html_inline import BLOCKS
from rag.ingestion.loaders.html_visible import characters, names_of, tags_of
from rag.text import one_line

__all__ = ["leave_out"]

NAVIGATION, BANNER, FOOTER, HIDDEN = "navigation", "cookie banner", "footer", "hidden text"
_INSIDE = frozenset({"main", "article", "section", "blockquote"})
_CONTAINERS = frozenset({"div", "ul", "ol", "aside", "section", "header", "table", "p", "td", "form"})
_MENU = re.compile(r"breadcrumbs?|pager|pagination|skip|skiplinks?|\w*(?:nav|navi|navbar|navigation|menu|menubar)")
_FOOTERS = frozenset({"footer", "foot"})
_OUTSIDE = frozenset({
    "related", "recommended", "share", "sharing", "sidebar", "social", "socials", "topbar", "toolbar", "widget",
})  # fmt: skip
_BANNERS = frozenset(
    {"consent", "cookie", "cookiebot", "cookiebar", "cookies", "didomi", "gdpr", "onetrust", "usercentrics"}
)
_CONSENT = re.compile(r"cookie|consent|einwillig|куки|cookies|同意|クッキー|ciasteczk", re.I)
_LEGAL = re.compile(
    r"©|\(c\) ?\d{4}|copyright|all rights reserved|alle rechte|tous droits|todos los derechos|все права|powered by"
    r"|privacy (policy|notice)|terms of (use|service)",
    re.I,
)
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|(?<![\w.-])\+?\d[\d ()/.\u00a0–-]{6,}\d(?![\w-])|\d{1,2}[:.]\d\d\s?(?:[ap]m|uhr|h\b|[-–])",
    re.I,
)
_YEARS = re.compile(r"(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d")
_LONGEST_BANNER = 5000
_LONGEST_LEGAL = 300
_SENTENCE = 60  # characters; shorter lines of a footer are labels
_MOSTLY = 0.5  # of its text in links: a list of links
_LINKS_ONLY = 0.8
_LINKS = frozenset({"a", "button", "option"})
_FEW = 5


def leave_out(root: Any, hidden: list[Any]) -> dict[str, int]:
    """Remove what does not belong to the main part; return how many characters of each kind were removed.

    ``hidden`` are elements that the page does not show. If all together would be more than half of the text, everything
    is kept.
    """
    total = characters(root)
    not_shown = {id(element) for element in hidden}
    found = list(_parts(root, not_shown))
    amounts = [(element, kind, characters(element)) for element, kind in found]
    if 2 * sum(amount for _, _, amount in amounts) > total:
        return {}
    removed: dict[str, int] = {}
    for element, kind, amount in amounts:
        removed[kind] = removed.get(kind, 0) + amount
        element.decompose()
    return removed


class _Page:
    """What is known of a page: whether its ``main`` has most of the text, and which elements contain a title."""

    def __init__(self, root: Any) -> None:
        tags = tags_of(root)
        mains = [tag for tag in tags if tag.name == "main" or tag.get("role") == "main"]
        self.has_main = any(2 * characters(main) > characters(root) for main in mains)
        titles = [tag for tag in tags if tag.name == "h1"]
        self.has_title = bool(titles)
        self._around = {id(parent) for tag in (*mains, *titles) for parent in tag.parents}

    def contains_main_part(self, element: Any) -> bool:
        """Return whether a title or a ``main`` is inside an element."""
        return id(element) in self._around


def _parts(root: Any, hidden: set[int]) -> Iterator[tuple[Any, str]]:
    """Yield the outermost elements that are to be left out, with their kinds."""
    page = _Page(root)
    before_title = page.has_title
    stack = [(child, False) for child in reversed(root.contents) if getattr(child, "name", None)]
    while stack:
        element, inside = stack.pop()
        inside = inside or element.name in _INSIDE or element.get("role") == "main"
        before_title = before_title and element.name != "h1"
        beside = not inside and (page.has_main or before_title) and not page.contains_main_part(element)
        kind = HIDDEN if id(element) in hidden else _kind(element, page, inside=inside)
        if not kind and beside and element.name in _CONTAINERS and _is_link_list(element):
            kind = NAVIGATION
        if kind == FOOTER or (kind == NAVIGATION and _has_contact(element)):
            yield from ((part, kind) for part in _pieces(element, hidden)[0])
        elif kind:
            yield element, kind
        else:
            stack += [(child, inside) for child in reversed(element.contents) if getattr(child, "name", None)]


def _kind(element: Any, page: _Page, *, inside: bool) -> str:
    """Return what an element is by its name, role, class and id; empty if it belongs to the main part."""
    role, name = element.attrs.get("role"), element.name
    if name in ("main", "body") or role == "main":
        return ""
    if name == "nav" or role in ("navigation", "menubar", "menu"):
        return NAVIGATION
    if not inside and (name == "footer" or role == "contentinfo"):
        return FOOTER
    names = names_of(element)
    if not names and role is None and name != "dialog":
        return ""
    if page.contains_main_part(element):
        return ""
    is_banner = not _BANNERS.isdisjoint(names) or role in ("dialog", "alertdialog") or name == "dialog"
    if is_banner and not inside:
        text = element.get_text(" ")
        if len(text) < _LONGEST_BANNER and _CONSENT.search(text):
            return BANNER
    if name not in _CONTAINERS:
        return ""
    is_menu = any(map(_MENU.fullmatch, names)) or (not inside and not _OUTSIDE.isdisjoint(names))
    if is_menu and _is_links(element):
        return NAVIGATION
    return FOOTER if not inside and not _FOOTERS.isdisjoint(names) and element.find("article") is None else ""


def _pieces(element: Any, hidden: set[int]) -> tuple[list[Any], bool]:
    """Return what of a footer or a menu to leave out, and whether anything of it stays.

    Contacts and sentences stay, with the short lines around them, such as headings. Lists of links and legal lines go.
    """
    if id(element) in hidden or _is_links(element):
        return [element], False
    blocks = [child for child in element.contents if getattr(child, "name", None) in BLOCKS]
    if not blocks:
        text = one_line(element.get_text(" "))
        stays = _has_contact(element) or (len(text) >= _SENTENCE and not _is_legal(text))
        return [] if stays else [element], stays
    parts: list[Any] = []
    labels: list[Any] = []
    stays = False
    for child in blocks:
        inner, inner_stays = _pieces(child, hidden)
        is_label = inner == [child] and not _is_links(child) and not _is_legal(one_line(child.get_text(" ")))
        (labels if is_label else parts).extend(inner)
        stays = stays or inner_stays
    if stays:
        return parts, True
    return [element], False


def _is_legal(text: str) -> bool:
    return len(text) < _LONGEST_LEGAL and _LEGAL.search(text) is not None


def _link_share(element: Any) -> float:
    """Return how much of the text is in links, buttons and choices."""
    amount = characters(element)
    if not amount:
        return 1.0
    links, stack = 0, [element]
    while stack:
        node = stack.pop()
        if node.name in _LINKS:
            links += characters(node)
        else:
            stack += [child for child in node.contents if getattr(child, "contents", None)]
    return links / amount


def _is_links(element: Any) -> bool:
    return _link_share(element) > _MOSTLY and not _has_contact(element)


def _is_link_list(element: Any) -> bool:
    return (
        len(element.find_all("a", limit=_FEW)) == _FEW
        and _link_share(element) > _LINKS_ONLY
        and not _has_contact(element)
    )


def _has_contact(element: Any) -> bool:
    if element.find("address") is not None or element.name == "address":
        return True
    for link in element.find_all("a", href=True):
        if str(link["href"]).startswith(("mailto:", "tel:")):
            return True
    return _CONTACT.search(_YEARS.sub("", element.get_text(" "))) is not None
