"""Web pages: what is kept of a page, and what is left out and noted."""

from __future__ import annotations

import pytest

from rag.ingestion.loaders import load_bytes
from rag.types import Document

LONG = (
    "<p>Boats are stored in the northern hall from October to April, and the hall is heated in the coldest weeks.</p>"
)


def page(body: str, head: str = "") -> Document:
    html = f"<!doctype html><html><head><title>Harbour</title>{head}</head><body>{body}</body></html>"
    return load_bytes(html.encode(), "page.html")


def text_of(body: str, head: str = "") -> str:
    return page(body, head).text


def kinds(document: Document) -> list[str]:
    return [note.kind for note in document.notes]


@pytest.mark.parametrize(
    "body",
    [
        "<h3><button aria-expanded=false>How long?</button></h3><div class=collapse><p>Nine nights.</p></div>",
        "<button class=accordion>How long?</button><div class=panel style='display:none'><p>Nine nights.</p></div>",
        "<button aria-controls=a1>How long?</button><p>x</p><div id=a1 hidden>Nine nights.</div>",
        "<details><summary>How long?</summary>Nine nights.</details>",
        "<details><summary><h3>How long?</h3></summary><p>Nine nights.</p></details>",
        "<dl><dt><button>How long?</button></dt><dd hidden>Nine nights.</dd></dl>",
        "<div role=button tabindex=0 aria-expanded=false>How long?</div><div aria-hidden=true>Nine nights.</div>",
        "<ul role=tablist><li><a href='#t'>How long?</a></ul><div id=t role=tabpanel hidden>Nine nights.</div>",
        "<a onclick=\"toggle('q7')\">How long?</a><p>x</p><div id=q7 style='display: none'>Nine nights.</div>",
        "<p>How long?</p><div hidden=until-found>Nine nights.</div>",
        "<h2>How long?</h2><div hidden>Nine nights.</div><h2>Where?</h2><div hidden>At pier 4.</div>",
        "<div><div class=slide>How long?</div><div class=slide aria-hidden=true>Nine nights.</div></div>",
        "<button popovertarget=p>How long?</button><div id=p popover>Nine nights.</div>",
        "<label for=c>How long?</label><input type=checkbox id=c><div style='display:none'>Nine nights.</div>",
    ],
)
def test_collapsed_panels_are_read_below_their_questions(body: str) -> None:
    document = page(f"<h1>Mooring</h1>{LONG}{body}{LONG}")
    assert document.text.index("How long?") < document.text.index("Nine nights.")
    assert not document.notes


@pytest.mark.parametrize(
    "body",
    [
        "<div><h1>Rules</h1><p>Large ships need a pilot.</p></div><article><h3>News</h3><p>A kiosk.</p></article>",
        "<main></main><h1>Rules</h1><p>Large ships need a pilot.</p><h3>News</h3><p>A kiosk.</p>",
        "<main><p>A kiosk.</p></main><main hidden></main><h1>Rules</h1><p>Large ships need a pilot.</p><h3>News</h3>",
        "<header><h1>Rules</h1><p>Large ships need a pilot.</p></header><main><h3>News</h3>A kiosk.</main>",
        "<div role=main><h3>News</h3>A kiosk.</div><aside><h1>Rules</h1>Large ships need a pilot.</aside>",
        "<article><h1>Rules</h1>Large ships need a pilot.</article><article><h3>News</h3>A kiosk.</article>",
        "<nav><h1>Rules</h1><p>Large ships need a pilot.</p></nav><h3>News</h3><p>A kiosk.</p>",
        "<noscript><h1>Rules</h1>Large ships need a pilot.<h3>News</h3>A kiosk.</noscript><div id=app></div>",
        "<template shadowrootmode=open><h1>Rules</h1>Large ships need a pilot.</template><h3>News</h3>A kiosk.",
        "<iframe srcdoc='<h1>Rules</h1>Large ships need a pilot.'></iframe><h3>News</h3>A kiosk.",
    ],
)
def test_no_part_replaces_the_rest_of_the_page(body: str) -> None:
    text = text_of(body)
    for words in ("Rules", "Large ships need a pilot.", "News", "A kiosk."):
        assert words in text


def test_navigation_banners_and_footers_are_left_out_and_noted_by_amount() -> None:
    links = "".join(f"<li><a href='{n}.html'>Page about boats number {n}</a></li>" for n in range(20))
    document = page(
        f"<div class=skip-link><a href='#m'>Skip to content</a></div><nav><ul>{links}</ul></nav>"
        "<div id='cookie-consent' role=dialog><p>We use cookies to measure visits.</p><button>Accept</button></div>"
        f"<main><h1>Storage</h1>{LONG * 15}</main><footer><ul>{links}</ul>"
        "<p>© 2031 Harbour. All rights reserved.</p></footer>"
    )
    for words in ("Skip to", "number 7", "cookies", "Accept", "2031"):
        assert words not in document.text
    assert [(note.kind, note.text) for note in document.notes] == [
        ("page_parts_left_out", "navigation of 544 characters left out"),
        ("page_parts_left_out", "footer of 566 characters left out"),
    ]


