"""What stands in front of every request: hosts, origins, headers, cookies, the password; and the colours."""

from __future__ import annotations

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit.config as settings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from eval.errors import SweepError
from rag.errors import UsageError
from ui.components.frame import STYLE
from ui.jobs.evaluations import Request as EvaluationRequest
from ui.jobs.process import child_environment
from ui.server import launch as server
from ui.server.launch import Login, check_host, check_paths, check_port, check_proxies, configured_login
from ui.server.login import COOKIE as LOGIN
from ui.server.login import FREE_ATTEMPTS, MOST_ADDRESSES, PasswordLogin, Passwords
from ui.storage.chats import COOKIE
from ui.theme import DARK, LIGHT, MARK
from ui.views.new_evaluation import setting_lines, sweep_of

PASSWORD = "correct horse"


def client(host: str = "127.0.0.1", login: Login = Login(), names: tuple[str, ...] = (), at: str = "") -> TestClient:  # noqa: B008 - frozen
    def home(_: Request) -> Response:
        return HTMLResponse("<p>documents</p>")

    def data(_: Request) -> Response:
        return JSONResponse({"documents": 3})

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("documents")
        await websocket.close()

    layers: list[Middleware] = server._middleware(host, login, names)
    routes = [Route("/", home), Route("/data", data, methods=["GET", "POST"]), WebSocketRoute("/stream", socket)]
    app = Starlette(routes=routes, middleware=layers)
    return TestClient(app, base_url=at or "http://127.0.0.1:8501", follow_redirects=False)


def test_a_port_that_is_taken_is_said_before_anything_is_announced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is in use") as told:
            check_port("127.0.0.1", port)
    assert "--port" in told.value.remedy
    check_port("127.0.0.1", port)
    with pytest.raises(UsageError, match="cannot be listened at"):
        check_port("192.0.2.1", port)  # of a network for documentation: no machine has it


# Hosts and origins --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost:8501", "localhost", "[::1]:8501", "127.0.0.2", "LOCALHOST."]
)
def test_loopback_is_known_by_its_own_names(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.168.0.5", "localhost.evil.example", "a@127.0.0.1", "127.0.0.1:x",
     "", "127.0.0.1/x", "evil.example#127.0.0.1"],
)  # fmt: skip
def test_a_name_that_somebody_else_points_here_is_refused(host: str) -> None:
    got = client().get("/", headers={"host": host})
    assert got.status_code == 421 and "documents" not in got.text and "--allow-host" in got.text


def test_a_name_that_was_allowed_is_known() -> None:
    asked = client(names=("rag.example",))
    assert asked.get("/", headers={"host": "rag.example"}).status_code == 200
    assert asked.get("/", headers={"host": "other.example"}).status_code == 421


def test_bound_to_all_addresses_any_address_is_known_but_no_strange_name() -> None:
    asked = client("0.0.0.0")
    assert asked.get("/", headers={"host": "192.168.0.5:8501"}).status_code == 200
    assert asked.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:3000", "http://127.0.0.1:3000", "null", "x"]
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    asked = client()
    got = asked.post("/data", headers={"origin": origin})
    assert (got.status_code, "documents" in got.text) == (403, False)
    with pytest.raises(WebSocketDisconnect), asked.websocket_connect("/stream", headers={"origin": origin}):
        pass


def test_our_own_page_may_ask() -> None:
    asked = client()
    assert asked.post("/data", headers={"origin": "http://127.0.0.1:8501"}).status_code == 200
    headers = {"origin": "http://127.0.0.1:8501", "host": "127.0.0.1:8501"}
    with asked.websocket_connect("/stream", headers=headers) as opened:
        assert opened.receive_text() == "documents"


def test_a_socket_of_a_strange_host_is_refused() -> None:
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/stream", headers={"host": "evil.example"}):
        pass


# Headers and cookies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"host": "evil.example"}])
def test_every_response_carries_a_narrow_policy(headers: dict[str, str]) -> None:
    got = client().get("/", headers=headers).headers
    policy = dict(part.split(" ", 1) for part in got["content-security-policy"].split("; "))
    assert "'unsafe-eval'" not in policy["script-src"] and "'unsafe-inline'" not in policy["script-src"]
    assert policy["script-src"].startswith("'self' blob: 'sha256-")
    assert (policy["default-src"], policy["frame-ancestors"], policy["object-src"]) == ("'self'", "'none'", "'none'")
    assert not any(scheme in got["content-security-policy"] for scheme in ("http:", "https:", "*"))
    assert (got["x-frame-options"], got["x-content-type-options"]) == ("DENY", "nosniff")


