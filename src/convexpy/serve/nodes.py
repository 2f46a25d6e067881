"""A server as one of several nodes of a deployment: one serves, the others relay to it, and take over when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from convexpy.access import KEY_VARIABLE
from convexpy.deployment import Keys
from convexpy.errors import Error
from convexpy.executors.base_process import DATABASE_VARIABLE
from convexpy.persistence import OutcomeUnknown, StoreFull, StoreUnreachable, Turn, open_turn
from convexpy.serve import startup
from convexpy.serve.options import ConfigInvalid, ServeOptions
from convexpy.serve.relay import Place, Relay

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


def may_pass(error: BaseException) -> bool:
    """Say whether a node that could not begin to serve for this reason may stand by and try again."""
    if isinstance(error, Error):
        return error.code in ("CannotAppend", "DatabaseUnreachable", "StorageFull")
    return isinstance(error, (OutcomeUnknown, StoreUnreachable, StoreFull))


class Standby:
    """A node that waits for its turn.

    `join` makes the turn, `waits` is called when another node serves, and `prepare` runs while it does. With `stop` it waits no
    longer.
    """

    def __init__(
        self,
        join: Callable[[], Turn],
        sockets: Sequence[socket.socket],
        stop: asyncio.Event,
        *,
        speaks_tls: bool,
        waits: Callable[[], None],
        prepare: Callable[[Turn], Coroutine[Any, Any, None]],
    ) -> None:
        self._join = join
        self._sockets = sockets
        self._stop = stop
        self._relay = Relay(sockets, speaks_tls=speaks_tls)
        self._waits = waits
        self._prepare = prepare
        self._preparing: asyncio.Task[None] | None = None
        self._turn: Turn | None = None
        self._serving = ""
        self._trouble = ""

    async def turn(self, *, again: bool) -> Turn | None:
        """Pass connections on to the node that serves, until it is this one's turn, or None if told to stop.

        At the first start, what is wrong with the database or the other nodes is an error; `again` it is waited for.
        """
        is_relaying = False
        if not again:
            self._turn = await asyncio.to_thread(self._join)
        while await self._other_serves():
            if not is_relaying:
                is_relaying = True
                await self._relay.start()
                self._waits()
            self._relay.pass_on_to([_place(each) for each in self._serving.split()])
            if self._turn is not None and self._preparing is None:
                self._preparing = asyncio.ensure_future(self._prepare(self._turn))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRIED_EVERY_S):
                    await self._stop.wait()
            if self._stop.is_set():
                await self._end_preparation()
                self._relay.close()
                if self._turn is not None:
                    await asyncio.to_thread(self._turn.close)
                return None
        await self._end_preparation()
        logger.info("this node serves now")
        if is_relaying:
            self._relay.stop_accepting()
            self._relay.pass_on_to([_own(sock) for sock in self._sockets])
        return self._turn

    async def _end_preparation(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)

    async def _other_serves(self) -> bool:
        """Try to take the turn; while the database is away, the other one is believed to go on."""
        try:
            if self._turn is None:
                self._turn = await asyncio.to_thread(self._join)
            serving = await asyncio.to_thread(self._turn.take)
        except (Error, StoreUnreachable, StoreFull) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.warning("the node that serves is not known: %s", error)
            return True
        self._trouble = ""
        self._serving = serving or ""
        return serving is not None


def _place(text: str) -> Place:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _own(sock: socket.socket) -> Place:
    """Return where this process reaches one of its own sockets."""
    host, port = sock.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host)), int(port)