def test_a_page_that_would_lose_more_than_half_keeps_everything() -> None:
    links = "".join(f"<li><a href='{n}.pdf'>Report on dredging, part {n}</a></li>" for n in range(20))
    document = page(f"<nav><ul>{links}</ul></nav><h1>Reports</h1><p>Choose one.</p>")
    assert "Report on dredging, part 7" in document.text
    assert not document.notes


@pytest.mark.parametrize(
    "contact",
    [
        "<address>Pier 4, 2600 Nordby</address>",
        "<p>Call 01632 960417 at night</p>",
        "<p>Office: Mon-Fri 08:30-17:00</p>",
        "<p><a href='mailto:office@example.org'>Write to us</a></p>",
        "<ul><li><a href='tel:+441632960417'>Ring the office</a></li></ul>",
    ],
)
@pytest.mark.parametrize("name", ["footer", "header", "aside", "nav", "div class=footer"])
def test_contacts_stay_wherever_they_are(name: str, contact: str) -> None:
    links = "".join(f"<li><a href='{n}'>Page {n}</a></li>" for n in range(9))
    element = f"<{name}><h4>Contact</h4>{contact}<ul>{links}</ul><p>© 2031 Harbour</p></{name.split()[0]}>"
    text = text_of(f"<h1>Storage</h1>{LONG * 4}{element}")
    shown = {"Write to us": "office@example.org", "Ring the office": "+441632960417"}
    words = contact.replace("<", ">").split(">")
    word = max(words, key=lambda part: len(part) if " " in part and "=" not in part else 0)
    assert word in text
    assert shown.get(word, word) in text
    assert "Contact" in text


def test_footnotes_and_sources_in_footers_of_articles_stay() -> None:
    text = text_of(f"<article><h1>Fog</h1>{LONG}<footer><p>Source: log of 2031</p></footer></article>")
    assert text.endswith("Source: log of 2031")


def test_hidden_text_is_left_out_and_noted() -> None:
    hidden = (
        "<p style='display:none'>The secret price is 4 euros.</p><p>Seen.</p><p hidden>Another secret price.</p>"
        "<dialog><p>A third secret.</p></dialog><span aria-hidden=true>chevron_right</span>"
    )
    document = page(f"<h1>Storage</h1>{LONG * 2}{hidden}")
    assert "secret" not in document.text
    assert "chevron" not in document.text
    assert [(n.kind, n.text) for n in document.notes] == [("hidden_content", "hidden text of 77 characters left out")]


def test_struck_text_is_left_out_and_noted() -> None:
    document = page(
        "<p>The fee is <del>30</del> <ins>31</ins> euros, <s>net</s> gross, "
        "<span style='text-decoration: line-through'>monthly</span> yearly, <i class=old>soon</i> now.</p>",
        "<style>.old { text-decoration: line-through }</style>",
    )
    assert document.text == "The fee is 31 euros, gross, yearly, now."
    assert [(n.kind, n.text[:10]) for n in document.notes] == [("struck_through", "4 passages")]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("10<sup>6</sup> cells", "10^6 cells"),
        ("4 x 10<sup>-3</sup> g", "4 x 10^-3 g"),
        ("10<span style='vertical-align: super'>6</span> cells", "10^6 cells"),
        ("10<span class=up>6</span> cells", "10^6 cells"),
        ("85 m<sup>2</sup>", "85 m^2"),
        ("H<sub>2</sub>O", "H2O"),
        ("101<sub>2</sub>", "101_2"),
        ("1200<sup><a href='#n3'>3</a></sup> euros", "1200 [3] euros"),
        ("the fee<sup>3</sup> is", "the fee [3] is"),
        ("the 4<sup>th</sup> pier", "the 4th pier"),
        ("E = mc<sup>2</sup>", "E = mc^2"),
        ("Ca<sup>2+</sup>", "Ca^2+"),
        ("2<sup>n</sup> and x<sup>n</sup>", "2^n and x^n"),
        ("the note<sup>a</sup> is", "the note [a] is"),
        ("the fee <sup>1,2</sup> is", "the fee [1,2] is"),
        ("10 <sup>6</sup>", "10 ^6"),
        ("5<sup>o</sup>C", "5°C"),
        ("n<sup>o</sup> 5, M<sup>me</sup> Lee, Acme<sup>TM</sup>", "no 5, Mme Lee, Acme™"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math>", "10^6"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac></math>", "(a+b)/2"),
        ("<script type='math/tex'>x^{2}</script>", "x^{2}"),
    ],
)
def test_raised_and_lowered_text_joins_no_number(body: str, text: str) -> None:
    assert text_of(f"<p>{body}</p>", "<style>.up { vertical-align: super; font-size: 60% }</style>") == text


