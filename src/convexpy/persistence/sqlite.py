"""The log in SQLite: `log.db`, one row per commit group.

Format:  `log(seq INTEGER PRIMARY KEY, ts INTEGER, entry BLOB)`, `meta(name PRIMARY KEY, value)` with
`format` and `deployment_id`. Older formats are migrated when opened, newer ones refused.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from convexpy.persistence._connection import open_writing, raising_outcomes, transaction
from convexpy.persistence.interface import LogRow, StoreRefused

__all__ = ["FORMAT", "SqliteLogStore", "check_format"]

FORMAT = 1
"""The newest format of both files that this version reads and writes."""


def check_format(path: Path, stored: str) -> None:
    """Raise StoreRefused when a file was written by a newer version."""
    if int(stored) > FORMAT:
        raise StoreRefused(
            f"{path} has format {stored}, this version of convexpy knows up to {FORMAT}",
            code="NewerFormat",
            hint="install the version of convexpy that wrote it, or a later one",
        )


class SqliteLogStore:
    """The log of a deployment. Opening creates the file, with `deployment_id` or a new one."""

    def __init__(self, path: Path, *, deployment_id: str | None = None) -> None:
        self._path = path
        self._connection = open_writing(path)
        try:
            self.deployment_id = self._open(deployment_id or secrets.token_hex(16))
        except BaseException:
            self._connection.close()
            raise
        self._last = self._read_last()

    def _open(self, new_id: str) -> str:
        with transaction(self._connection):
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
            )
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS log"
                "(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, entry BLOB NOT NULL)"
            )
            rows = (("format", str(FORMAT)), ("deployment_id", new_id))
            self._connection.executemany("INSERT OR IGNORE INTO meta VALUES(?, ?)", rows)
        meta: dict[str, str] = dict(self._connection.execute("SELECT name, value FROM meta"))
        check_format(self._path, meta["format"])
        return meta["deployment_id"]

    def _read_last(self) -> int:
        row = self._connection.execute("SELECT max(seq) FROM log").fetchone()
        return row[0] or 0

    def append(self, seq: int, ts: int, entry: bytes) -> None:
        """Make a row durable: one INSERT, one sync."""
        with raising_outcomes():
            self._connection.execute("INSERT INTO log VALUES(?, ?, ?)", (seq, ts, entry))
        self._last = seq

    def rows(self, after_seq: int, limit: int | None = None) -> list[LogRow]:
        """Return the rows after `after_seq` in order."""
        found = self._connection.execute(
            "SELECT seq, ts, entry FROM log WHERE seq > ? ORDER BY seq LIMIT ?",
            (after_seq, -1 if limit is None else limit),
        )
        return [LogRow(*row) for row in found]

    @property
    def first_seq(self) -> int | None:
        """The oldest row kept, or None."""
        (first,) = self._connection.execute("SELECT min(seq) FROM log").fetchone()
        return int(first) if first is not None else None

    def last_row(self) -> LogRow | None:
        """Return the newest row, or None."""
        row = self._connection.execute("SELECT seq, ts, entry FROM log ORDER BY seq DESC LIMIT 1").fetchone()
        return LogRow(*row) if row is not None else None

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
        return end - first

    def probe(self) -> None:
        """Write and sync a small text."""
        with raising_outcomes():
            self._connection.execute(
                "INSERT INTO meta VALUES('probe', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                (secrets.token_hex(8),),
            )

    def checkpoint_wal(self) -> None:
        """Fold the write-ahead log; the next append then starts it over."""
        with raising_outcomes():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def recover(self) -> None:
        """Fold and empty the write-ahead log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