def test_a_browser_gets_its_cookie_with_a_page_and_only_once() -> None:
    asked = client()
    assert "set-cookie" not in asked.get("/data").headers
    first = asked.get("/")
    told = first.headers["set-cookie"]
    assert told.startswith(f"{COOKIE}=") and "HttpOnly" in told and "SameSite=Lax" in told and "Secure" not in told
    assert "set-cookie" not in asked.get("/").headers
    others = client().get("/").headers["set-cookie"]
    assert others.split(";")[0] != told.split(";")[0]
    assert "Secure" in client().get("/", headers={"x-forwarded-proto": "https"}).headers["set-cookie"]


# The password -------------------------------------------------------------------------------------------------------


def test_without_the_password_nothing_is_reached() -> None:
    asked = client(login=Login(PASSWORD))
    for path in ("/", "/data", "/_stcore/health"):
        got = asked.get(path, headers={"accept": "text/html"})
        assert (
            got.status_code == 401
            and "<p>documents" not in got.text
            and COOKIE not in got.headers.get("set-cookie", "")
        )
    assert "password" in asked.get("/", headers={"accept": "text/html"}).text
    assert "Пароль" in asked.get("/", headers={"accept": "text/html", "accept-language": "ru"}).text
    assert asked.post("/data").status_code == 401
    with pytest.raises(WebSocketDisconnect), asked.websocket_connect("/stream"):
        pass


def test_with_the_password_everything_is_until_the_log_out() -> None:
    asked = client(login=Login(PASSWORD))
    got = asked.post("/login", data={"password": PASSWORD}, headers={"origin": "http://127.0.0.1:8501"})
    told = got.headers["set-cookie"]
    assert (got.status_code, got.headers["location"]) == (303, "/")
    assert told.startswith(f"{LOGIN}=") and "HttpOnly" in told and PASSWORD not in told
    assert asked.get("/data").json() == {"documents": 3}
    with asked.websocket_connect("ws://127.0.0.1:8501/stream") as opened:
        assert opened.receive_text() == "documents"
    assert asked.get("/logout").status_code == 303
    asked.cookies.set(LOGIN, told.split(";")[0].split("=")[1])  # the old one, kept by a thief
    assert asked.get("/data").status_code == 401


@pytest.mark.parametrize(
    "typed", ["", "Correct horse", PASSWORD + " ", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_a_wrong_password_gets_nothing(typed: str) -> None:
    asked = client(login=Login(PASSWORD))
    got = asked.post("/login", data={"password": typed})
    assert got.status_code == 401 and "set-cookie" not in got.headers and "not the password" in got.text
    assert asked.get("/data").status_code == 401


def test_a_log_in_from_another_site_and_a_huge_one_are_refused() -> None:
    asked = client(login=Login(PASSWORD))
    foreign = asked.post("/login", data={"password": PASSWORD}, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert asked.post("/login", data={"password": "x" * 100_000}).status_code == 413


@pytest.mark.slow
def test_after_wrong_passwords_an_address_waits_longer_each_time() -> None:
    now = [0.0]
    passwords = Passwords(PASSWORD, clock=lambda: now[0])
    for _ in range(FREE_ATTEMPTS):
        assert passwords.wait_s("a") == 0
        assert passwords.log_in("wrong", "a") is None
    assert passwords.wait_s("a") == 1
    assert passwords.log_in(PASSWORD, "a") is None  # right, but too soon
    assert passwords.log_in(PASSWORD, "b") is not None  # nobody else is kept out
    now[0] = 1.0
    assert passwords.log_in("wrong", "a") is None
    assert passwords.wait_s("a") == 2
    now[0] = 3.0
    assert passwords.log_in(PASSWORD, "a") is not None
    assert passwords.wait_s("a") == 0


def test_many_addresses_do_not_fill_the_memory() -> None:
    passwords = Passwords(PASSWORD)
    for n in range(MOST_ADDRESSES + 10):
        passwords._count_wrong(str(n), 0.0)
    assert len(passwords._wrong) == MOST_ADDRESSES


def test_a_session_ends_by_itself() -> None:
    now = [0.0]
    passwords = Passwords(PASSWORD, clock=lambda: now[0])
    token = passwords.log_in(PASSWORD, "a")
    assert token is not None and passwords.knows(token) and not passwords.knows("")
    now[0] = 12 * 3600.0
    assert not passwords.knows(token)


def test_an_open_socket_ends_with_its_session() -> None:
    """A page that stays open shows nothing new after the log-out, or after the session's time."""
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop may run in this thread
        got, sent = apart.submit(lambda: asyncio.run(_socket_of_a_session_that_ends())).result()
    assert [message["type"] for message in got] == ["websocket.connect", "websocket.receive", "websocket.disconnect"]
    assert [message["type"] for message in sent] == ["websocket.close"]


async def _socket_of_a_session_that_ends() -> tuple[list[Message], list[Message]]:
    passwords, got, sent = Passwords(PASSWORD), list[Message](), list[Message]()
    token = passwords.log_in(PASSWORD, "a")
    assert token is not None
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    incoming.put_nowait({"type": "websocket.receive", "text": "a"})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not got or got[-1]["type"] != "websocket.disconnect":
            got.append(await receive())
            if got[-1]["type"] == "websocket.receive":
                passwords.log_out(token)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"cookie", f"{LOGIN}={token}".encode())]}
    await asyncio.wait_for(PasswordLogin(app, passwords=passwords)(scope, incoming.get, send), 10)
    return got, sent


