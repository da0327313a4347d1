"""What of a web page is shown: scripts go, collapsed panels stay, hidden and struck text goes and is counted.

A hidden element is a collapsed panel if something on the page opens it: a control names it, it follows a control,
several of them follow headings, or its class or role says so (accordions, tabs, sliders). Everything else that is
hidden by an attribute or an inline style is left out. Style sheets are not applied, except for classes that raise,
lower or strike text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.text import one_line

__all__ = ["Visible", "characters", "names_of", "show", "tags_of"]

_NEVER_SHOWN = frozenset({
    "script", "style", "head", "datalist", "canvas", "audio", "video", "object", "embed", "applet", "param", "track",
})  # fmt: skip
_PANELS = frozenset({
    "accordian", "accordion", "answer", "carousel", "collapsable", "collapse", "collapsed", "collapsible", "expand",
    "expandable", "expander", "faq", "foldable", "more", "pane", "panel", "readmore", "slide", "slider", "slides",
    "spoiler", "swiper", "tab", "tabpanel", "tabs", "tabcontent", "toggle", "toggleable", "togglecontent",
})  # fmt: skip
_CONTROLS = frozenset({"button", "summary", "label", "dt", "input"})
_HEADINGS = frozenset({"h2", "h3", "h4", "h5", "h6"})
_REFERENCES = ("aria-controls", "aria-owns", "popovertarget", "commandfor", "for")
_IDENTIFIER = re.compile(r"[\w:.-]+")
_QUOTED = re.compile(r"""['"]#?([\w:.-]+)['"]""")
_HIDDEN_STYLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.I)
_STRUCK_STYLE = re.compile(r"text-decoration(?:-line)?\s*:[^;]*line-through", re.I)
_RAISED_STYLE = re.compile(r"(?:vertical-align\s*:\s*(?:super|text-top)|font-variant-position\s*:\s*super)", re.I)
_LOWERED_STYLE = re.compile(r"(?:vertical-align\s*:\s*sub\b|font-variant-position\s*:\s*sub)", re.I)
_SAYS_MORE = re.compile(r"line-through|vertical-align|font-variant-position", re.I)
_RULE = re.compile(r"([^{}]{1,400})\{([^{}]{0,2000})\}")
_ONE_CLASS = re.compile(r"\s*[\w-]*\.([\w-]+)\s*")
_LONGEST_STYLE = 500_000
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_INLINE = frozenset({"span", "font", "small", "a", "em", "i", "b", "strong", "u"})
_MOST_NESTED = 3  # pages inside each other's frames


@dataclass(slots=True)
class Visible:
    """What was found: hidden elements (still in the tree), passages that were struck, frames that were not read."""

    hidden: list[Any]
    struck: int = 0
    frames: int = 0


def names_of(element: Any) -> frozenset[str]:
    """Return the words of an element's class and id, in lower case."""
    if "class" not in element.attrs and "id" not in element.attrs:
        return frozenset()
    text = f"{' '.join(_classes(element))} {element.get('id') or ''}"
    return frozenset(word.casefold() for word in _TOKEN.findall(text))


def characters(element: Any) -> int:
    """Return how many characters an element shows."""
    return len(one_line(element.get_text(" ")))


def tags_of(element: Any) -> list[Any]:
    """Return all elements below one, in their order."""
    return [node for node in element.descendants if getattr(node, "contents", None) is not None]


def show(soup: Any) -> Visible:
    """Remove what is never shown and what is struck through, and find what is hidden. Changes the tree."""
    _read_frames(soup)
    styles = _styled_classes(soup)
    frames = _drop(soup)
    struck = _strike(soup, styles["struck"])
    tags = tags_of(soup)
    _mark_raised(soup, tags, styles)
    hidden = list(_outermost_hidden(soup))
    if hidden:
        opened = _opened(tags)
        below = [element for element in hidden if _name_before(element) in _HEADINGS]
        panels = {id(element) for element in below} if len(below) > 1 else set()
        hidden = [element for element in hidden if id(element) not in panels and not _is_panel(element, opened)]
    return Visible(hidden, struck, frames)


