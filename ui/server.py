"""Starts the application: Streamlit's own server with our headers, bound to this machine unless told otherwise."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from rag.errors import MissingPackageError, UsageError
from ui.settings import UiSettings, use

__all__ = ["check_host", "serve"]

_LOGGED_IN = "configure a login (docs/ui.md), or add --insecure to open it to everybody who reaches this machine"


def check_host(host: str, *, login: bool, insecure: bool) -> None:
    """Raise :class:`~rag.errors.UsageError` where strangers could reach a page without a login."""
    if _is_loopback(host) or login or insecure:
        return
    raise UsageError(f"--host {host} opens the documents to other machines, and no login is configured", _LOGGED_IN)


def serve(settings: UiSettings, *, host: str = "127.0.0.1", port: int = 8501, names: tuple[str, ...] = ()) -> None:
    """Serve until stopped; ``names`` are further names by which this server is reached.

    Raises :class:`~rag.errors.MissingPackageError` without Streamlit.
    """
    try:
        import streamlit as st
        from starlette.middleware import Middleware
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{error.name} is not installed, which the page is made with", "install it: `pip install 'rag-qa[ui]'`"
        ) from None
    from ui.security import KnownHosts, SecurityHeaders

    settings = use(settings)
    middleware = [Middleware(SecurityHeaders), Middleware(KnownHosts, names=(host, *names))]
    app = st.App(Path(__file__).with_name("app.py"), middleware=middleware)
    app.run(
        config={
            "server.address": host,
            "server.port": port,
            "server.headless": True,
            "server.fileWatcherType": "none",
            "server.maxUploadSize": settings.upload_mb,
            "browser.gatherUsageStats": False,
            "client.showErrorDetails": "none",
            "client.toolbarMode": "minimal",
            "global.developmentMode": False,
        }
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