# The token ----------------------------------------------------------------------------------------------------------

TOKEN = "t" * 32


def test_without_a_login_the_address_has_a_token_that_becomes_a_cookie() -> None:
    asked = client(login=Login(token=TOKEN))
    html = {"accept": "text/html"}
    assert [asked.get(path, headers=html).status_code for path in ("/", "/data", "/?token=guess")] == [401] * 3
    assert "token" in asked.get("/", headers=html).text
    with pytest.raises(WebSocketDisconnect), asked.websocket_connect("/stream"):
        pass
    got = asked.get(f"/?token={TOKEN}&language=ru", headers=html)
    assert (got.status_code, got.headers["location"]) == (303, "/?language=ru")
    assert got.headers["set-cookie"].startswith(f"{LOGIN}_8501=") and TOKEN not in got.headers["set-cookie"]
    assert asked.get("/data").json() == {"documents": 3}
    with asked.websocket_connect("ws://127.0.0.1:8501/stream") as opened:
        assert opened.receive_text() == "documents"
    assert asked.get("/?token=another").headers["location"] == "/"  # who is in stays in
    other = client(login=Login(token=TOKEN))
    assert other.post("/login", data={"password": f" {TOKEN} "}).status_code == 303


@pytest.mark.parametrize("path", ["//evil.example", "/%5cevil.example", "/\\evil.example"])
def test_the_way_back_from_the_token_stays_on_this_server(path: str) -> None:
    got = client(login=Login(token=TOKEN)).get(f"http://127.0.0.1:8501{path}?token={TOKEN}")
    assert got.headers["location"].lstrip("/").startswith(("evil", "%5Cevil")) and got.headers["location"][1] != "/"


def test_wrong_tokens_keep_nobody_waiting() -> None:
    asked = client(login=Login(token=TOKEN))
    for _ in range(FREE_ATTEMPTS + 2):
        assert asked.post("/login", data={"password": "guess"}).status_code == 401
    assert asked.post("/login", data={"password": TOKEN}).status_code == 303


def test_a_token_is_made_only_where_there_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.TOKEN, raising=False)
    one, other = Login().with_token(), Login().with_token()
    assert len(one.token) >= 32 and one.token != other.token and not one
    assert Login(PASSWORD).with_token() == Login(PASSWORD)
    monkeypatch.setenv(server.TOKEN, "mine")
    assert Login().with_token().token == "mine"


# How it is started --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.5", "::", "my-machine"])
def test_another_address_needs_a_login_or_a_flag(host: str) -> None:
    with pytest.raises(UsageError, match="no login is configured") as told:
        check_host(host, login=False, insecure=False)
    assert "RAG_UI_PASSWORD" in told.value.remedy
    check_host(host, login=True, insecure=False)
    check_host(host, login=False, insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    check_host(host, login=False, insecure=False)


def test_the_login_is_read_from_the_environment_and_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.PASSWORD, raising=False)
    secrets: dict[str, object] = {}
    monkeypatch.setattr(server, "_secrets", lambda: secrets)
    assert not configured_login()
    secrets[server.PASSWORD] = "from the secrets"
    assert configured_login() == Login("from the secrets")
    monkeypatch.setenv(server.PASSWORD, "from the environment")
    assert configured_login() == Login("from the environment")
    secrets["auth"] = {"redirect_uri": "https://rag.example/oauth2callback", "cookie_secret": "c"}
    assert configured_login() == Login("from the environment", True, ("rag.example",))
    secrets["auth"] = {"client_id": "x"}
    with pytest.raises(UsageError, match="redirect_uri"):
        configured_login()


