"""The log in PostgreSQL: one row per commit group, and its primary key decides which group is next.

A group is appended by one statement that names the group before it: it fails if that one is not there (the log went back)
or if another has taken its place. So it may be repeated on a new connection: it is there once, and its id says whose it is.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

from convexpy.persistence.interface import LogRow, OutcomeUnknown, StoreFull, StoreUnreachable
from convexpy.persistence.postgres._connection import Cursor, Link, first_line
from convexpy.persistence.postgres._refusals import full, is_lost, is_repeatable
from convexpy.persistence.postgres.address import DatabaseAddress

APPEND_REPEATED_S = 60.0
"""For so long an append waits for the database to come back; then the process ends, and its next start decides."""
READ_REPEATED_S = 30.0
DURABLE = ("on", "remote_apply")
"""Values of `synchronous_commit` under which a commit that is answered is on disk, with a standby on its disk too."""


class PostgresLogStore:
    """The log of a deployment. Connections are opened when they are needed."""

    is_local = False

    def __init__(self, address: DatabaseAddress) -> None:
        s = address.quoted
        self._s = s
        self._link = Link(address, "log", self._noticed)
        self._unreplicated = False
        self._other = Link(address, "history")
        self._other_lock = threading.Lock()
        durable = ", ".join(f"'{value}'" for value in DURABLE)
        self._append = (
            f"INSERT INTO {s}._log(seq, ts, group_id, entry) SELECT %s::bigint, %s::bigint, %s::bytea, %s::bytea "
            f"WHERE current_setting('synchronous_commit') IN ({durable}) AND "
        )
        self._first: int | None = None
        self._last = 0
        self._group = b""
        self._learn()

    def _learn(self) -> None:
        """Read where the log begins and ends."""
        row = self._one(
            f"SELECT (SELECT min(seq) FROM {self._s}._log), seq, group_id FROM {self._s}._log ORDER BY seq DESC LIMIT 1"
        )
        if row is not None:
            self._first, self._last, self._group = int(row[0]), int(row[1]), bytes(row[2])

    def _read(self, text: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._link.repeat(lambda: self._link.run(text, parameters).fetchall(), READ_REPEATED_S)

    def _one(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        rows = self._read(text, parameters)
        return rows[0] if rows else None

    def append(self, seq: int, ts: int, entry: bytes) -> None:
        """Make a row durable: one statement, repeated while the connection is lost."""
        group = secrets.token_bytes(16)
        guard, parameters = f"NOT EXISTS(SELECT 1 FROM {self._s}._log)", [seq, ts, group, entry]
        if self._first is not None:
            guard = f"EXISTS(SELECT 1 FROM {self._s}._log WHERE seq = %s AND group_id = %s)"
            parameters += [self._last, self._group]
        statement = f"{self._append}{guard} ON CONFLICT (seq) DO NOTHING"

        def once() -> None:
            try:
                if self._link.run(statement, parameters).rowcount != 1:
                    self._find(seq, group)
            except psycopg.Error as error:
                if is_lost(error) or is_repeatable(error):
                    raise
                self._refuse(error)

        try:
            self._link.repeat(once, APPEND_REPEATED_S)
        except StoreUnreachable as error:
            raise OutcomeUnknown(str(error)) from error
        try:
            while self._unreplicated:
                # A later commit that the standby has confirmed covers this one, too.
                self._unreplicated = False
                self.probe()
        except StoreFull as error:
            raise OutcomeUnknown(f"the standby has not confirmed row {seq} of the log: {error}") from error
        self._last, self._group = seq, group
        if self._first is None:
            self._first = seq

    def _noticed(self, notice: Diagnostic) -> None:
        """Take note of a commit that did not wait for the standby, cancelled by a timeout or an administrator."""
        if notice.severity_nonlocalized == "WARNING" and "synchronous replication" in (
            notice.message_primary or ""
        ):
            self._unreplicated = True

    def _refuse(self, error: psycopg.Error) -> None:
        for_now = full(error)
        if for_now is None:
            raise OutcomeUnknown(f"{self._link.address}: {first_line(error)}") from error
        if error.sqlstate == "25006":
            self._link.drop()  # of several hosts another one may be the primary now
        raise for_now from error

    def _find(self, seq: int, group: bytes) -> None:
        """Find out why nothing was inserted; return if an earlier attempt has.

        Raises:
            StoreFull: commits would not be durable.
            OutcomeUnknown: the log is not what this process has written.
        """
        s = self._s
        found, guard, setting = self._link.run(
            f"SELECT (SELECT group_id FROM {s}._log WHERE seq = %s), (SELECT group_id FROM {s}._log WHERE seq = %s), "
            "current_setting('synchronous_commit')",
            (seq, seq - 1),
        ).fetchall()[0]
        if found == group:
            return
        if found is not None:
            raise OutcomeUnknown(
                f"another server has written row {seq} of the log: it owns this deployment now"
            )
        if guard != (self._group or None):
            raise OutcomeUnknown(
                f"row {seq - 1} of the log is gone: the database went back, as after a failover to a replica that lagged"
            )
        if setting not in DURABLE:
            raise StoreFull(f"synchronous_commit is {setting} now: commits would not be durable")
        raise OutcomeUnknown(f"row {seq} of the log was not inserted")

    def rows(self, after_seq: int, limit: int | None = None) -> list[LogRow]:
        """Return the rows after `after_seq` in order."""
        text = f"SELECT seq, ts, entry FROM {self._s}._log WHERE seq > %s ORDER BY seq LIMIT %s"
        return [LogRow(*row) for row in self._read(text, (after_seq, limit))]

    def rows_since(self, ts: int, bytes_max: int) -> list[LogRow] | None:
        """Return the row at a timestamp and those after it, over a connection of its own: for any thread."""
        s, link = self._s, self._other

        def read() -> list[LogRow] | None:
            row = link.run(f"SELECT max(seq) FROM {s}._log WHERE ts <= %s", (ts,)).fetchone()
            first = row[0] if row is not None else None
            if first is None:
                return None
            size: Cursor = link.run(
                f"SELECT coalesce(sum(octet_length(entry)), 0)::bigint FROM {s}._log WHERE seq >= %s",
                (first,),
            )
            if size.fetchall()[0][0] > bytes_max:
                return None
            found = link.run(f"SELECT seq, ts, entry FROM {s}._log WHERE seq >= %s ORDER BY seq", (first,))
            rows = [LogRow(*each) for each in found]
            return rows if rows and rows[0].seq == first else None  # trimmed meanwhile

        with self._other_lock:
            return link.repeat(read, READ_REPEATED_S)

    @property
    def first_seq(self) -> int | None:
        """The oldest row kept, or None."""
        return self._first

    def last_row(self) -> LogRow | None:
        """Return the newest row, or None."""
        row = self._one(f"SELECT seq, ts, entry FROM {self._s}._log ORDER BY seq DESC LIMIT 1")
        return LogRow(*row) if row is not None else None

    def sizes(self) -> list[tuple[int, int]]:
        """Return `(ts, bytes of the entry)` of each row kept, in order."""
        return [
            (int(ts), int(size))
            for ts, size in self._read(f"SELECT ts, octet_length(entry) FROM {self._s}._log ORDER BY seq")
        ]

    def trim(self, before_seq: int, limit: int) -> int:
        """Delete old rows, never the last."""
        first = self._first
        if first is None:
            return 0
        end = min(before_seq, first + limit, self._last)
        if end <= first:
            return 0
        self._write(f"DELETE FROM {self._s}._log WHERE seq < %s", (end,))
        self._first = end
        return end - first

    def probe(self) -> None:
        """Write and sync a small text."""
        setting = self._one("SELECT current_setting('synchronous_commit')")[0]
        if setting not in DURABLE:
            raise StoreFull(f"synchronous_commit is {setting}: commits would not be durable")
        self._write(f"UPDATE {self._s}._meta SET value = %s WHERE name = 'probe'", (secrets.token_hex(8),))

    def _write(self, text: str, parameters: Sequence[Any]) -> None:
        """Run a statement that does no harm when it is repeated."""
        try:
            self._link.repeat(lambda: self._link.run(text, parameters), READ_REPEATED_S)
        except StoreUnreachable as error:
            raise StoreFull(str(error)) from error

    def compact(self) -> None:
        """Do nothing: the database does it."""

    def recover(self) -> None:
        """Do nothing: the database has."""

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._other.close()
