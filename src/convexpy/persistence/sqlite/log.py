"""The log in SQLite: `log.db`, one row per commit group.

Format:  `log(seq INTEGER PRIMARY KEY, ts INTEGER, entry BLOB, checksum INTEGER)`, `meta(name PRIMARY KEY, value)` with
`format` and `deployment_id`. Older formats are migrated when opened, newer ones refused. Format 1 had no checksums.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from convexpy.persistence.interface import DataDamaged, LogRow, StoreRefused
from convexpy.persistence.sqlite._checksums import row_checksum
from convexpy.persistence.sqlite._connection import (
    empty_wal,
    open_reading,
    open_writing,
    raising_outcomes,
    transaction,
    wal_is_small,
)
from convexpy.persistence.sqlite._migration import add_log_checksums

FORMAT = 2
"""The newest format of both files that this version reads and writes."""


def check_format(path: Path, stored: str | None) -> int:
    """Return the format of a file.

    Raises:
        DataDamaged: it is missing or not a number.
        StoreRefused: the file was written by a newer version.
    """
    if stored is None or not stored.isascii() or not stored.isdecimal() or not int(stored):
        raise DataDamaged(f"{path} does not say its format: found {stored!r}")
    if int(stored) > FORMAT:
        raise StoreRefused(
            f"{path} has format {stored}, this version of convexpy knows up to {FORMAT}",
            code="NewerFormat",
            hint="install the version of convexpy that wrote it, or a later one",
        )
    return int(stored)


def checked_row(seq: int, ts: int, entry: bytes, checksum: int | None) -> LogRow:
    """Return a row of the log as it was written; raise DataDamaged if it is not."""
    try:
        whole = row_checksum(seq, ts, entry) == checksum
    except TypeError:
        whole = False
    if not whole:
        raise DataDamaged(f"row {seq} of log.db is damaged: its checksum is not that of its content")
    return LogRow(seq, ts, entry)


class SqliteLogStore:
    """The log of a deployment. Opening creates the file, with `deployment_id` or a new one."""

    is_local = True

    def __init__(self, path: Path, *, deployment_id: str | None = None) -> None:
        self._path = path
        self._connection = open_writing(path)
        try:
            self.deployment_id: str = self._open(deployment_id or secrets.token_hex(16))
        except BaseException:
            self._connection.close()
            raise
        self._first, self._last = self._read_ends()

    def _open(self, new_id: str) -> str:
        with transaction(self._connection):
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
            )
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS log"
                "(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, entry BLOB NOT NULL, checksum INTEGER)"
            )
            rows = (("format", str(FORMAT)), ("deployment_id", new_id))
            self._connection.executemany("INSERT OR IGNORE INTO meta VALUES(?, ?)", rows)
        meta: dict[str, str] = dict(self._connection.execute("SELECT name, value FROM meta"))
        if check_format(self._path, meta.get("format")) < FORMAT:
            with transaction(self._connection):
                add_log_checksums(self._connection)
        return meta["deployment_id"]

    def _read_ends(self) -> tuple[int | None, int]:
        first, last = self._connection.execute(
            "SELECT (SELECT min(seq) FROM log), (SELECT max(seq) FROM log)"
        ).fetchone()
        return first, last or 0

    def append(self, seq: int, ts: int, entry: bytes) -> None:
        """Make a row durable: one INSERT, one sync."""
        with raising_outcomes():
            self._connection.execute(
                "INSERT INTO log VALUES(?, ?, ?, ?)", (seq, ts, entry, row_checksum(seq, ts, entry))
            )
        self._last = seq
        if self._first is None:
            self._first = seq

    def rows(self, after_seq: int, limit: int | None = None) -> list[LogRow]:
        """Return the rows after `after_seq` in order."""
        found = self._connection.execute(
            "SELECT seq, ts, entry, checksum FROM log WHERE seq > ? ORDER BY seq LIMIT ?",
            (after_seq, -1 if limit is None else limit),
        )
        return [checked_row(*row) for row in found]

    def rows_since(self, ts: int, bytes_max: int) -> list[LogRow] | None:
        """Return the row at a timestamp and those after it, over a connection of its own: for any thread."""
        with contextlib.closing(open_reading(self._path)) as connection:
            connection.execute("BEGIN")
            (first,) = connection.execute("SELECT max(seq) FROM log WHERE ts <= ?", (ts,)).fetchone()
            query = "SELECT total(length(entry)) FROM log WHERE seq >= ?"
            if first is None or connection.execute(query, (first,)).fetchone()[0] > bytes_max:
                return None
            found = connection.execute(
                "SELECT seq, ts, entry, checksum FROM log WHERE seq >= ? ORDER BY seq", (first,)
            )
            return [checked_row(*row) for row in found]

    @property
    def first_seq(self) -> int | None:
        """The oldest row kept, or None."""
        return self._first

    def last_row(self) -> LogRow | None:
        """Return the newest row, or None."""
        query = "SELECT seq, ts, entry, checksum FROM log ORDER BY seq DESC LIMIT 1"
        row = self._connection.execute(query).fetchone()
        return checked_row(*row) if row is not None else None

    def sizes(self) -> list[tuple[int, int]]:
        """Return `(ts, bytes of the entry)` of each row kept, in order."""
        return list(self._connection.execute("SELECT ts, length(entry) FROM log ORDER BY seq"))

    def trim(self, before_seq: int, limit: int) -> int:
        """Delete old rows, never the last."""
        first = self.first_seq
        if first is None:
            return 0
        end = min(before_seq, first + limit, self._last)
        if end <= first:
            return 0
        with raising_outcomes():
            self._connection.execute("DELETE FROM log WHERE seq < ?", (end,))
        self._first = end
        return end - first

    def probe(self) -> None:
        """Write and sync a small text."""
        with raising_outcomes():
            self._connection.execute(
                "INSERT INTO meta VALUES('probe', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                (secrets.token_hex(8),),
            )

    def compact(self) -> None:
        """Fold the write-ahead log; the next append then starts it over."""
        with raising_outcomes():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if not wal_is_small(self._path):
                empty_wal(self._connection)

    def recover(self) -> None:
        """Fold and empty the write-ahead log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
