"""Fixtures of the tests of the page: an index, the settings, and a real server with a real browser."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Sink, served
from ui_project import CHROMIUM, FILES, Server, ingest, open_page, start_server, stop_server

from ui.jobs import background as engines_module
from ui.settings import UiSettings, use

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture
def ingested(tmp_path: Path) -> Path:
    """The index folder of three small documents."""
    return ingest(tmp_path / "documents", FILES)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Callable[..., UiSettings]]:
    """Set the settings of this process, with fresh engines and an own folder of state; undone at the end."""
    engines_module._engines = engines_module.Engines()

    def set_to(index: Path, *assignments: str, **others: object) -> UiSettings:
        values = {"state_folder": tmp_path / "state", "runs": tmp_path / "runs", **others}
        return use(UiSettings(index, "test", assignments, **values))  # type: ignore[arg-type]

    yield set_to
    for engine in list(engines_module._engines._engines.values()):
        with contextlib.suppress(Exception):  # one that was meant to fail
            engine.knowledge_base(30).close()
    engines_module._engines = engines_module.Engines()
    use(UiSettings())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all browser tests, over its own index, whose answers come word by word."""
    index = ingest(tmp_path_factory.mktemp("served") / "documents", FILES)
    running = start_server(index, "--set", "generator.model=slow")
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium; skipped where there is none, but not in CI."""
    if not CHROMIUM:
        told = "Chromium is not installed: apt-get install chromium, or name one in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                  "--disable-background-networking", "--disable-component-update"],
        )  # fmt: skip
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    """A server that nothing may ask."""
    made = Sink()
    yield made
    made.close()


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder over which the hostile application's pages stand; :mod:`hostile_state` fills it."""
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A browser for many pages, which keeps what it has loaded."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture(scope="session")
def hostile(hostile_folder: Path) -> Iterator[str]:
    """The address of the application of hostile texts."""
    app = Path(__file__).with_name("hostile_app.py")
    with served(app, policy="reported", environment={"HOSTILE_STATE": str(hostile_folder)}) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own: no cookies of another test."""
    made = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    """The chat page, painted, in a browser of its own."""
    return open_page(context, server)
