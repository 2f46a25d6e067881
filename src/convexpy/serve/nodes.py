"""A server as one of several nodes of a deployment: one serves, the others relay to it, and take over when it is gone."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence

from convexpy.deployment import Keys
from convexpy.errors import Error
from convexpy.executors.base_process import DATABASE_VARIABLE
from convexpy.persistence import DataStore, StoreFull, StoreUnreachable, Turn, open_turn
from convexpy.serve import startup
from convexpy.serve.options import ConfigInvalid, ServeOptions
from convexpy.serve.relay import Place, Relay
from convexpy.services.variables.service import KEY_VARIABLE

logger: logging.Logger = logging.getLogger("convexpy.serve")

TRIED_EVERY_S = 0.2
STORAGE_SCHEME = "s3://"


def check(options: ServeOptions) -> None:
    """Refuse settings with which several nodes would not be one deployment.

    Raises:
        ConfigInvalid: no database, files on this machine, or keys of this machine alone.
    """
    missing = {
        f"--database URL, or the variable {DATABASE_VARIABLE}": startup.database(options) is None,
        f"--storage {STORAGE_SCHEME}BUCKET/PREFIX: files in a folder are on one node only": not (
            options.storage or ""
        ).startswith(STORAGE_SCHEME),
        "--name NAME and --secret-file FILE, the same on all nodes": options.name is None
        or options.secret_file is None,
        f"the variable {KEY_VARIABLE}, the same on all nodes": not os.environ.get(KEY_VARIABLE),
    }
    for what, is_missing in missing.items():
        if is_missing:
            raise ConfigInvalid(f"--node {options.node}: nodes share everything", hint=what)


def join(options: ServeOptions, keys: Keys, sockets: Sequence[socket.socket]) -> Turn:
    """Join the nodes of a deployment; raises as `open_turn`."""
    database = startup.database(options)
    assert database is not None  # checked
    places = " ".join(f"{options.node}:{sock.getsockname()[1]}" for sock in sockets)
    shared = "\n".join([keys.name, keys.instance_secret, os.environ[KEY_VARIABLE]])
    return open_turn(options.data, database, node=places, shared=shared)


async def wait(
    turn: Turn,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    *,
    speaks_tls: bool,
    waits: Callable[[], None],
) -> DataStore | None:
    """Pass connections on to the node that serves, until it is this one's turn; return the store, None if told to stop.

    `waits` is called when another node serves.
    """
    relay: Relay | None = None
    known = ""
    while (serving := await _tried(turn, known)) is not None:
        known = serving
        if relay is None:
            relay = Relay(sockets, speaks_tls=speaks_tls)
            await relay.start()
            waits()
        relay.pass_on_to([_place(each) for each in serving.split()])
        try:
            async with asyncio.timeout(TRIED_EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue
        relay.close()
        await asyncio.to_thread(turn.close)
        return None
    logger.info("this node serves now")
    if relay is not None:
        relay.stop_accepting()
        relay.pass_on_to([_own(sock) for sock in sockets])
    return await asyncio.to_thread(turn.open)


async def _tried(turn: Turn, known: str) -> str | None:
    """Return what `turn.take` does; while the database is away, what was known before."""
    try:
        return await asyncio.to_thread(turn.take)
    except (Error, StoreUnreachable, StoreFull) as error:
        logger.warning("the node that serves is not known: %s", error)
        return known


def _place(text: str) -> Place:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _own(sock: socket.socket) -> Place:
    """Return where this process reaches one of its own sockets."""
    host, port = sock.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host)), int(port)