def _drop(soup: Any) -> int:
    """Remove scripts, comments and the like; formulas of MathJax stay. Return how many frames were removed."""
    from bs4 import Comment, Declaration, Doctype, ProcessingInstruction

    kinds = (Comment, Declaration, Doctype, ProcessingInstruction)
    spare, frames = [], 0
    for node in list(soup.descendants):
        if _is_gone(node):
            continue
        name = getattr(node, "name", None)
        if name is None:
            if isinstance(node, kinds):
                node.extract()
        elif name == "script" and str(node.get("type") or "").startswith("math/"):
            node.replace_with(soup.new_string(str(node.string or "")))
        elif name in _NEVER_SHOWN:
            frames += bool(name in ("object", "embed") and (node.get("data") or node.get("src")))
            node.decompose()
        elif name in ("iframe", "frame"):
            frames += _is_shown_frame(node)
            node.decompose()
        elif name == "template":
            if node.has_attr("shadowrootmode") or node.has_attr("shadowroot"):  # shown at once
                node.name, node.attrs = "div", {}
            else:
                node.decompose()
        elif name == "noscript" and node.find_parent("noscript") is None:
            spare.append(node)
    _choose_noscript(soup, spare)
    return frames


def _is_gone(node: Any) -> bool:
    """Return whether a node was removed with one around it (the property of bs4 searches the tree for a tag)."""
    return "_decomposed" in node.__dict__


def _is_shown_frame(node: Any) -> bool:
    sizes = {str(node.get(side) or "").removesuffix("px") for side in ("width", "height")}
    is_hidden = _HIDDEN_STYLE.search(str(node.get("style") or "")) or node.has_attr("hidden") or sizes & {"0", "1"}
    return not is_hidden and bool(node.get("src")) and node.get("src") != "about:blank"


def _read_frames(soup: Any) -> None:
    """Put the pages that frames contain themselves into their place."""
    from bs4 import BeautifulSoup

    for _ in range(_MOST_NESTED):
        frames = soup.find_all("iframe", srcdoc=True)
        for frame in frames:
            inner = BeautifulSoup(str(frame["srcdoc"]), "lxml")
            frame.name = "div"
            frame.attrs = {}
            frame.clear()
            if inner.body is not None:
                frame.extend(list(inner.body.contents))


def _choose_noscript(soup: Any, spare: list[Any]) -> None:
    """Keep what is shown without scripts only where the page has little else."""
    amount = sum(map(characters, spare))
    keep = amount and amount > characters(soup) - amount
    for node in spare:
        if keep:
            node.name = "div"
        else:
            node.decompose()


def _styled_classes(soup: Any) -> dict[str, frozenset[str]]:
    """Return the classes that the page's style sheets raise, lower or strike."""
    found: dict[str, set[str]] = {"struck": set(), "raised": set(), "lowered": set()}
    for sheet in soup.find_all("style"):
        if not _SAYS_MORE.search(sheet.string or ""):
            continue
        css = re.sub(r"/\*.*?\*/", "", str(sheet.string or "")[:_LONGEST_STYLE], flags=re.DOTALL)
        for selectors, rules in _RULE.findall(css):
            for kind, style in (("struck", _STRUCK_STYLE), ("raised", _RAISED_STYLE), ("lowered", _LOWERED_STYLE)):
                if style.search(rules):
                    matches = map(_ONE_CLASS.fullmatch, selectors.split(","))
                    found[kind].update(match[1] for match in matches if match)
    return {kind: frozenset(classes) for kind, classes in found.items()}


