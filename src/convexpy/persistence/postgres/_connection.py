"""A connection to the database that is opened when it is needed, and again when it was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus

from convexpy.persistence.interface import StoreUnreachable
from convexpy.persistence.postgres._refusals import is_lost, is_repeatable, refusal
from convexpy.persistence.postgres.address import DatabaseAddress

logger = logging.getLogger("convexpy.storage")

PREPARED_MAX = 500
"""Statements that a connection keeps prepared: a few for each table and index."""
PAUSE_FIRST_S, PAUSE_MAX_S = 0.01, 0.5
T = TypeVar("T")
Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


class Link:
    """One connection for one purpose. Not for several threads."""

    def __init__(
        self, address: DatabaseAddress, purpose: str, on_notice: Callable[[Diagnostic], None] | None = None
    ) -> None:
        self.address = address
        self._on_notice = on_notice
        self.pooled: bool = False
        """Whether a pooler stands between: nothing may outlive a transaction then, no prepared statement either."""
        self._purpose = purpose
        self._connection: Connection | None = None

    def open(self) -> Connection:
        """Return the connection; connect if there is none. Raises psycopg's errors."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = self.address.connect(self._purpose)
            connection.prepared_max = PREPARED_MAX
            if self._on_notice is not None:
                connection.add_notice_handler(self._on_notice)
            try:
                row = connection.execute("SELECT pg_backend_pid()").fetchone()
            except BaseException:
                connection.close()
                raise
            # A pooler makes up the process number that it tells clients.
            self.pooled = row is None or row[0] != connection.info.backend_pid
            if self.pooled:
                connection.prepare_threshold = None
            self._connection = connection
        return connection

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, and none of its statements has failed."""
        connection = self._connection
        return connection is not None and connection.pgconn.transaction_status == TransactionStatus.INTRANS

    @property
    def descriptor(self) -> int | None:
        """The descriptor of the connection, which is readable when it was cut; None if there is none."""
        connection = self._connection
        return None if connection is None or connection.closed else connection.fileno()

    def run(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run one statement. Raises psycopg's errors."""
        return self.open().execute(text.encode(), parameters or None, binary=True)

    def repeat(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns; do all of it again, on a new connection, for so long as the connection is lost.

        Raises:
            StoreUnreachable: it was lost for too long.
            StoreFull: the database refused to write, or to run this now.
            StoreRefused: it refused for another reason.
        """
        until, pause = time.monotonic() + seconds, PAUSE_FIRST_S
        told = False
        while True:
            try:
                return work()
            except psycopg.Error as error:
                # While connecting, everything is a reason to try again: a password may be rotated, a host moved.
                lost = is_lost(error) or self._connection is None
                if lost:
                    self.drop()
                elif is_repeatable(error):
                    self.roll_back()
                else:
                    self.roll_back()
                    raise refusal(error, self.address) from error
                if time.monotonic() > until:
                    raise StoreUnreachable(f"{self.address}: {first_line(error)}") from error
                if lost and not told and pause > PAUSE_FIRST_S:
                    told = True
                    logger.warning("%s is lost, connecting again: %s", self.address, first_line(error))
                time.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX_S)

    def roll_back(self) -> None:
        """Leave the transaction, if one is open."""
        try:
            if self._connection is not None and self._connection.info.transaction_status:
                self._connection.rollback()
        except psycopg.Error:
            self.drop()

    def drop(self) -> None:
        """Close the connection; the next use opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    close = drop


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split()).partition(" Is the server running")[0] or type(error).__name__
