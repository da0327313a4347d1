"""Foreign text as text, headers on every response, and no answer to a name that is not ours."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.server.security import KnownHosts, SecurityHeaders, headers
from ui.text.safe import block, distinct, escape, label, marked, one_line, plain


@given(st.text(max_size=60))
def test_escaped_text_holds_no_markup_and_no_hidden_letter(text: str) -> None:
    shown = escape(text)
    assert not set(shown) & set("<>\"'\u202e\u2066\x00\U000e0041")
    assert len(plain(text)) == len(text)


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-3, 50), st.integers(-3, 50)), max_size=4))
def test_marks_change_no_letter(text: str, spans: list[tuple[int, int]]) -> None:
    shown = marked(text, spans)
    assert shown.replace("<mark>", "").replace("</mark>", "") == escape(text)


@given(st.text(max_size=60))
def test_a_label_shows_every_sign_escaped(text: str) -> None:
    shown = label(text)
    signs = [n for n, c in enumerate(shown) if c in "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"]
    assert all(n and shown[n - 1] == "\\" for n in signs)


@pytest.mark.parametrize("text", ["http://a.b", "www.a.b", "a@b.c", ":material/x:", ":red[x]", "WWW.a.b"])
def test_a_label_is_no_address_and_no_directive(text: str) -> None:
    shown = label(text).replace("\\", "")
    assert not any(sign in shown.lower() for sign in ("://", "www.", "@b", ":material/", ":red["))


def test_a_block_is_never_empty_and_never_a_path() -> None:
    assert block("") == '<div class="rag-text"></div>'
    assert block("/etc/passwd").startswith("<div")


def test_a_line_is_one_line() -> None:
    assert one_line(" a\n\tb\u2028c ") == "a b c"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


@given(st.lists(st.text("a/ \u202e\u2066(2)", max_size=6), max_size=8))
def test_no_two_names_look_the_same(names: list[str]) -> None:
    shown = distinct(names)
    assert len({shown(name) for name in names}) == len(set(names))
    alone = [name for name in names if [one_line(other) for other in set(names)].count(one_line(name)) == 1]
    assert [shown(name) for name in alone] == [one_line(name) for name in alone]


def test_names_that_are_shortened_alike_are_shown_whole() -> None:
    long = ["x" * 90 + "1", "x" * 90 + "2"]
    assert [distinct(long, lambda name: one_line(name, 80))(name) for name in long] == long


async def inner(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        headers = [(b"content-security-policy", b"none"), (b"x-own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
    else:
        await send({"type": "websocket.accept"})


def sent(app: Any, kind: str, *hosts: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        found.append(message)

    scope = {"type": kind, "headers": [(b"host", host.encode()) for host in hosts]}

    async def receive() -> dict[str, str]:
        return {"type": f"{kind}.connect"}

    with ThreadPoolExecutor(1) as thread:  # the browser of other tests keeps an event loop running in this one
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    return found[0]


def test_every_response_carries_the_headers_once() -> None:
    told = sent(SecurityHeaders(inner), "http", "localhost")["headers"]
    names = [name.decode() for name, _ in told]
    assert sorted(names) == sorted({name.lower() for name in headers()} | {"x-own"})


@pytest.mark.parametrize("hosts", [["evil.example:8501"], [""], [], ["localhost.evil.example"],
    ["127.0.0.1.evil.example"], ["localhost", "evil.example"], ["[evil]:80"], ["localhost@evil.example"]])  # fmt: skip
def test_any_other_name_is_refused(hosts: list[str]) -> None:
    assert sent(KnownHosts(inner, bound="127.0.0.1"), "http", *hosts)["status"] == 421
    assert sent(KnownHosts(inner, bound="127.0.0.1"), "websocket", *hosts)["type"] == "websocket.close"
