"""Starting and stopping a deployment server.

Start: ports, keys, data folder, executors, then listen; only then the ready line. So a port in use or a folder in use
leaves nothing behind. Stop (SIGTERM, SIGINT, end of the watchdog): close sockets with 1001, finish or cut calls, last
group, full checkpoint, children, lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import secrets
import signal
import socket
import sys
from pathlib import Path

import msgspec
import uvicorn

from convexpy.auth import AdminKeys, create_instance_secret
from convexpy.deployment import (
    Deployment,
    DeploymentSettings,
    FolderStorage,
    Keys,
    holds_sealed,
    load_keys,
    load_secret_key,
    save_keys,
)
from convexpy.errors import Error
from convexpy.execution.spares import SpawnStarter
from convexpy.execution.starter import ForkStarter, Starter
from convexpy.files import open_blob_store
from convexpy.http import ApiApp, SiteApp
from convexpy.limits import Knobs
from convexpy.runtime import SystemClock
from convexpy.serve.direct_socket import DirectSocketProtocol
from convexpy.serve.one_write import OneWriteProtocol
from convexpy.serve.options import ServeOptions, parse

EXIT_UNKNOWN_OUTCOME = 75
LITERAL_KEYS = "CONVEXPY_EXTRA_ADMIN_KEYS"
"""Keys to accept as they stand, for tools that have one built in. Not an option: other users see command lines."""
GC_ALLOCATIONS = 20_000
"""Requests make few cycles, and what lives long is many subscriptions: Python's default of 700 is mostly for nothing."""
logger = logging.getLogger("convexpy.serve")


class PortInUse(Error):
    """A port can't be bound."""

    default_code = "PortInUse"


class _Server(uvicorn.Server):
    """A uvicorn server whose process handles signals itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # overrides uvicorn's generator
        yield

    async def main_loop(self) -> None:
        """Wait for the end, where uvicorn looks ten times a second: an idle server sleeps."""
        await self.on_tick(0)
        await self._ended.wait()

    def end(self) -> None:
        """Stop listening and close connections as their responses end."""
        self.should_exit = True
        self._ended.set()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        PortInUse: another process listens there, or the address can't be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}", data={"port": port}) from error
    sock.setblocking(False)
    return sock


def ensure_keys(folder: Path, name: str | None) -> Keys:
    """Return the keys of a data folder, made at its first start."""
    keys = load_keys(folder)
    if keys is None:
        secret = create_instance_secret()
        chosen = name or f"local-{secrets.token_hex(4)}"
        keys = Keys(chosen, secret, AdminKeys(chosen, secret).create())
        save_keys(folder, keys)
    return keys


def _knobs(options: ServeOptions) -> Knobs:
    memory_mib = options.memory_mib
    given: dict[str, float | None] = {
        "query_executors": options.query_executors,
        "function_cpu_s": options.function_cpu_s,
        "executor_memory_bytes": None if memory_mib is None else memory_mib * 2**20,
        "ping_interval_s": options.ping_interval_s,
        "file_bytes": None if options.file_mib is None else options.file_mib * 2**20,
    }
    return msgspec.structs.replace(
        Knobs(), **{name: value for name, value in given.items() if value is not None}
    )


def _starter(options: ServeOptions) -> Starter:
    fork = options.starter == "fork" or (options.starter == "auto" and sys.platform == "linux")
    return ForkStarter() if fork else SpawnStarter()


def _origin(host: str, sock: socket.socket) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{sock.getsockname()[1]}"


def _uvicorn(app: object) -> _Server:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # bare ASGI callables
        loop="none",
        http=OneWriteProtocol,
        ws=DirectSocketProtocol,
        ws_max_size=Knobs().socket_message_bytes,
        ws_ping_interval=20.0,
        ws_ping_timeout=120.0,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        backlog=2048,
    )
    return _Server(config)


async def _watch(descriptor: int, stop: asyncio.Event) -> None:
    """Stop when the process at the other end of the watchdog pipe is gone."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    os.set_blocking(descriptor, False)

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(descriptor, 4096):
                loop.remove_reader(descriptor)
                ended.set()

    loop.add_reader(descriptor, readable)
    await ended.wait()
    stop.set()


async def serve(options: ServeOptions) -> int:
    """Run a deployment server; return the exit status."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    status = 0
    api_socket = bind(options.host, options.port)
    site_socket = bind(options.host, options.site_port)
    options.data.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    storage = FolderStorage(
        options.data,
        clock,
        allow_network_file_system=options.allow_network_file_system,
        blobs=open_blob_store(options.storage, options.data),
    )
    keys = ensure_keys(options.data, options.name)
    settings = DeploymentSettings(
        name=keys.name,
        instance_secret=keys.instance_secret,
        cloud_url=options.origin or _origin(options.host, api_socket),
        site_url=options.site_origin or _origin(options.host, site_socket),
        knobs=_knobs(options),
        redact=options.redact,
        label=options.label,
        admin_key=keys.admin_key,
        secret_key=load_secret_key(options.data, create=not holds_sealed(storage.start_state.environment)),
        literal_keys=tuple(key for key in os.environ.get(LITERAL_KEYS, "").split(",") if key),
    )

    def fatal(error: BaseException) -> None:
        nonlocal status
        status = EXIT_UNKNOWN_OUTCOME
        api.sockets.close_all(1011, "InternalServerError")
        # Nothing may be answered any more: the next start decides what is in the log.
        loop.call_later(0.2, os._exit, EXIT_UNKNOWN_OUTCOME)

    deployment = Deployment(storage, settings, on_fatal=fatal, starter=_starter(options), clock=clock)
    api, site = ApiApp(deployment), SiteApp(deployment)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await deployment.start()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
    servers = [(_uvicorn(api), api_socket), (_uvicorn(site), site_socket)]
    tasks = [loop.create_task(server.serve(sockets=[sock])) for server, sock in servers]
    if options.watchdog_fd is not None:
        tasks.append(loop.create_task(_watch(options.watchdog_fd, stop)))
    ready = {
        "ready": True, "pid": os.getpid(), "url": settings.cloud_url, "siteUrl": settings.site_url, "name": keys.name,
    }  # fmt: skip
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await stop.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os._exit, 130)
    api.sockets.close_all(1001, "GoingAway")
    for server, _ in servers:
        server.end()
    await deployment.close()
    for server, _ in servers:
        server.force_exit = True
    tasks[-1].cancel() if options.watchdog_fd is not None else None
    await asyncio.gather(*tasks, return_exceptions=True)
    return status


def main(arguments: list[str]) -> int:
    """Entry point; a failed start prints one JSON error as the last line on stderr."""
    options = parse(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        if sys.platform != "win32":
            import uvloop

            return uvloop.run(serve(options))
        return asyncio.run(serve(options))
    except Error as error:
        sys.stderr.write(json.dumps({"error": error.to_json()}) + "\n")
        return 10 if error.code in ("PortInUse", "DataFolderInUse") else 1
