"""What strangers write is shown and does nothing: in a real browser, at every place, without the help of our headers.

The sink's address is in every payload. Nothing may ask it for anything, no dialog may open, and no element may point
anywhere. The pages run without the Content-Security-Policy, so that what holds is the rendering itself; that the policy
would hold where rendering fails is a test of its own, on a page that fails deliberately.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Sink, served
from hostile_app import PLACES
from hostile_payloads import payloads

APP = Path(__file__).with_name("hostile_app.py")
# Through shadow roots too: every element that points somewhere, runs something, or brings a style of its own.
FIND = """() => {
  const found = [];
  const visit = (root) => {
    for (const e of root.querySelectorAll('*')) {
      if (e.shadowRoot) visit(e.shadowRoot);
      const tag = e.tagName.toLowerCase();
      if (['iframe', 'object', 'embed', 'base', 'form', 'video', 'audio', 'marquee', 'math'].includes(tag))
        found.push(tag);
      for (const a of e.attributes) {
        const on = a.name.startsWith('on');
        const points = ['href', 'src', 'srcset', 'xlink:href', 'action', 'ping', 'background', 'poster', 'data']
          .includes(a.name) && /evil|127\\.0\\.0\\.1|javascript:|mailto:|tel:|vbscript:|data:text/i.test(a.value);
        const styled = a.name === 'style' && /url\\(/i.test(a.value);
        if (on || points || styled) found.push(tag + ' ' + a.name + '=' + a.value);
      }
    }
  };
  visit(document.querySelector('[data-testid=stMain]'));
  return found;
}"""


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    with served(APP, guarded=False) as address:
        yield address


def visit(browser: Any, address: str, place: str, sink: Sink) -> tuple[list[str], list[str], list[str], Any]:
    """Open a place; return what the sink was asked for, the dialogs, what points somewhere, and the page."""
    before = len(sink.asked)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{address}/?place={place}&sink={sink.host}")
    page.get_by_text(f"drawn {place}").wait_for(timeout=60_000)
    page.wait_for_timeout(700)  # for what an element asks for once it is there
    return sink.asked[before:], dialogs, page.evaluate(FIND), page


def test_there_are_enough_of_them() -> None:
    made = payloads("127.0.0.1:1")
    assert len(set(made)) >= 80
    assert all("{sink}" not in payload for payload in made)


def test_the_control_is_noticed(browser: Any, bare: str, sink: Sink) -> None:
    asked, _, found, page = visit(browser, bare, "control", sink)
    page.close()
    assert "GET /md-image" in asked
    assert any("md-link" in one for one in found)


def test_the_policy_holds_where_a_page_fails(browser: Any, sink: Sink) -> None:
    with served(APP, guarded=True) as address:
        asked, dialogs, found, page = visit(browser, address, "control", sink)
        page.close()
    assert asked == [] and dialogs == []
    assert any("md-link" in one for one in found)


@pytest.mark.parametrize("place", [name for name in PLACES if name != "control"])
def test_nothing_happens(browser: Any, bare: str, sink: Sink, place: str) -> None:
    asked, dialogs, found, page = visit(browser, bare, place, sink)
    exceptions = page.get_by_test_id("stException").count()
    page.close()
    assert asked == []
    assert dialogs == []
    assert found == []
    assert exceptions == 0
