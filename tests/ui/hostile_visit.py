"""A visit to a page full of hostile texts: what it was seen to do, and what could be read on it.

Nothing here knows which pages there are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from browsing import Sink

from ui.text.safe import plain

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

__all__ = ["Visit", "essence", "visiting"]

_PATIENCE_S = 20.0
# Through shadow roots and open lists too: every element that points somewhere, runs something, or brings a style of its
# own. Addresses within the page (`url(#clip)` of a plot) are none.
_FIND = """(sink) => {
  const found = [];
  const visit = (root) => {
    for (const e of root.querySelectorAll('*')) {
      if (e.shadowRoot) visit(e.shadowRoot);
      const tag = e.tagName.toLowerCase();
      if (['iframe', 'object', 'embed', 'base', 'form', 'marquee', 'math'].includes(tag)) found.push(tag);
      for (const a of e.attributes) {
        const on = a.name.startsWith('on');
        const points = ['href', 'src', 'srcset', 'xlink:href', 'action', 'ping', 'background', 'poster', 'data']
          .includes(a.name) && (a.value.includes(sink) ||
            /evil|javascript:|mailto:|tel:|vbscript:|data:text|file:|ftp:/i.test(a.value));
        const styled = a.name === 'style' && /url\\((?!["']?#)/i.test(a.value);
        if (on || points || styled) found.push(tag + ' ' + a.name + '=' + a.value);
      }
    }
  };
  visit(document.body);
  return found;
}"""
# What can be read: of fields their values, of tables (which are canvases) the cells that stand behind them for screen
# readers; not what is hidden, and not the numbers that pages of ours set into a text.
_READ = """(selector) => {
  const said = [];
  const read = (node) => {
    for (const child of node.childNodes) {
      if (child.nodeType === 3) {
        const e = child.parentElement;
        if (!e || e.closest('canvas') || e.checkVisibility()) said.push(child.data);
      } else if (child.nodeType === 1 && !['SCRIPT', 'STYLE'].includes(child.tagName)) element(child);
    }
  };
  const element = (e) => {
    if (e.matches('.doc-text .number') || (e.tagName === 'BUTTON' && e.getRootNode() !== document)) return;
    if (['INPUT', 'TEXTAREA'].includes(e.tagName)) said.push(e.value);
    if (e.shadowRoot) read(e.shadowRoot);
    read(e);
  };
  for (const e of document.querySelectorAll(selector)) element(e);
  return said.join('');
}"""
_WATCH = """window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => window.violations.push(
  e.violatedDirective + ' ' + e.blockedURI));"""


def essence(text: str) -> str:
    """Return the compared part of a text: no white space, nothing that :mod:`ui.text.safe` rewrites."""
    return re.sub(r"[\s\u2060\ufffd]+", "", plain(text))


class Visit:
    """An open page; ``dialogs`` and :attr:`asked` are what must stay empty."""

    def __init__(self, page: Page, sink: Sink) -> None:
        self.page = page
        self._sink, self._before = sink, len(sink.asked)
        self.dialogs: list[str] = []
        page.add_init_script(_WATCH)
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    @property
    def asked(self) -> list[str]:
        """What the sink was asked for since the page was opened."""
        return self._sink.asked[self._before :]

    def pointing(self) -> list[str]:
        """Return the elements that point somewhere or run something."""
        found: list[str] = self.page.evaluate(_FIND, self._sink.host)
        return found

    def violations(self) -> list[str]:
        """Return what the policy would have stopped, but for what Streamlit's own script tries on every page."""
        found: list[str] = self.page.evaluate("window.violations")
        return [one for one in found if one != "script-src wasm-eval"]

    def text(self, selector: str = "body") -> str:
        """Return the essence of what can be read in the elements of a selector."""
        return essence(self.page.evaluate(_READ, selector))

    def unread(self, texts: Sequence[str], selector: str = "body", *, most: int = 0) -> list[str]:
        """Return those of the texts that cannot be read there, once they are no more than ``most``, or after a while.

        Streamlit's browser half draws after the script has ended; tables draw last.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            said = self.text(selector)
            missed = [text for text in texts if essence(text) not in said]
            if len(missed) <= most or time.monotonic() > deadline:
                return missed
            self.page.wait_for_timeout(100)

    def rolled(self, selector: str) -> str:
        """Return the essence of a long list of which only a part is drawn at a time, rolled from its top to its end."""
        self.page.locator(selector).first.wait_for()
        said, at = [], -1
        while True:
            said.append(self.text(selector))
            now = self.page.evaluate(
                """(selector) => { const all = [...document.querySelectorAll(selector + ', ' + selector + ' *')];
                const e = all.find((e) => e.scrollHeight > e.clientHeight + 1);
                if (!e) return -1; e.scrollTop += e.clientHeight / 2; return e.scrollTop; }""",
                selector,
            )
            if now == at:
                return "\n".join(said)
            at = now
            self.page.wait_for_timeout(60)

    def harmless(self) -> None:
        """Assert that nothing came of all that is shown."""
        assert self.asked == []
        assert self.dialogs == []
        assert self.pointing() == []
        assert self.violations() == []
        assert self.page.get_by_test_id("stException").count() == 0

    def settle(self) -> None:
        """Wait until the script has ended, and for what an element asks for once it is there."""
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        self.page.wait_for_timeout(500)


@contextmanager
def visiting(window: BrowserContext, address: str, place: str, sink: Sink, **query: object) -> Iterator[Visit]:
    """Open a place of the hostile application and wait until it is drawn."""
    page = window.new_page()
    visit = Visit(page, sink)
    more = "".join(f"&{key}={value}" for key, value in query.items())
    try:
        page.goto(f"{address}/?place={place}&sink={sink.host}{more}")
        page.get_by_text(f"drawn {place}", exact=True).wait_for()
        visit.settle()
        yield visit
    finally:
        page.close()
