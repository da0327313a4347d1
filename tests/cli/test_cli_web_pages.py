"""``rag ingest ADDRESS``: one page of a real server, through every command that meets a source that is no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Rag, error_of
from web_server import Answer, Site, serving

PAGE = """<html><head><title>Harbor rules</title></head><body><h1>Harbor rules</h1>
<p>The harbor master is Ines Calder. {more}</p></body></html>"""


def page(more: str = "", tag: str = '"1"') -> Answer:
    headers = {"Content-Type": "text/html; charset=utf-8", "ETag": tag}
    return Answer(PAGE.format(more=more).encode(), headers=headers)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site on this machine, which only this test takes for public."""
    monkeypatch.setattr("rag.ingestion.web.addresses.is_public", lambda address: address == "127.0.0.1")
    with serving() as made:
        made.pages["/rules"] = page()
        made.url = lambda path: f"http://127.0.0.1:{made.port}{path}"  # type: ignore[method-assign]
        yield made


def test_a_page_is_read_asked_updated_and_removed(indexed: Path, rag: Rag, site: Site) -> None:
    url = site.url("/rules")
    ran = rag("ingest", f"{url}#top")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("1 added, 0 changed, 0 unchanged, 0 failed")
    answer = rag("ask", "Who is the harbor master?", "--json", "--filter", f"source={url}").json
    assert {passage["source"] for passage in answer["passages"]} == {url}
    shown = rag("documents", "show", url)
    assert f"source      {url}\n" in shown.out
    assert "fetched     20" in shown.out
    assert rag("documents", "show", url, "--json").json["fetched_at"].startswith("20")
    assert "Ines Calder" in rag("documents", "text", url).out

    again = rag("ingest", url, "--json").json
    assert (again["unchanged"], again["changed"]) == (1, 0)
    assert site.requests[-1][1]["if-none-match"] == '"1"'
    site.pages["/rules"] = page("She began in 2031.", '"2"')
    assert rag("ingest", url, "--json").json["changed"] == 1
    assert "2031" in rag("documents", "text", url).out

    for options in (["docs"], ["docs", "--prune"], ["docs", "--prune", "--force"], [".", "--prune"]):
        assert rag("ingest", *options, "--json").json["removed"] == 0
    assert url in rag("documents", "list").out
    assert rag("index", "verify", "--deep").code == 0
    assert rag("search", "harbor master", "--filter", f"source={site.url('')}", "--json").json["passages"]
    assert rag("documents", "rm", url, "--json").json["removed"] == [url]
    assert url not in rag("documents", "list").out


def test_a_page_that_is_gone_keeps_answering(indexed: Path, rag: Rag, site: Site) -> None:
    url = site.url("/rules")
    assert rag("ingest", url).code == 0
    del site.pages["/rules"]
    ran = rag("ingest", url, "docs")
    assert ran.code == 7
    assert f"failed: {url}: the server answers 404 (Not Found); check the address" in ran.err
    assert [row["state"] for row in rag("documents", "list", "--json").json if row["source"] == url] == ["ready"]
    assert rag("ingest", site.url("/never")).code == 7
    assert site.url("/never") not in rag("documents", "list").out


def test_a_page_that_cannot_be_read_is_a_failure_and_is_tried_again(indexed: Path, rag: Rag, site: Site) -> None:
    url = site.url("/rules")
    site.pages["/rules"] = Answer(b"<html><script>draw()</script></html>")
    ran = rag("ingest", url)
    assert ran.code == 7
    assert f"failed: {url}: the file contains no text" in ran.err
    assert [row["source"] for row in rag("documents", "list", "--failed", "--json").json] == [url]
    assert rag("ingest", "--retry-failed", "--dry-run", "--json").json["added"] == [url]
    site.pages["/rules"] = page()
    assert rag("ingest", "--retry-failed", "--json").json["added"] == 1


def test_types_and_encodings_that_the_server_declares(work: Path, rag: Rag, site: Site) -> None:
    text = "Маяк на мысе Норд построен в 1911 году."
    site.pages["/koi"] = Answer(text.encode("koi8-r"), headers={"Content-Type": "text/plain; charset=KOI8-R"})
    html = f"<html><head><meta charset=utf-8></head><body><p>{text}</p></body></html>"
    site.pages["/html"] = Answer(html.encode("cp1251"), headers={"Content-Type": "text/html; charset=windows-1251"})
    site.pages["/list.aspx?as=csv"] = Answer(b"berth,ship\nC1,Amalia\nC2,Borea\n", headers={"Content-Type": "text/csv"})
    site.pages["/readme.md"] = Answer(b"# Piers\n\nTwo piers.\n", headers={"Content-Type": "text/plain"})
    urls = [site.url(path) for path in site.pages]
    assert rag("ingest", *urls).code == 0
    for path in ("/koi", "/html"):
        assert text in rag("documents", "text", site.url(path)).out
    kinds = {row["source"]: row["media_type"] for row in rag("documents", "list", "--json").json}
    assert kinds[site.url("/list.aspx?as=csv")] == "text/csv"
    assert kinds[site.url("/readme.md")] == "text/markdown"


def test_a_pdf_is_known_by_its_content(indexed: Path, rag: Rag, site: Site) -> None:
    data = (indexed / "docs" / "pump.pdf").read_bytes()
    site.pages["/download"] = Answer(data, headers={"Content-Type": "application/octet-stream"})
    assert rag("ingest", site.url("/download")).code == 0
    assert "painted" in rag("documents", "text", site.url("/download"), "--page", "1").out


def test_what_is_not_fetched_at_all(work: Path, rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence, remedy = error_of(rag("ingest", "http://127.0.0.1:9/"))
    assert sentence.endswith("127.0.0.1 is 127.0.0.1, which is not an address of the public internet")
    assert "save the page as a file" in remedy
    assert not (work / ".rag").exists(), "no index is made for nothing"
    assert error_of(rag("ingest", "https://ada:pw@example.com/"))[0].endswith("has a user name or password")
    assert error_of(rag("ingest", "https://"))[0] == "the address https:// is malformed"
    assert "does not exist" in error_of(rag("ingest", "ftp://example.com/a"))[0]


def test_a_dry_run_fetches_nothing(indexed: Path, rag: Rag, site: Site) -> None:
    url = site.url("/rules")
    assert rag("ingest", url, "--dry-run", "--json").json["added"] == [url]
    assert rag("ingest", url).code == 0
    count = len(site.requests)
    assert rag("ingest", url, "docs", "--dry-run", "--json").json["changed"] == [url]
    assert len(site.requests) == count
    assert rag("ingest", url, "--rehash", "--json").json["unchanged"] == 1
    assert "if-none-match" not in site.requests[-1][1]