def _strike(soup: Any, classes: frozenset[str]) -> int:
    """Remove text that is struck through; return how many passages it were."""
    found = [
        node
        for node in tags_of(soup)
        if node.name in ("del", "s", "strike")
        or ("style" in node.attrs and _STRUCK_STYLE.search(str(node["style"])))
        or (classes and not classes.isdisjoint(_classes(node)))
    ]
    count = 0
    for node in found:
        if not _is_gone(node):
            count += bool(node.get_text(strip=True))
            node.decompose()
    return count


def _mark_raised(soup: Any, tags: list[Any], styles: dict[str, frozenset[str]]) -> None:
    """Give text that a style raises or lowers the element that says so."""
    for node in tags:
        if node.name not in _INLINE or not ("style" in node.attrs or styles["raised"] or styles["lowered"]):
            continue
        style, classes = str(node.get("style") or ""), _classes(node)
        for kind, pattern, name in (("raised", _RAISED_STYLE, "sup"), ("lowered", _LOWERED_STYLE, "sub")):
            if pattern.search(style) or not styles[kind].isdisjoint(classes):
                is_around = node.find(name) is not None or node.find_parent(name) is not None
                if not is_around and len(node.get_text()) <= 20:
                    node.wrap(soup.new_tag(name))


def _classes(element: Any) -> list[str]:
    classes = element.get("class") or []
    return classes.split() if isinstance(classes, str) else list(classes)


def _opened(tags: list[Any]) -> frozenset[str]:
    """Return the ids of the elements that something on the page opens."""
    opened: set[str] = set()
    for node in tags:
        for name, value in node.attrs.items():
            text = " ".join(value) if isinstance(value, list) else str(value)
            if name in _REFERENCES:
                opened.update(_IDENTIFIER.findall(text))
            elif name == "href" and text.startswith("#"):
                opened.add(text[1:])
            elif name.startswith("data-") and (
                "target" in name or "control" in name or "toggle" in name or "tab" in name
            ):
                opened.update(_IDENTIFIER.findall(text))
            elif name.startswith("on") or name in ("x-on:click", "@click"):
                opened.update(_QUOTED.findall(text))
    return frozenset(opened)


def _outermost_hidden(soup: Any) -> Iterator[Any]:
    stack = [soup]
    while stack:
        for child in reversed(stack.pop().contents):
            if getattr(child, "name", None):
                if _is_hidden(child):
                    yield child
                else:
                    stack.append(child)


def _is_hidden(element: Any) -> bool:
    attributes = element.attrs
    if not attributes:
        return bool(element.name == "dialog")
    if "hidden" in attributes and str(attributes["hidden"]).casefold() != "until-found":
        return True
    if str(attributes.get("aria-hidden", "")).casefold() == "true" or "popover" in attributes:
        return True
    if element.name == "dialog" and "open" not in attributes:
        return True
    return bool(_HIDDEN_STYLE.search(str(attributes.get("style") or "")))


def _name_before(element: Any) -> str:
    before = element.find_previous_sibling()
    return before.name if before is not None else ""


def _is_panel(element: Any, opened: frozenset[str]) -> bool:
    """Return whether a reader of the page can open a hidden element."""
    if element.get("id") in opened or element.get("role") in ("tabpanel", "region"):
        return True
    if element.get("aria-labelledby") and element.get("role") != "dialog" and element.name != "dialog":
        return True
    if not _PANELS.isdisjoint(names_of(element)):
        return True
    before = element.find_previous_sibling()
    while before is not None and _is_hidden(before) and not before.has_attr("aria-expanded"):
        before = before.find_previous_sibling()  # the panels before it
    if before is None:
        return False
    return bool(
        before.name in _CONTROLS
        or before.has_attr("aria-expanded")
        or before.has_attr("onclick")
        or before.get("role") in ("button", "tab", "tablist")
        or before.find(["button", "summary"]) is not None
        or before.find(attrs={"aria-expanded": True}) is not None
        or before.find(attrs={"onclick": True}) is not None
    )
