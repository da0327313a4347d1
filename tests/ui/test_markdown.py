"""A language model's Markdown in the browser: what is read, what stays text, and where footnotes go."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hostile_payloads import payloads
from hypothesis import given
from hypothesis import strategies as st

from rag.safe_markdown import LONGEST, TAGS, Element, Node, Text, last_block, parse, with_notes
from rag.safe_markdown import Note as Footnote
from rag.types import Answer, Citation, Claim, Passage
from ui.text.markdown import markdown_html, markdown_json
from ui.views.chat import blocks, is_markdown

ANSWER = """\
## Rent of **Unit 12**

The rent is **1,250 EUR** a month,
due on the _third_ day.

1. Read the `meter`
   - twice
2. Pay

| Item | Price |
|:--|--:|
| A \\| B | 1,250 |

> quoted

```text
rent = <1250>
```
"""


class Seen(HTMLParser):
    """Records the tags and attributes of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def texts(nodes: list[Node] | tuple[Node, ...]) -> list[Text]:
    found: list[Text] = []
    for node in nodes:
        if isinstance(node, Text):
            found.append(node)
        elif isinstance(node, Element):
            found += texts(node.children)
    return found


def assert_harmless(html: str) -> Seen:
    seen = Seen(html)
    assert seen.tags <= {*TAGS, "div"}
    allowed = r"rag-(?:text|markdown|table|left|right|center)(?: rag-markdown)?|\d+"
    assert all(name in ("class", "start") and re.fullmatch(allowed, value or "") for name, value in seen.attributes)
    return seen


def test_an_answer_is_read_as_markdown() -> None:
    assert markdown_html(ANSWER) == (
        '<div class="rag-text rag-markdown"><h5>Rent of <strong>Unit 12</strong></h5>'
        "<p>The rent is <strong>1,250 EUR</strong> a month,<br>due on the <em>third</em> day.</p>"
        "<ol><li>Read the <code>meter</code><ul><li>twice</li></ul></li><li>Pay</li></ol>"
        '<div class="rag-table"><table>'
        '<thead><tr><th class="rag-left">Item</th><th class="rag-right">Price</th></tr></thead>'
        '<tbody><tr><td class="rag-left">A | B</td><td class="rag-right">1,250</td></tr></tbody></table></div>'
        "<blockquote><p>quoted</p></blockquote><pre>rent = &lt;1250&gt;</pre></div>"
    )


def test_every_character_knows_its_place_in_the_source() -> None:
    for text in texts(parse(ANSWER)):
        assert "".join(ANSWER[offset] for offset in text.offsets) == text.text
    offsets = [offset for text in texts(parse(ANSWER)) for offset in text.offsets]
    assert all(first < second for first, second in pairwise(offsets))


@pytest.mark.parametrize(
    ("end", "before"),
    [
        ("1,250 EUR", "1,250 EUR"), ("1,250 EUR**", "1,250 EUR"), ("third_", "third"), ("`meter`", "meter"),
        ("`mete", "meter"), ("1,250 |", "1,250"), ("A \\| B", "A | B"), ("> quoted", "quoted"),
        ("<1250>\n```\n", "rent = <1250>"),
        ("1. Read", "Read"), ("|:--|--:|", "Price"),
    ],
)  # fmt: skip
def test_a_footnote_follows_the_words_before_its_offset(end: str, before: str) -> None:
    place = ANSWER.index(end) + len(end)
    nodes = with_notes(parse(ANSWER), [(place, "n")])
    assert last_before_note(nodes).endswith(before)


def last_before_note(nodes: list[Node]) -> str:
    seen: list[str] = []

    def walk(children: list[Node] | tuple[Node, ...]) -> bool:
        for node in children:
            if isinstance(node, Footnote):
                return True
            if isinstance(node, Text):
                seen.append(node.text)
            elif isinstance(node, Element) and walk(node.children):
                return True
        return False

    assert walk(nodes)
    return seen[-1]


