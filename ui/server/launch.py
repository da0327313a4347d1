"""Start the application: Streamlit's server behind our checks, bound to this machine by default."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import inspect
import ipaddress
import logging
import os
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.errors import MissingPackageError, UsageError
from ui import i18n as texts
from ui import theme
from ui.jobs.background import engines
from ui.server.security import is_loopback
from ui.settings import UiSettings, use
from ui.text.failures import traced

if TYPE_CHECKING:
    import streamlit as st
    from starlette.middleware import Middleware

__all__ = [
    "PASSWORD",
    "TOKEN",
    "Login",
    "check_host",
    "check_paths",
    "check_port",
    "check_proxies",
    "configured_login",
    "make_app",
    "serve",
    "warm",
]

HEAD_START_S = 0.6  # of the first page before the models, measured from its script to its field in the browser
PASSWORD = "RAG_UI_PASSWORD"  # noqa: S105 - the variable's name
TOKEN = "RAG_UI_TOKEN"  # noqa: S105 - the same
_LOGIN = (
    f"set {PASSWORD} in the environment, or [auth] in .streamlit/secrets.toml (docs/ui.md), "
    "or add --insecure to open it to everybody who reaches this machine"
)


@dataclass(frozen=True)
class Login:
    """How users prove themselves: a password, an OpenID provider (``oidc``), or not at all. ``names``: its hosts.

    ``token`` is that of the address that is printed where there is neither.
    """

    password: str = ""
    oidc: bool = False
    names: tuple[str, ...] = ()
    token: str = ""

    def __bool__(self) -> bool:
        return bool(self.password) or self.oidc

    def with_token(self) -> Login:
        """Return a login by a token, from the environment or a new one, where there is no other."""
        return self if self else dataclasses.replace(self, token=os.environ.get(TOKEN) or secrets.token_urlsafe(24))


def configured_login() -> Login:
    """Return the login of the environment and of Streamlit's secrets. Raises :class:`~rag.errors.UsageError`."""
    stored = _secrets()
    password = os.environ.get(PASSWORD) or str(stored.get(PASSWORD) or "")
    auth = stored.get("auth")
    if not auth:
        return Login(password)
    address = urlsplit(str(auth.get("redirect_uri") or ""))
    if not address.hostname or not auth.get("cookie_secret"):
        raise UsageError("[auth] in .streamlit/secrets.toml lacks redirect_uri or cookie_secret", "see docs/ui.md")
    return Login(password, True, (address.hostname,))


def check_host(host: str, *, login: bool, insecure: bool) -> None:
    """Raise :class:`~rag.errors.UsageError` where strangers could reach a page without a login."""
    if is_loopback(host) or login or insecure:
        return
    raise UsageError(f"--host {host} opens the documents to other machines, and no login is configured", _LOGIN)


