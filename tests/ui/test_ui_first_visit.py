"""What makes a first visit short, what a script run needs made before it; and what stands before Streamlit's files."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_assets_routes

from ui.jobs.background import Engines
from ui.server import launch as server
from ui.server.launch import Login

STATIC = Path(streamlit.__file__).parent / "static"
SCRIPT = f"/{next((STATIC / 'static' / 'js').glob('index.*.js')).relative_to(STATIC).as_posix()}"


def test_a_file_stands_behind_the_password_and_under_the_policy() -> None:
    routes = create_streamlit_static_assets_routes("")
    for login, status in ((Login("correct horse"), 401), (Login(), 200)):
        app = Starlette(routes=routes, middleware=server._middleware("127.0.0.1", login, ()))
        got = TestClient(app, base_url="http://127.0.0.1:8501", follow_redirects=False).get(SCRIPT)
        assert got.status_code == status
        assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.slow
def test_warming_leaves_nothing_to_import_for_the_first_page() -> None:
    code = """
import sys
from ui.server.launch import warm
warm()
known = set(sys.modules)
import ui.app, ui.pages.chat
from ui.i18n import LANGUAGES, Texts, table
read = table.cache_info().misses
for language in LANGUAGES:
    Texts(language)("chat.reading", n=1234)
assert table.cache_info().misses == read
assert {"ui.pages.chat", "streamlit.emojis"} <= known
assert not {"torch", "faiss", "openvino", "transformers"} & known, "models are not for the start"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_has_a_head_start_before_models_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    made = Engines()
    made.head_start_s = 0.6
    for _ in range(3):
        made._loader.submit(int).result()
    assert slept == [0.6]
