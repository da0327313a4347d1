"""``rag ui``: the application in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.options import ConfigName, IndexFolder, Settings, resolve
from rag.cli.output import note

__all__ = ["ui"]


def ui(
    index: IndexFolder = Path(".rag"),
    config: ConfigName = "cpu",
    settings: Settings = None,
    runs: Annotated[Path, typer.Option("--runs", help="The folder of evaluation runs.", metavar="DIR")] = Path("runs"),
    host: Annotated[str, typer.Option("--host", help="The address to listen at.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen at.", min=1, max=65535)] = 8501,
    names: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="Another name of this page, for example behind a proxy.", metavar="NAME"),
    ] = None,
    proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--trust-proxy", help="A proxy's IP address, whose X-Forwarded-For is believed. Repeatable.", metavar="IP"
        ),
    ] = None,
    paths: Annotated[
        list[Path] | None,
        typer.Option("--allow-paths", help="A folder whose files may be named on the page. Repeatable.", metavar="DIR"),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="No login and no token: everybody who reaches the page can read.")
    ] = False,
) -> None:
    """Open the page in the browser: ask, check the evidence, manage documents, read evaluations.

    It listens on this machine only, at an address with a token that keeps other accounts out. Any other --host needs a
    login (RAG_UI_PASSWORD, or OpenID Connect), or --insecure.
    """
    from ui.server.launch import check_host, check_paths, check_port, check_proxies, configured_login, serve
    from ui.settings import UiSettings

    resolve(config, settings)  # reports a wrong configuration here instead of on the page
    login = configured_login()
    check_host(host, login=bool(login), insecure=insecure)
    check_paths(paths or (), host, login=bool(login), names=names or ())
    check_proxies(proxies or ())
    check_port(host, port)
    if insecure and not login:
        note(f"warning: everybody who can connect to {host}:{port} can read and delete the documents")
    login = login if insecure else login.with_token()
    shown = f"[{host}]" if ":" in host else host
    note(f"The page runs at http://{shown}:{port}{f'/?token={login.token}' if login.token else ''} (Ctrl-C stops it).")
    serve(
        UiSettings(index, config, tuple(settings or ()), runs, paths=tuple(paths or ())),
        host=host,
        port=port,
        names=names or (),
        proxies=proxies or (),
        login=login,
    )
