"""Who serves a deployment: a row with an expiry by the database's clock, renewed while its holder lives.

It keeps a second server from starting, or lets it wait for its turn. What a server that lost it might still write is refused
by the log, whose next row must name the one before (`log.py`). A row and not a lock of the session: it holds through a
pooler, and says who.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

import psycopg

from convexpy.errors import Error
from convexpy.persistence.interface import Node, OutcomeUnknown, StoreFull, StoreRefused, StoreUnreachable
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres.address import DatabaseAddress

logger = logging.getLogger("convexpy.storage")

TTL_S = 10.0
RENEWED_EVERY_S = 2.0
LOOKED_AT_EVERY_S = 0.2
NAME, RELAY = "node", "relay "


class Lease:
    """Held from `take`, or a `try_to_take` that succeeded, until `release`. `node` is how others reach this process."""

    def __init__(self, address: DatabaseAddress, *, node: str = "") -> None:
        self.holder: str = secrets.token_hex(8)
        self._s = address.quoted
        self._link = Link(address, "lease")
        self._stopping = threading.Event()
        self._lost: Callable[[BaseException], None] | None = None
        self._node = node
        self._seen_again_at = 0.0
        self._place = f"process {os.getpid()} on {socket.gethostname()}"
        self._thread = threading.Thread(target=self._renew_regularly, name="convexpy-lease", daemon=True)

    def take(self) -> None:
        """Take the lease when it is free, has expired, or its holder's connection is gone; wait to learn which it is.

        Raises:
            StoreRefused: another server holds it, and renews it.
        """
        try:
            self._wait_and_take()
        except BaseException:
            self._link.close()
            raise
        self._thread.start()

    def try_to_take(self) -> str | None:
        """Take the lease if that is possible now, and return None; else return the `node` of its holder."""
        if self._link.repeat(self._try, 0.0):
            self._link.repeat(self._forget_relays, 0.0)
            self._thread.start()
            return None
        if time.monotonic() >= self._seen_again_at:
            self._seen_again_at = time.monotonic() + RENEWED_EVERY_S
            self._link.repeat(self._be_seen, 0.0)
        row = self._link.repeat(
            lambda: self._link.run(
                f"SELECT node FROM {self._s}._lease WHERE name = %s AND expires_at > clock_timestamp()",
                (NAME,),
            ).fetchone(),
            0.0,
        )
        return "" if row is None else str(row[0])

    def _be_seen(self) -> None:
        """Tell that this node relays."""
        self._link.run(
            f"INSERT INTO {self._s}._lease AS l VALUES(%s, %s, %s, clock_timestamp(), "
            f"clock_timestamp() + %s::double precision * interval '1 second', NULL, NULL, %s) "
            "ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at",
            (f"{RELAY}{self.holder}", self.holder, self._place, TTL_S, self._node),
        )

    def _forget_relays(self) -> None:
        """Remove what this node, and those that are gone, have told as relays."""
        self._link.run(
            f"DELETE FROM {self._s}._lease WHERE name LIKE '{RELAY}%%' AND (holder = %s OR expires_at < clock_timestamp())",
            (self.holder,),
        )

    def _wait_and_take(self) -> None:
        seen: str | None = None
        until = time.monotonic() + TTL_S + 5 * RENEWED_EVERY_S
        while not self._try():
            place, since, expires = self._link.run(
                f"SELECT place, since::text, expires_at::text FROM {self._s}._lease WHERE name = %s", (NAME,)
            ).fetchone() or ("", "", "")
            if (seen is not None and expires != seen) or time.monotonic() > until:
                raise StoreRefused(
                    f"another server uses {self._link.address}: {place}, since {since}",
                    code="DatabaseInUse",
                    hint="one server at a time can use a schema: stop the other one, or name another schema "
                    "(?schema=NAME). After a crash this one takes over by itself, within seconds",
                )
            seen = expires
            self._stopping.wait(LOOKED_AT_EVERY_S)

    def _try(self) -> bool:
        done = self._link.run(
            f"INSERT INTO {self._s}._lease AS l VALUES(%s, %s, %s, clock_timestamp(), "
            f"clock_timestamp() + %s::double precision * interval '1 second', {_BACKEND}, %s) "
            "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, place = excluded.place, since = excluded.since, "
            "expires_at = excluded.expires_at, backend_pid = excluded.backend_pid, backend_start = excluded.backend_start, "
            "node = excluded.node "
            "WHERE l.holder = excluded.holder OR l.expires_at < clock_timestamp() "
            "OR (l.backend_pid IS NOT NULL AND NOT EXISTS(SELECT 1 FROM "
            "pg_stat_activity a WHERE a.pid = l.backend_pid AND coalesce(a.backend_start, l.backend_start) = l.backend_start))",
            (NAME, self.holder, self._place, TTL_S, self._direct(), self._node),
        )
        return done.rowcount == 1

    def _direct(self) -> bool:
        """Whether the connection is to PostgreSQL itself, so that its end is the end of this process."""
        self._link.open()
        return not self._link.pooled

    def _renew_regularly(self) -> None:
        while not self._stopping.wait(RENEWED_EVERY_S):
            try:
                renewed = self._link.repeat(self._renew, TTL_S)
            except (StoreUnreachable, StoreFull, psycopg.Error, Error) as error:
                logger.warning("the lease of this server cannot be renewed: %s", error)
                continue
            if not renewed:
                if self._lost is not None and not self._stopping.is_set():
                    self._lost(OutcomeUnknown("another server has taken over this deployment"))
                return

    def _renew(self) -> bool:
        done = self._link.run(
            f"UPDATE {self._s}._lease SET expires_at = clock_timestamp() + %s::double precision * interval '1 second', "
            f"(backend_pid, backend_start) = (SELECT * FROM (SELECT {_BACKEND}) b) WHERE name = %s AND holder = %s",
            (TTL_S, self._direct(), NAME, self.holder),
        )
        return done.rowcount == 1

    def watch(self, lost: Callable[[BaseException], None]) -> None:
        """Have `lost` called, in the lease's thread, when another server has taken over."""
        self._lost = lost

    def release(self) -> None:
        """Give it up; may be called twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if not self._thread.ident:
            with contextlib.suppress(StoreUnreachable, StoreFull, Error):
                self._link.repeat(self._forget_relays, 0.0)
            self._link.close()
            return
        self._thread.join()
        try:
            self._link.repeat(
                lambda: self._link.run(
                    f"DELETE FROM {self._s}._lease WHERE name = %s AND holder = %s", (NAME, self.holder)
                ),
                0.0,
            )
        except (StoreUnreachable, StoreFull, Error) as error:
            logger.warning("the lease of this server could not be given up, it expires by itself: %s", error)
        self._link.close()


def nodes_of(address: DatabaseAddress) -> list[Node]:
    """Return the nodes that were seen within `TTL_S`, the one that serves first.

    Raises:
        StoreUnreachable: the database does not answer.
    """
    link = Link(address, "nodes")
    try:
        return [
            Node(str(node), str(place), float(since) * 1000, str(name) == NAME)
            for name, node, place, since in link.repeat(
                lambda: link.run(
                    "SELECT name, node, place, extract(epoch FROM since)::double precision "
                    f"FROM {address.quoted}._lease WHERE node <> '' AND expires_at > clock_timestamp() ORDER BY name, node"
                ).fetchall(),
                0.0,
            )
        ]
    finally:
        link.close()


_BACKEND = (
    "(SELECT pid FROM pg_stat_activity WHERE %s::boolean AND pid = pg_backend_pid()), "
    "(SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())"
)
