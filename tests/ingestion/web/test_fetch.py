"""Fetching from a real server: addresses, redirections, robots.txt, limits, types, and what is sent."""

from __future__ import annotations

import gzip
import time

import httpcore
import pytest
from web_server import Answer, Site

from rag.errors import DocumentError
from rag.ingestion.web.addresses import CheckedBackend
from rag.ingestion.web.fetch import FetchLimits, PageFetcher, Stamp

BOMB = gzip.compress(bytes(80 << 20))
PAGE = b"<html><title>Harbor</title><body><p>The harbor opens at six.</p></body></html>"


def refusal(fetcher: PageFetcher, url: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        fetcher.fetch(url)
    assert caught.value.remedy
    return caught.value


def test_a_page_with_its_type_and_who_asks(site: Site, fetcher: PageFetcher) -> None:
    site.pages["/port.php"] = Answer(PAGE, headers={"Content-Type": "text/html; charset=KOI8-R", "ETag": '"1"'})
    page = fetcher.fetch(site.url("/port.php"))
    assert (page.content.data, page.name, page.charset) == (PAGE, "port.html", "koi8-r")
    assert Stamp.parse(page.content.stamp or "").etag == '"1"'
    assert site.paths == ["/robots.txt", "/port.php"]
    for _, headers in site.requests:
        assert headers["user-agent"].startswith("rag-qa/")
        assert headers["host"] == f"site.example:{site.port}"
        assert not {"cookie", "authorization", "referer"} & set(headers)
    fetcher.fetch(site.url("/port.php"))
    assert site.paths == ["/robots.txt", "/port.php", "/port.php"], "robots.txt is read once"


def test_an_unchanged_page_is_not_sent_again(site: Site, fetcher: PageFetcher) -> None:
    site.pages["/a"] = Answer(PAGE, headers={"ETag": '"1"', "Last-Modified": "Tue, 01 Oct 2024 10:00:00 GMT"})
    first = fetcher.fetch(site.url("/a"))
    assert first.content.modified_ns == 1_727_776_800 * 10**9
    again = fetcher.fetch(site.url("/a"), Stamp.parse(first.content.stamp or ""), first.content.sha256)
    assert again.unchanged and again.content.sha256 == first.content.sha256 and again.content.data == b""
    assert site.requests[-1][1]["if-none-match"] == '"1"'
    site.pages["/a"].headers["ETag"] = '"2"'
    assert fetcher.fetch(site.url("/a"), Stamp.parse(first.content.stamp or ""), b"").content.data == PAGE


def test_names_that_lead_into_private_networks(site: Site) -> None:
    site.pages["/a"] = Answer(PAGE)
    error = refusal(PageFetcher(FetchLimits(1, 5.0), lambda host, port: ["127.0.0.1"]), site.url("/a"))
    assert error.reason == "private address"
    assert error.message == "site.example is 127.0.0.1, which is not an address of the public internet"
    mixed = PageFetcher(FetchLimits(1, 5.0), lambda host, port: ["93.184.215.14", "10.0.0.1"])
    assert refusal(mixed, site.url("/a")).reason == "private address"
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "0"):
        assert refusal(PageFetcher(FetchLimits(1, 5.0)), f"http://{host}:{site.port}/a").reason in (
            "private address", "network",
        ), host  # fmt: skip
    assert site.requests == []


