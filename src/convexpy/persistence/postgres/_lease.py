"""Who serves a deployment: a row with an expiry by the database's clock, renewed while its holder lives.

It keeps a second server from starting, or lets it wait for its turn. What a server that lost it might still write is refused
by the log, whose next row must name the one before (`log.py`). A row and not a lock of the session: it holds through a
pooler, and says who.

A lease is abandoned when it has expired or the connection of its holder is gone. A node that waits for its turn takes it only
if that has stayed so for `GRACE_S`: a holder whose connection was cut renews it at once, over a new one. So a holder owns the
deployment for `GRACE_S` after each renewal, and what it answers within `SURE_S` is not from before somebody else's writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import psycopg

from convexpy.errors import Error
from convexpy.persistence.interface import Node, OutcomeUnknown, StoreFull, StoreRefused, StoreUnreachable
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres.address import DatabaseAddress

logger = logging.getLogger("convexpy.storage")

TTL_S = 10.0
GRACE_S = 1.5
SURE_S = 1.2
RENEWED_EVERY_S = 2.0
NODE_RENEWED_EVERY_S = 0.4
LOOKED_AT_EVERY_S = 0.2
NAME, RELAY = "node", "relay "


class _Found(NamedTuple):
    """The lease as it was read; `expires` changes with each renewal."""

    holder: str
    expires: str
    node: str
    place: str
    since: str
    is_abandoned: bool


class Lease:
    """Held from `take`, or a `try_to_take` that succeeded, until `release`. `node` is how others reach this process."""

    def __init__(self, address: DatabaseAddress, *, node: str = "") -> None:
        self.holder: str = secrets.token_hex(8)
        self._s = address.quoted
        self._link = Link(address, "lease")
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._lost: Callable[[BaseException], None] | None = None
        self._node = node
        self._renewed_every_s = NODE_RENEWED_EVERY_S if node else RENEWED_EVERY_S
        self._abandoned: tuple[_Found, float] | None = None
        self._sure_until = 0.0
        self._seen_again_at = 0.0
        self._place = f"process {os.getpid()} on {socket.gethostname()}"
        self._thread = threading.Thread(target=self._renew_regularly, name="convexpy-lease", daemon=True)

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken the lease by now; for any thread."""
        return time.monotonic() < self._sure_until

    def take(self) -> None:
        """Take the lease when it is free or abandoned; wait to learn which it is.

        Raises:
            StoreRefused: another server holds it, and renews it.
        """
        try:
            self._wait_and_take()
        except BaseException:
            self._close()
            raise
        self._thread.start()

    def _wait_and_take(self) -> None:
        seen: str | None = None
        until = time.monotonic() + TTL_S + 5 * RENEWED_EVERY_S
        while True:
            found = self._look()
            if (found is None or found.is_abandoned) and self._try(found):
                return
            if found is not None and (
                (seen is not None and found.expires != seen) or time.monotonic() > until
            ):
                raise StoreRefused(
                    f"another server uses {self._link.address}: {found.place}, since {found.since}",
                    code="DatabaseInUse",
                    hint="one server at a time can use a schema: stop the other one, or name another schema "
                    "(?schema=NAME). After a crash this one takes over by itself, within seconds",
                )
            seen = None if found is None else found.expires
            self._stopping.wait(LOOKED_AT_EVERY_S)

    def try_to_take(self) -> str | None:
        """Take the lease if that is possible now, and return None; else return the `node` of its holder."""
        try:
            found = self._link.repeat(self._look, 0.0)
            if self._may_take(found) and self._link.repeat(lambda: self._try(found), 0.0):
                self._link.repeat(self._forget_relays, 0.0)
                self._thread.start()
                return None
            if time.monotonic() >= self._seen_again_at:
                self._seen_again_at = time.monotonic() + RENEWED_EVERY_S
                self._link.repeat(self._be_seen, 0.0)
        except BaseException:
            # The connection of the holder may have been cut with this one: it has the whole grace again.
            self._abandoned = None
            raise
        return "" if found is None else found.node

    def _may_take(self, found: _Found | None) -> bool:
        """Say whether the lease is free, ours, or has been abandoned for long enough."""
        if found is None or found.holder == self.holder:
            return True
        if not found.is_abandoned:
            self._abandoned = None
        elif self._abandoned is None or self._abandoned[0] != found:
            self._abandoned = found, time.monotonic()
        return self._abandoned is not None and time.monotonic() - self._abandoned[1] >= GRACE_S

    def _look(self) -> _Found | None:
        row = self._link.run(
            "SELECT holder, expires_at::text, node, place, since::text, expires_at < clock_timestamp() "
            "OR (backend_pid IS NOT NULL AND NOT EXISTS(SELECT 1 FROM pg_stat_activity a "
            "WHERE a.pid = backend_pid AND coalesce(a.backend_start, l.backend_start) = l.backend_start)) "
            f"FROM {self._s}._lease l WHERE name = %s",
            (NAME,),
        ).fetchone()
        return None if row is None else _Found(*row)

    def _try(self, found: _Found | None) -> bool:
        """Take the lease, if it is still as it was found."""
        sent_at = time.monotonic()
        holder, expires = ("", "-infinity") if found is None else (found.holder, found.expires)
        done = self._link.run(
            f"INSERT INTO {self._s}._lease AS l VALUES(%s, %s, %s, clock_timestamp(), "
            f"clock_timestamp() + %s::double precision * interval '1 second', {_BACKEND}, %s) "
            "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, place = excluded.place, since = excluded.since, "
            "expires_at = excluded.expires_at, backend_pid = excluded.backend_pid, backend_start = excluded.backend_start, "
            "node = excluded.node "
            "WHERE l.holder = excluded.holder OR (l.holder = %s AND l.expires_at = %s::timestamptz)",
            (NAME, self.holder, self._place, TTL_S, self._direct(), self._node, holder, expires),
        )
        if done.rowcount != 1:
            return False
        self._sure_until = sent_at + SURE_S
        return True

    def _direct(self) -> bool:
        """Whether the connection is to PostgreSQL itself, so that its end is the end of this process."""
        self._link.open()
        return not self._link.pooled

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
            f"DELETE FROM {self._s}._lease WHERE name LIKE '{RELAY}%%' AND "
            "(holder = %s OR node = %s OR expires_at < clock_timestamp())",
            (self.holder, self._node),
        )

    def _renew_regularly(self) -> None:
        while not self._stopping.is_set():
            # The end of the connection makes it readable: the lease is renewed over another one at once.
            link = self._link.descriptor
            watched = [self._woken.fileno(), *([] if link is None else [link])]
            select.select(watched, [], [], self._renewed_every_s)
            if self._stopping.is_set():
                return
            try:
                renewed = self._link.repeat(self._renew, TTL_S)
            except (StoreUnreachable, StoreFull, psycopg.Error, Error) as error:
                logger.warning("the lease of this server cannot be renewed: %s", error)
                continue
            if not renewed:
                self._sure_until = 0.0
                if self._lost is not None and not self._stopping.is_set():
                    self._lost(OutcomeUnknown("another server has taken over this deployment"))
                return

    def _renew(self) -> bool:
        sent_at = time.monotonic()
        done = self._link.run(
            f"UPDATE {self._s}._lease SET expires_at = clock_timestamp() + %s::double precision * interval '1 second', "
            f"(backend_pid, backend_start) = (SELECT * FROM (SELECT {_BACKEND}) b) WHERE name = %s AND holder = %s",
            (TTL_S, self._direct(), NAME, self.holder),
        )
        if done.rowcount == 1:
            self._sure_until = sent_at + SURE_S
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
            self._close()
            return
        self._wake.send(b"\0")
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
        self._close()

    def _close(self) -> None:
        self._link.close()
        self._wake.close()
        self._woken.close()


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