def check_port(host: str, port: int) -> None:
    """Raise :class:`~rag.errors.UsageError` where the address cannot be listened at."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # as servers do: a port that was closed a moment ago is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened at: {error.strerror}"
        raise UsageError(f"port {port} of {host} {message}", "choose another with --port, or correct --host") from error


def make_app(host: str, login: Login, names: Sequence[str] = ()) -> st.App:
    """Return the application with everything that stands before it. Needs Streamlit."""
    import streamlit as st

    from ui.components.frame import say_unexpected

    return st.App(
        Path(__file__).parents[1] / "entry" / "app.py",
        middleware=_middleware(host, login, names),
        lifespan=_lifespan,
        on_script_error=say_unexpected,
    )


def serve(
    settings: UiSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    names: Sequence[str] = (),
    proxies: Sequence[str] = (),
    login: Login,
) -> None:
    """Serve until stopped. Raises :class:`~rag.errors.RagError`.

    ``names`` are other names of this machine, ``proxies`` addresses whose word for a client's address is taken.
    """
    engines().head_start_s = HEAD_START_S
    settings = use(dataclasses.replace(settings, oidc=login.oidc))
    _ignore_found_settings()
    os.environ["FORWARDED_ALLOW_IPS"] = ",".join(proxies)  # uvicorn's name; its default trusts this whole machine
    app = make_app(host, login, names)
    # It asks for a restart whenever options come from a program, and these are those that the server starts with.
    logging.getLogger("streamlit.config").addFilter(lambda record: "restart streamlit" not in record.getMessage())
    app.run(
        config={
            "logger.hideWelcomeMessage": True,  # the address is said by the command
            "server.address": host,
            "server.port": port,
            "server.headless": True,
            "server.fileWatcherType": "none",
            "server.maxUploadSize": settings.upload_mb,
            "server.enableCORS": True,
            "server.enableXsrfProtection": True,
            "server.enableStaticServing": False,
            "browser.gatherUsageStats": False,
            "client.showErrorDetails": "none",
            "client.toolbarMode": "viewer",  # with the choice of theme
            "global.developmentMode": False,
            **theme.options(),
        }
    )


def check_paths(paths: Sequence[Path], host: str, *, login: bool, names: Sequence[str]) -> None:
    """Raise :class:`~rag.errors.UsageError` where others than the owner could name files on this machine."""
    if not paths:
        return
    if login or names or not is_loopback(host):
        raise UsageError(
            "--allow-paths lets users read files of this machine, and others can reach this page",
            "leave it out: with a login, --allow-host, or another --host, users upload files",
        )
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"--allow-paths {path} is no folder", "name a folder whose files may be read")


def check_proxies(proxies: Sequence[str]) -> None:
    """Raise :class:`~rag.errors.UsageError` for what is no address or network."""
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise UsageError(f"--trust-proxy {proxy} is no IP address", "name the proxy's address") from None


def _ignore_found_settings() -> None:
    """Let no ``.streamlit/config.toml`` change the server: the working folder may be anybody's."""
    import streamlit.config as settings

    found = settings.get_config_files
    settings.get_config_files = lambda file_name: [] if file_name == "config.toml" else found(file_name)
    settings.get_config_options(force_reparse=True)


def _middleware(host: str, login: Login, names: Sequence[str]) -> list[Middleware]:
    from starlette.middleware import Middleware

    from ui.server.login import PasswordLogin, Passwords
    from ui.server.security import BrowserCookie, KnownHosts, SecurityHeaders

    layers = [Middleware(SecurityHeaders), Middleware(KnownHosts, bound=host, names=(*names, *login.names))]
    if login.password:
        layers.append(Middleware(PasswordLogin, passwords=Passwords(login.password)))
    elif login.token:
        layers.append(Middleware(PasswordLogin, passwords=Passwords(login.token, is_random=True), is_token=True))
    return [*layers, Middleware(BrowserCookie)]


def _secrets() -> Any:
    """Return Streamlit's secrets, none where there is no file."""
    try:
        import starlette  # noqa: F401 - imported here, where its absence is reported
        import streamlit as st
        from streamlit.errors import StreamlitSecretNotFoundError
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{error.name} is not installed, which the page is made with", "install it: `pip install 'rag-qa[ui]'`"
        ) from None
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if "No secrets found" in str(error):
            return {}
        raise UsageError(f".streamlit/secrets.toml cannot be read: {error}", "fix the file") from None


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    """Warm up when the server starts, beside its first requests."""
    threading.Thread(target=_tried, name="warm", daemon=True).start()
    yield


def warm() -> None:
    """Do in the background what the first visit would otherwise wait for; 0.3 s of a processor.

    Modules that a script run imports, the texts of both languages, and what Streamlit makes when its first widget is
    drawn. Models load when the first visitor arrives (:mod:`ui.jobs.background`).
    """
    texts.load()
    importlib.import_module("ui.pages.chat")  # the page at an address without a path
    importlib.import_module("streamlit.emojis")  # a pattern of thousands, compiled for the first label beyond ASCII
    inspect.stack()  # Streamlit asks for it once, and the first answer walks through all modules


def _tried() -> None:
    try:
        warm()
    except Exception as error:  # noqa: BLE001 - the visitor's own run says on the page what fails
        traced("preparing the page", error)