@given(st.text(st.sampled_from("ab*_`#|>-1. \n\\&<[]()~\t\r"), max_size=60), st.lists(st.integers(0, 70), max_size=4))
def test_any_text_can_be_shown_with_all_its_footnotes(source: str, places: list[int]) -> None:
    shown = assert_harmless(markdown_html(source)).text
    assert not re.sub(r"\s", "", shown).strip("ab*_`#|>-1.\\&<[]()~")
    assert str(markdown_json(source, [(place, {"n": 1}) for place in places])).count("'note'") == len(places)


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "javascript": "[a](javascript:alert(1)) [b][c]\n\n[c]: javascript:alert(1)",
    "image": '![a](http://evil.example/x.png "t") ![a][r]\n\n[r]: http://evil.example',
    "autolink": "<http://evil.example> http://evil.example www.evil.example <a@b.example>",
    "entities": "&lt;img src=x onerror=alert(1)&gt; &#60;b&#62; &colon; &NewLine;",
    "block of HTML": "<div onclick='x'>\n\n<iframe src=//evil.example>\n</div>\n\n<!-- x -->\n<?php ?>\n<![CDATA[x]]>",
    "half-open fence": "```html\n<img src=x onerror=alert(1)>",
    "half-open code": "`<b>",
    "half-open table": "| a | <b>\n|--",
    "information of a fence": '```html" onmouseover="alert(1)\nx\n```',
    "table with pipes in code": "| a | b |\n|---|---|\n| `x \\| <i>` | y |",
    "list": "\n".join("  " * n + "- <u>a</u>" for n in range(60)),
    "start of a list": "999999999. a\n0. b",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_markdown_is_text(source: str) -> None:
    for end in range(len(source) + 1):  # also every half of it, as it streams
        assert_harmless(markdown_html(source[:end]))
    seen = Seen(markdown_html(source))
    for word in ("evil.example", "alert(1)", "javascript:"):
        assert (word in source) == (word in seen.text) or "onmouseover" in source


def test_every_payload_of_the_page_is_text() -> None:
    for payload in payloads("http://127.0.0.1:9"):
        assert_harmless(markdown_html(payload))


def test_overrides_of_the_writing_direction_are_shown() -> None:
    assert "\u202e" not in markdown_html("**a\u202eb**")
    assert "�" in markdown_html("**a\u202eb**")


@pytest.mark.parametrize(
    "source",
    ["*" * 10_000, "**a" * 5000, "*a **b _c " * 2000, "> " * 10_000, "`" * 10_000, "[" * 10_000, "a\n" * 10_000,
     "|a" * 500 + "\n" + "|-" * 500 + "\n" + "|b\n" * 2000, "~~a" * 6000, "```\n" * 5000, "\\" * 20_000, "x" * 10**6],
    ids=lambda source: source[:6],
)  # fmt: skip
def test_long_hostile_markdown_takes_bounded_time(source: str) -> None:
    started = time.process_time()
    assert_harmless(markdown_html(source))
    last_block(source)
    assert time.process_time() - started < 5


def test_a_text_that_is_too_long_is_shown_as_it_is() -> None:
    source = "**a** " * LONGEST
    assert [type(node).__name__ for node in parse(source)] == ["Element"]
    assert texts(parse(source))[0].text == source


@given(st.lists(st.sampled_from(["a b", "- x", "- y", "", "| a |", "|---|", "```", "# h", "> q", "1. z"]), max_size=12))
def test_what_is_before_the_last_block_does_not_change(lines: list[str]) -> None:
    source = "\n".join(lines)
    place = last_block(source)
    whole = parse(source + "\nmore")
    assert whole[: len(parse(source[:place]))] == parse(source[:place])


PASSAGE = Passage(1, "a.md", "A", None, (), 0, 10, "It is so.", 1.0)


def test_an_answer_has_the_numbers_of_its_sources_behind_each_claim() -> None:
    text = "It is **so**. It is not. Who knows."
    claims = (
        Claim(0, 13, "found", (0,)),
        Claim(14, 24, "contradicted", (0,), "the source says so", "so"),
        Claim(25, 35, "not_found"),
    )
    citations = (Citation(PASSAGE, 0, 9, "It is so."),)
    answer = Answer("?", text, False, 0.5, citations=citations, passages=(PASSAGE,), claims=claims)
    assert is_markdown(answer)
    assert blocks(answer) == [
        {
            "tag": "p",
            "children": [
                "It is ",
                {"tag": "strong", "children": ["so"]},
                ".",
                {"note": {"numbers": [1], "instead": ""}},
                " It is not.",
                {"note": {"numbers": [1], "instead": "so"}},
                " Who knows.",
            ],
        }
    ]
    assert not is_markdown(Answer("?", "so", False, 0.5, short="so"))