def test_a_raised_mark_of_a_note_on_the_page_is_no_exponent() -> None:
    text = text_of("<p>The fee is 1200<sup>3</sup> euros, at most 10<sup>6</sup>.</p><p><sup>3</sup> without tax</p>")
    assert text == "The fee is 1200 [3] euros, at most 10^6.\n\n[3] without tax"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>漢字<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>です", "漢字東京(とうきょう)です"),
        ("<p>dis<wbr>charge li&shy;mits", "discharge limits"),
        ("<p>one<br>two", "one\ntwo"),
        ("<p># no heading</p><p>* no _item_</p>", "# no heading\n\n* no _item_"),
        ("<p>a\\b *c* [d](e) 5 &lt; 6 &amp; 1. f", "a\\b *c* [d](e) 5 < 6 & 1. f"),
        ("<pre>a  b\n  c</pre>", "```\na  b\n  c\n```"),
        ("<p>say <q>no</q></p>", "say “no”"),
        ("<dl><dt>Berth</dt><dd>A place.</dd><dd>For a ship.</dd></dl>", "Berth\n  A place.\n  For a ship."),
        ("<dl><div><dt>Berth</dt><dd><p>A place.</p></dd></div></dl>", "Berth\n  A place."),
        ("<ol start=3><li>c<ol type=a><li>x<li>y</ol><li value=7>g</ol>", "3. c\n  a. x\n  b. y\n7. g"),
        ("<ul><li><p>one</p><p>more</p></li><li>two</ul>", "- one\n  more\n- two"),
        ("<figure><img alt='A map'><figcaption>The pier</figcaption></figure>", "[picture: A map]\n\nThe pier"),
        ("<p>See <img src=a.png alt='IMG_2041.jpg'> here <img alt=''>", "See here"),
        ("<label>Name <input value=Ann></label><input type=hidden value=x><button>Send</button>", "Name Ann Send"),
        ("<label>Size</label><select><option>small<option selected>large</select>", "Size small, large (selected)"),
        ("<label>Size<select><optgroup label=A><option>s<option>m</select></label>", "Size s, m"),
        ("<input type=checkbox checked> paid <input type=radio> free", "☒ paid ☐ free"),
        ("<fieldset><legend>Berth</legend><textarea>wide</textarea></fieldset>", "Berth\n\nwide"),
        ("<address>Pier 4<br>Nordby</address><aside>Tip: book early.</aside>", "Pier 4\nNordby\n\nTip: book early."),
        ("<a href=a>Home</a><a href=b>Prices</a>", "Home Prices"),
        ("<span>Credit</span><span>Ann Lee</span>", "Credit Ann Lee"),
        ("<svg><title>icon</title><text>Pier 4</text></svg>", "Pier 4"),
        ("<div role=heading aria-level=2>Fees</div>31", "## Fees\n\n31"),
        ("<p>a <a href='mailto:x@example.org?subject=y'>mail</a>", "a mail (x@example.org)"),
        ("<blockquote><h2>Said</h2><p>no</p></blockquote>", "Said\n\nno"),
    ],
)  # fmt: skip
def test_elements_are_read_as_browsers_show_them(body: str, text: str) -> None:
    assert text_of(body) == text


def test_headings_in_cards_and_lists_begin_sections() -> None:
    document = page("<ul><li><h3>One</h3><p>first</p></li><li><a href=x><h3>Two</h3>second</a></li></ul>")
    assert [section.headings for section in document.sections] == [("One",), ("Two",)]


def test_pages_in_frames_that_are_not_read_are_noted() -> None:
    document = page(
        "<p>Map:</p><iframe src='https://example.org/map'></iframe><iframe src=x width=1 height=1></iframe>"
        "<object data=a.pdf>b</object>"
    )
    assert [(n.kind, n.text) for n in document.notes] == [("attachment_not_read", "2 embedded pages or files not read")]


def test_deeply_nested_elements_are_read() -> None:
    assert "the last word" in text_of("<div>" * 3000 + "the last word")


def test_a_title_that_says_nothing_is_replaced_by_the_first_heading() -> None:
    html = "<html><head><title>Untitled document</title></head><body><h1>Winter storage</h1><p>x</p></body></html>"
    assert load_bytes(html.encode(), "a.html").title == "Winter storage"
