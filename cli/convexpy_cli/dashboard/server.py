"""The web server of the dashboard: NiceGUI behind the guard, on this machine alone, until it is interrupted."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import app as pages, ui

from convexpy.client import AdminClient
from convexpy.project import Target
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.dashboard.deployment import Deployment, Identified
from convexpy_cli.dashboard.guard import TOKEN, Guard, Session
from convexpy_cli.dashboard.monitor import Dashboard
from convexpy_cli.dashboard.pages import add_pages
from convexpy_cli.deploy.surroundings import current_actor

HOST = "127.0.0.1"
ASSETS = Path(__file__).parent / "ui"
STOP_S = 2
STARTED_LOOKED_EVERY_S = 0.01
HEAD = '<script src="/assets/page.js"></script><link rel="stylesheet" href="/assets/style.css">'


def identify(target: Target, client: AdminClient, name: str) -> Identified:
    """Return which deployment a client talks to, and what its key allows.

    A deployment counts as production unless it says that it is one of `convexpy dev`.
    """
    access = client.key_access()
    production = target.production or not access.development
    kind = "production" if production else "protected" if target.protected else "development"
    return Identified(
        name=name,
        url=target.url,
        kind=kind,
        access=access,
        guarded=production or target.protected,
        actor=current_actor(Path.cwd()),
    )


def serve(ctx: Context, identified: Identified, client: AdminClient, *, port: int, opens: bool) -> None:
    """Serve the dashboard until the process is interrupted; print its address first."""
    session = Session()
    with _listener(port) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        url = f"{address}/?{TOKEN}={session.token}"
        guarded = Guard(build(Dashboard(Deployment(client, identified))), session)
        config = uvicorn.Config(
            guarded,
            log_level="warning",
            lifespan="on",
            ws="websockets-sansio",
            timeout_graceful_shutdown=STOP_S,
        )
        ctx.output.result({"url": url, "name": identified.name, "deployment": identified.url}, url)
        ctx.output.note(f"the dashboard of {identified.name} ({identified.kind}); Ctrl-C ends it")
        _run(uvicorn.Server(config), listening, partial(_open, ctx, url) if opens else None)


def build(dashboard: Dashboard) -> FastAPI:
    """Return the application with all pages."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None, None]:
        await dashboard.start()
        yield
        await dashboard.stop()

    outer = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    for name in ("style.css", "page.js", "icons.svg"):
        pages.add_static_file(local_file=ASSETS / name, url_path=f"/assets/{name}")
    ui.add_head_html(HEAD, shared=True)
    add_pages(dashboard)
    ui.run_with(
        outer, title="Dashboard", favicon=ASSETS / "icon.svg", dark=False, language="en-US", tailwind=False,
        reconnect_timeout=10.0, show_welcome_message=False, binding_refresh_interval=None,
    )  # fmt: skip
    return outer


def _listener(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise errors.Failure(
            "PortInUse", f"port {port} cannot be used: {error.strerror}", hint="convexpy dashboard --port 0"
        ) from error
    return listening


def _open(ctx: Context, url: str) -> None:
    """Open the browser, where there is a display."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    ):
        ctx.output.note("there is no display here: open the address in a browser")
        return
    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        ctx.output.warn("no browser could be opened: open the address yourself")


def _run(server: uvicorn.Server, listening: socket.socket, opens: Callable[[], None] | None) -> None:
    logging.getLogger("nicegui").setLevel(logging.WARNING)
    asyncio.run(_serve(server, listening, opens))


async def _serve(server: uvicorn.Server, listening: socket.socket, opens: Callable[[], None] | None) -> None:
    """Serve until Ctrl-C, or until `--timeout` has passed: its signal ends the server as Ctrl-C does."""
    passed = False

    def stop() -> None:
        nonlocal passed
        passed = server.should_exit = True

    if hasattr(signal, "SIGALRM"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, stop)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(STARTED_LOOKED_EVERY_S)
    if opens is not None:
        await asyncio.to_thread(opens)  # only now, when Ctrl-C is the server's to handle
    await serving
    if passed:
        raise errors.TimeLimit
