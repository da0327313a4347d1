"""Logging in with OpenID Connect in a real browser, at a provider of ours: Streamlit's own flow, whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import free_port
from oidc_provider import CLIENT, SECRET, Provider
from ui_project import FILES, Server, ask, ingest, start_server, stop_server

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(300)
FIELD = "stChatInputTextArea"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The provider."""
    made = Provider()
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two collections that lets in whom the provider knows."""
    index = ingest(tmp_path_factory.mktemp("guarded") / "documents", FILES)
    other = index.parent / "payroll"
    other.mkdir()
    (other / "collection.json").write_text("{}", encoding="utf-8")
    port = free_port()
    values = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback", "cookie_secret": "s" * 40, "client_id": CLIENT,
        "client_secret": SECRET, "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
    }  # fmt: skip
    secrets = index.parent / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    secrets.write_text("\n".join(["[auth]", *lines]), encoding="utf-8")
    running = start_server(index, port=port)
    yield running
    stop_server(running)


def stranger(page: Page) -> None:
    """Assert that nothing of the documents is shown or offered."""
    page.get_by_role("button", name="Log in with your account").wait_for()
    assert page.get_by_test_id(FIELD).count() == 0
    assert page.get_by_test_id("stSidebarNav").count() == 0
    assert page.get_by_test_id("stSelectbox").count() == 0  # the collections


def log_in(page: Page, server: Server) -> None:
    page.goto(server.url)
    stranger(page)
    page.get_by_role("button", name="Log in with your account").click()
    page.get_by_test_id(FIELD).wait_for()


def test_who_logs_in_gets_in_and_keeps_chats_of_its_own(
    context: BrowserContext, guarded: Server, provider: Provider
) -> None:
    page, provider.subject = context.new_page(), "ada"
    log_in(page, guarded)
    assert (provider.refused, provider.fault) == ([], None)
    page.get_by_test_id("stSelectbox").filter(has_text="Collection").wait_for()  # drawn after the field; exactly one
    ask(page, "How heavy is the fog sensor of Ada?")
    page.get_by_role("button", name="Ask again").wait_for()
    page.reload()
    page.get_by_test_id(FIELD).wait_for()  # the cookie holds
    page.get_by_test_id("stSidebar").get_by_text("fog sensor of Ada").wait_for()

    page.get_by_role("button", name="Log out").click()
    stranger(page)
    assert provider.logged_out == 1
    page.reload()
    stranger(page)

    provider.subject = "grace"
    log_in(page, guarded)  # the same browser, another user
    page.wait_for_timeout(1000)
    assert page.get_by_text("fog sensor of Ada").count() == 0


@pytest.mark.parametrize("fault", ["signature", "nonce"])
def test_a_token_that_is_not_the_providers_lets_nobody_in(
    context: BrowserContext, guarded: Server, provider: Provider, fault: str
) -> None:
    page, provider.fault, before = context.new_page(), fault, provider.issued
    try:
        page.goto(guarded.url)
        with page.expect_response(lambda response: "/oauth2callback" in response.url):
            page.get_by_role("button", name="Log in with your account").click()
        assert provider.issued == before + 1
        other = context.new_page()  # with the cookies that came of it
        other.goto(guarded.url)
        stranger(other)
        assert [cookie for cookie in context.cookies() if cookie.get("name", "").startswith("_streamlit_user")] == []
    finally:
        provider.fault = None


def test_without_a_login_the_printed_address_lets_in_and_the_bare_one_does_not(
    context: BrowserContext, tmp_path: Path
) -> None:
    index = ingest(tmp_path / "documents", FILES)
    running = start_server(index, with_token=True)
    try:
        page = context.new_page()
        page.goto(running.url)
        page.get_by_text("Open the address that").wait_for()
        assert page.get_by_test_id(FIELD).count() == 0
        printed = (index.parent / "server.log").read_text()
        [address] = re.findall(r"http://127\.0\.0\.1:\d+/\?token=\S+", printed)
        page.goto(address)
        page.get_by_test_id(FIELD).wait_for()
        assert "token" not in page.url
        page.reload()
        page.get_by_test_id(FIELD).wait_for()  # the cookie holds
    finally:
        stop_server(running)