@pytest.mark.parametrize(
    ("host", "login", "names"),
    [("0.0.0.0", False, ()), ("127.0.0.1", True, ()), ("127.0.0.1", False, ("rag.example",))],
)
def test_paths_are_never_named_where_others_reach_the_page(
    host: str, login: bool, names: tuple[str, ...], tmp_path: Path
) -> None:
    check_paths([], host, login=login, names=names)
    with pytest.raises(UsageError, match="--allow-paths lets users read files"):
        check_paths([tmp_path], host, login=login, names=names)
    check_paths([tmp_path], "127.0.0.1", login=False, names=())
    with pytest.raises(UsageError, match="is no folder"):
        check_paths([tmp_path / "missing"], "127.0.0.1", login=False, names=())


def test_a_proxy_is_named_by_its_address() -> None:
    check_proxies(["10.0.0.1", "::1", "10.1.0.0/16"])
    with pytest.raises(UsageError, match="is no IP address"):
        check_proxies(["proxy.example"])


def test_a_settings_file_in_the_working_folder_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\ntrustedUserHeaders = "{\\"X-User\\": \\"sub\\"}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "get_config_files", settings.get_config_files)  # undone at the end
    settings.get_config_options(force_reparse=True)
    assert settings.get_option("server.trustedUserHeaders")
    server._ignore_found_settings()
    assert not settings.get_option("server.trustedUserHeaders")
    assert settings.get_config_files("secrets.toml")


@pytest.mark.parametrize(
    "line",
    ["generator.openai.base_url=http://evil.example", "generator.openai.api_key_env=AWS_SECRET_ACCESS_KEY",
     'generator={"openai": {"base_url": "http://evil.example"}}', "generator.model=/etc", "reader.model=/etc",
     "embedding.model=/etc", "parsing.memory_mb=999999", "retrieval.cross_encoder=/etc", "generator.vllm.seed=3",
     "generator.type=openai"],
)  # fmt: skip
def test_the_page_sets_no_address_model_or_limit(line: str) -> None:
    with pytest.raises(UsageError, match="cannot be set on a page"):
        setting_lines(f"retrieval.k=3\n{line}", "test", ())
    assert setting_lines("retrieval.k=3", "test", (line,)) == (line, "retrieval.k=3")  # the owner may
    key, _, value = line.partition("=")
    grid = f"grid:\n  {key}: [{value}, {value}1]" if not value.startswith("{") else f"points:\n  - {key}: {value}"
    with pytest.raises((UsageError, SweepError), match="cannot be set on a page"):
        sweep_of(EvaluationRequest("q.json", mode="gold", config="test"), grid)
    owners = EvaluationRequest("q.json", mode="gold", config="test", settings=("generator.model=mine",))
    assert sweep_of(owners, "grid: {retrieval.k: [1, 2]}").common == {"generator.model": "mine"}


def test_a_job_gets_no_secret_of_the_server_but_the_one_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (server.PASSWORD, server.TOKEN, "OPENAI_API_KEY", "OTHER_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    kept = child_environment(["OPENAI_API_KEY", "MISSING"])
    assert [name for name, value in kept.items() if value == "secret"] == ["OPENAI_API_KEY"]
    assert kept["HF_HUB_OFFLINE"] == "1" and kept["PATH"] == os.environ["PATH"]
    assert kept["TOKENIZERS_PARALLELISM"] == "false"


# Colours ------------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    bright, dim = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def faded(text: str, ground: str, share: float) -> str:
    parts = [round(int(text[n : n + 2], 16) * share + int(ground[n : n + 2], 16) * (1 - share)) for n in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_is_readable_on_every_ground(theme: dict[str, str]) -> None:
    for ground in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        for text in (theme["textColor"], theme["linkColor"]):
            assert contrast(text, ground) >= 4.5
        assert contrast(theme["primaryColor"], ground) >= 3  # switches, sliders, frames: what is seen and not read
        assert contrast(faded(theme["textColor"], ground, 0.6), ground) >= 4.5  # Streamlit's captions and placeholders


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_what_stands_on_the_primary_colour_is_readable_and_nothing_is_written_in_it(theme: dict[str, str]) -> None:
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5  # Streamlit's buttons and chosen values, in both themes
    for ground in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        for tint in (0.1, 0.2):  # what is chosen of several, and the same below the mouse
            assert contrast(theme["textColor"], faded(theme["primaryColor"], ground, tint)) >= 4.5
    style = STYLE.read_text()
    for written in ("stSliderThumbValue", "button[data-selected]", ":hover"):
        assert written in style[: style.index("color: inherit !important")]


def test_marked_words_are_readable_and_the_style_sheet_has_these_colours() -> None:
    assert contrast(MARK["textColor"], MARK["backgroundColor"]) >= 4.5
    style = STYLE.read_text()
    assert MARK["backgroundColor"] in style and MARK["textColor"] in style
