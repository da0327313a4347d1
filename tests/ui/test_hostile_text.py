"""What strangers write is shown and does nothing: in a real browser, at every place, without the help of our headers.

The sink's address is in every payload. Nothing may ask it for anything, no dialog may open, and no element may point
anywhere. The Content-Security-Policy is only reported, so that what holds is the rendering itself; that the policy
would hold where rendering fails is a test of its own, on a page that fails deliberately. The whole pages are in
``test_hostile_pages.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
from browsing import Sink, served
from hostile_app import APP, PLACES
from hostile_pages import PAGES
from hostile_payloads import payloads
from hostile_visit import visiting

pytestmark = pytest.mark.slow

CUT = ("feedback", "labels")  # a list that is closed, and names that are cut


def test_there_are_enough_of_them() -> None:
    made = payloads("127.0.0.1:1")
    assert len(set(made)) >= 80
    assert all("{sink}" not in payload for payload in made)


def test_the_control_is_noticed(window: Any, hostile: str, sink: Sink) -> None:
    with visiting(window, hostile, "control", sink) as visit:
        assert "GET /md-image" in visit.asked
        assert any("md-link" in one for one in visit.pointing())
        assert any("img-src" in one for one in visit.violations())


def test_the_policy_holds_where_a_page_fails(window: Any, sink: Sink) -> None:
    with served(APP, policy="enforced") as address, visiting(window, address, "control", sink) as visit:
        assert visit.asked == [] and visit.dialogs == []
        assert any("md-link" in one for one in visit.pointing())


@pytest.mark.parametrize("place", [name for name in PLACES if name not in ("control", *PAGES)])
def test_nothing_happens(window: Any, hostile: str, sink: Sink, place: str) -> None:
    with visiting(window, hostile, place, sink) as visit:
        if place not in CUT:
            assert visit.unread(payloads(sink.host)) == []
        visit.harmless()
