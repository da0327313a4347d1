"""Which addresses are public, how addresses of pages are written, and what robots.txt allows."""

from __future__ import annotations

import time

import pytest

from rag.errors import InputError
from rag.ingestion.web.addresses import is_public
from rag.ingestion.web.robots import allowed
from rag.ingestion.web.urls import file_name_of, is_url, joined, normal_url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001:db8::1",
        "2001:0:7f00:1::1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPS://Example.COM:443/A b#part", "https://example.com/A%20b"),
        ("http://example.com:80", "http://example.com/"),
        ("http://example.com:8080/x?q=a b&c=%20", "http://example.com:8080/x?q=a%20b&c=%20"),
        ("https://пример.рф/маяк", "https://xn--e1afmkfd.xn--p1ai/%D0%BC%D0%B0%D1%8F%D0%BA"),
        ("http://[2606:2800::1]/x", "http://[2606:2800::1]/x"),
    ],
)
def test_one_form_of_an_address(text: str, expected: str) -> None:
    assert normal_url(text) == normal_url(expected) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://ada:secret@example.com/", "has a user name or password"),
        ("https://ada@example.com/", "has a user name or password"),
        ("https:///page", "is malformed"),
        ("https://exa mple.com/", "is malformed"),
        ("http://example.com:99999/", "is malformed"),
        ("http://[::1/", "is malformed"),
        ("http://a..b/", "is malformed"),
        ("http://exam\x1bple.com/", "has control characters"),
        ("http://example.com/" + "a" * 3000, "at most 2,000"),
    ],
)
def test_an_address_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        normal_url(text)
    assert message in f"{caught.value.message} {caught.value.remedy}"
    assert "secret" not in caught.value.message
    assert caught.value.remedy


def test_what_is_an_address_and_where_redirections_lead() -> None:
    assert is_url("HTTP://x") and not is_url("ftp://x") and not is_url("docs/https://x")
    assert joined("https://a.example/b/c", "../d#x") == "https://a.example/d"
    for location in ("file:///etc/passwd", "gopher://x", "//u:p@b.example/", "http://["):
        with pytest.raises(InputError):
            joined("https://a.example/", location)


@pytest.mark.parametrize(
    ("url", "extension", "name"),
    [
        ("https://a.example/docs/lease.pdf?x=1", "", "lease.pdf"),
        ("https://a.example/docs/lease.php", ".html", "lease.html"),
        ("https://a.example/", ".html", "a.example.html"),
        ("https://a.example/%2e%2e", "", "a.example.html"),
        ("https://a.example/a%2Fb%00c.md", "", "a b c.md"),
    ],
)
def test_the_file_name_of_a_page(url: str, extension: str, name: str) -> None:
    assert file_name_of(url, extension) == name


ROBOTS = """\
User-agent: other
Disallow: /

User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.pdf$
Disallow: /search*q=
Disallow:
"""


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/", True), ("/private/", False), ("/private/open/x", True), ("/a.pdf", False), ("/a.pdf?x", True),
        ("/search?q=1", False), ("/search?p=1", True), ("/robots.txt", True), ("/privat%65/", True), ("", True),
    ],
)  # fmt: skip
def test_the_longest_rule_decides(path: str, is_allowed: bool) -> None:
    assert allowed(ROBOTS, f"https://a.example{path}", "rag-qa") == is_allowed


def test_a_group_for_this_program_replaces_that_for_all() -> None:
    robots = "User-agent: a\nUser-Agent: RAG-QA/2\nDisallow: /x # why\nUser-agent: *\nDisallow: /\n"
    assert allowed(robots, "https://a.example/y", "rag-qa")
    assert not allowed(robots, "https://a.example/x", "rag-qa")
    assert not allowed(robots, "https://a.example/y", "somebody")
    assert allowed("User-agent: rag-qa\n", "https://a.example/y", "rag-qa")
    assert allowed("Disallow: /\n", "https://a.example/y", "rag-qa"), "a rule without a group counts for nobody"
    assert not allowed("user-agent:*\ndisallow:/%d0%bc", "https://a.example/%D0%BC", "rag-qa")


def test_hostile_robots_take_no_time() -> None:
    robots = "User-agent: *\n" + ("Disallow: /" + "*a" * 400 + "b\n") * 500
    started = time.monotonic()
    assert allowed(robots, "https://a.example/" + "a" * 1900, "rag-qa")
    assert time.monotonic() - started < 5