def test_a_name_that_resolves_differently_a_moment_later(site: Site) -> None:
    """The address that was checked is the one that is connected to, for every connection anew."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    site.pages["/a"] = Answer(PAGE)
    fetcher = PageFetcher(FetchLimits(1, 5.0), rebinding, lambda address: address == "127.0.0.1")
    assert refusal(fetcher, site.url("/a")).reason == "private address"
    assert site.paths == ["/robots.txt"], "the first connection went to the checked address, the second nowhere"


def test_redirections_are_followed_and_checked(site: Site, fetcher: PageFetcher) -> None:
    site.pages["/old"] = Answer(status=301, headers={"Location": "/new#part"})
    site.pages["/new"] = Answer(PAGE)
    page = fetcher.fetch(site.url("/old"))
    assert Stamp.parse(page.content.stamp or "").final == site.url("/new")
    for n in range(8):
        site.pages[f"/{n}"] = Answer(status=302, headers={"Location": f"/{n + 1}"})
    assert refusal(fetcher, site.url("/0")).message == "it leads through more than 5 redirections"
    for location, message in (
        ("file:///etc/passwd", "not of the web"),
        (f"http://u:p@site.example:{site.port}/new", "user name or password"),
        ("", "redirects to nowhere"),
    ):
        site.pages["/bad"] = Answer(status=302, headers={"Location": location} if location else {})
        assert message in refusal(fetcher, site.url("/bad")).message
    private = PageFetcher(
        FetchLimits(1, 5.0),
        lambda host, port: ["127.0.0.1"] if host == "site.example" else ["127.0.0.2"],
        lambda address: address == "127.0.0.1",
    )
    site.pages["/in"] = Answer(status=302, headers={"Location": f"http://inside.example:{site.port}/new"})
    assert refusal(private, site.url("/in")).reason == "private address"


def test_robots_are_respected_also_behind_redirections(site: Site, fetcher: PageFetcher) -> None:
    site.pages["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /closed\n")
    site.pages["/closed"] = Answer(PAGE)
    site.pages["/open"] = Answer(status=302, headers={"Location": "/closed"})
    for path in ("/closed", "/open"):
        error = refusal(fetcher, site.url(path))
        assert (error.reason, "asks programs not to read this page" in error.message) == ("robots", True)
    assert "/closed" not in site.paths
    site.pages["/robots.txt"] = Answer(status=503)
    other = PageFetcher(fetcher.limits, fetcher.resolve, fetcher.allowed)
    assert (
        refusal(other, site.url("/closed")).message
        == "the server cannot give its robots.txt now (503 (Service Unavailable))"
    )


@pytest.mark.parametrize(
    ("answer", "reason", "message"),
    [
        (Answer(status=404), "not found", "404 (Not Found)"),
        (Answer(status=401), "forbidden", "401 (Unauthorized)"),
        (Answer(status=500), "server", "500 (Internal Server Error)"),
        (Answer(status=799), "server", "the server answers 799"),
        (Answer(b"a" * (1 << 20) + b"b"), "too large", "larger than 1 MiB"),
        (Answer(BOMB, headers={"Content-Encoding": "gzip"}), "too large", "larger than 1 MiB"),
        (Answer(b"x", headers={"Content-Encoding": "br"}), "encoding", "packs it as br"),
        (Answer(b"xxxx", headers={"Content-Encoding": "gzip"}), "broken", "damaged"),
        (Answer(gzip.compress(PAGE)[:-9], headers={"Content-Encoding": "gzip"}), "broken", "too early"),
    ],
)  # fmt: skip
def test_what_is_refused(site: Site, fetcher: PageFetcher, answer: Answer, reason: str, message: str) -> None:
    site.pages["/a"] = answer
    error = refusal(fetcher, site.url("/a"))
    assert error.reason == reason
    assert message in error.message


def test_packed_pages_are_unpacked(site: Site, fetcher: PageFetcher) -> None:
    site.pages["/a"] = Answer(gzip.compress(PAGE), headers={"Content-Encoding": "gzip"})
    assert fetcher.fetch(site.url("/a")).content.data == PAGE


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_trickle_ends_at_the_deadline(site: Site, where: str) -> None:
    def trickle(write: object) -> None:
        for _ in range(100):
            write(b"a")  # type: ignore[operator]
            time.sleep(0.05)

    site.pages["/body"] = Answer(headers={"Content-Length": "1000"}, write=trickle)
    site.pages["/headers"] = Answer(headers={}, write=trickle)
    fetcher = PageFetcher(FetchLimits(1, 0.6), lambda host, port: ["127.0.0.1"], lambda address: True)
    started = time.monotonic()
    error = refusal(fetcher, site.url(f"/{where}"))
    assert error.reason == "timeout"
    assert time.monotonic() - started < 2


def test_a_resolver_that_hangs_or_fails() -> None:
    def hanging(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    def failing(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    assert refusal(PageFetcher(FetchLimits(1, 0.2), hanging), "http://x.example/").reason == "timeout"
    error = refusal(PageFetcher(FetchLimits(1, 5), failing), "http://x.example/")
    assert (error.reason, error.message) == ("network", "no connection is possible: x.example cannot be resolved")
    assert refusal(PageFetcher(FetchLimits(1, 5), lambda host, port: []), "http://x.example/").reason == "network"


def test_a_certificate_is_checked_and_no_socket_of_this_machine_is_used(site: Site, fetcher: PageFetcher) -> None:
    assert refusal(fetcher, site.url("/a").replace("http:", "https:")).reason == "network"
    with pytest.raises(httpcore.ConnectError):
        CheckedBackend(time.monotonic() + 1).connect_unix_socket("/run/some.sock")


def test_a_damaged_stamp_is_no_stamp() -> None:
    assert Stamp.parse("12 34 56") == Stamp.parse("[]") == Stamp.parse("{") == Stamp()
