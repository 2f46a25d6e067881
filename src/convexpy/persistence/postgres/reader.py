"""Reading the checkpoint at one moment: a transaction in REPEATABLE READ, the row that it equals read first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from convexpy.persistence.interface import DataDamaged, ReplayRecord, StoreFull, StoreUnreachable
from convexpy.persistence.postgres._connection import Cursor, Link
from convexpy.persistence.postgres._refusals import is_lost, refusal
from convexpy.persistence.postgres._tables import split_key
from convexpy.persistence.postgres.address import DatabaseAddress

READ_REPEATED_S = 3.0
"""For so long a read waits for the database; then the call that needs it is handed back."""


class PostgresCheckpointReader:
    """Reads the checkpoint on a connection of its own, which is opened when it is first used.

    When the connection is lost within a read transaction, another one is begun. With `may_advance` it may be at a later
    row: who has all later rows in memory, as executors do, sees no difference. Others get an error then.
    """

    is_local = False

    def __init__(self, address: DatabaseAddress, *, may_advance: bool = False) -> None:
        s = address.quoted
        self._s = s
        self._link = Link(address, "reader")
        self._may_advance = may_advance
        self._seq: int | None = None
        """The row of the open read transaction."""
        self._stored_version = -1
        self._tablets: set[int] = set()
        self._indexes: set[int] = set()
        self._begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
            f"SELECT (SELECT value FROM {s}._meta WHERE name = 'checkpoint_seq'), "
            f"(SELECT value FROM {s}._meta WHERE name = 'stored_version')"
        ).encode()

    def begin(self) -> int:
        """Open a read transaction if none is open."""
        if self._seq is None:
            self._seq = self._link.repeat(self._begin_once, READ_REPEATED_S)
        return self._seq

    def _begin_once(self) -> int:
        # Several statements in one message: one journey to the server and back.
        cursor = self._link.open().execute(self._begin)
        while cursor.nextset():
            pass
        seq, version = cursor.fetchall()[0]
        if int(version) != self._stored_version:
            found = self._link.run(
                f"SELECT kind, number FROM {self._s}._stored WHERE dropped_at IS NULL"
            ).fetchall()
            self._tablets = {number for kind, number in found if kind == "tablet"}
            self._indexes = {number for kind, number in found if kind == "index"}
            self._stored_version = int(version)
        return int(seq)

    def renew(self) -> int:
        """Open a read transaction on the newest state."""
        self.end()
        return self.begin()

    def end(self) -> None:
        """Close the read transaction."""
        if self._seq is not None:
            self._seq = None
            self._link.roll_back()

    def _run(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        if self._link.in_transaction:
            try:
                return self._link.run(text, parameters).fetchall()
            except psycopg.Error as error:
                if not is_lost(error):
                    self._link.drop()
                    said = refusal(error, self._link.address)
                    raise StoreUnreachable(str(said)) if isinstance(said, StoreFull) else said from error
        return self._link.repeat(lambda: self._again(text, parameters), READ_REPEATED_S)

    def _again(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        """Run a statement in a new read transaction, for the one that it belongs to is lost."""
        self._link.drop()
        seq = self._begin_once()
        if seq != self._seq and not self._may_advance:
            raise StoreUnreachable("the connection to the database was lost, and the data has moved on since")
        self._seq = seq
        cursor: Cursor = self._link.run(text, parameters)
        return cursor.fetchall()

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document."""
        if tablet not in self._tablets or "\0" in id:
            return None
        rows = self._run(
            f"SELECT convert_to(document, 'UTF8') FROM {self._s}._t{tablet} WHERE _id = %s", (id,)
        )
        return rows[0][0] if rows else None

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first entries of an index range with their documents."""
        if index not in self._indexes or tablet not in self._tablets or lower >= upper:
            return []
        order = "key DESC, rest DESC" if desc else "key, rest"
        # The limit is part of the text: not knowing it, PostgreSQL would plan each read, which takes longer than the read.
        rows = self._run(
            f"SELECT i.key, i.rest, t._id, convert_to(t.document, 'UTF8') FROM "
            f"(SELECT key, rest, n FROM {self._s}._i{index} "
            f"WHERE (key, rest) >= (%s::bytea, %s::bytea) AND (key, rest) < (%s::bytea, %s::bytea) "
            f"ORDER BY {order} LIMIT {limit:d}) i "
            f"LEFT JOIN {self._s}._t{tablet} t ON t.n = i.n ORDER BY {order}",
            (*split_key(lower), *split_key(upper)),
        )
        if any(row[3] is None for row in rows):
            raise DataDamaged(
                f"{self._link.address}: index {index} has an entry of a document that is not there"
            )
        return [(key + rest if rest else key, id, document) for key, rest, id, document in rows]

    def ids(
        self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first documents of a range of ids."""
        if tablet not in self._tablets or lower >= upper:
            return []
        after, first = _bound(lower)
        until, last = _bound(upper)
        rows = self._run(
            f"SELECT _id, convert_to(document, 'UTF8') FROM {self._s}._t{tablet} "
            f"WHERE _id {'>' if after else '>='} %s AND _id {'<=' if until else '<'} %s "
            f"ORDER BY _id {'DESC' if desc else 'ASC'} LIMIT {limit:d}",
            (first, last),
        )
        return [(id.encode(), id, document) for id, document in rows]

    def count(self, tablet: int) -> int:
        """Return the number of documents."""
        if tablet not in self._tablets:
            return 0
        return int(self._run(f"SELECT count(*) FROM {self._s}._t{tablet}", ())[0][0])

    def measure(self, tablet: int) -> tuple[int, int]:
        """Return the number of documents and their bytes as stored."""
        if tablet not in self._tablets:
            return 0, 0
        text = f"SELECT count(*), coalesce(sum(octet_length(document)), 0)::bigint FROM {self._s}._t{tablet}"
        count, size = self._run(text, ())[0]
        return int(count), int(size)

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's mutation answered."""
        rows = self._run(
            f"SELECT seq, ts, result FROM {self._s}._replay WHERE session = %s AND request = %s::bigint",
            (session.encode(errors="surrogatepass"), request),
        )
        return ReplayRecord(session, request, *rows[0]) if rows else None

    def replays(self, after: tuple[str, int], limit: int) -> list[tuple[ReplayRecord, int]]:
        """Return the next replay records."""
        rows = self._run(
            f"SELECT at_ms, session, request, seq, ts, result FROM {self._s}._replay "
            "WHERE (session, request) > (%s, %s::bigint) ORDER BY session, request LIMIT %s::bigint",
            (after[0].encode(errors="surrogatepass"), after[1], limit),
        )
        return [
            (ReplayRecord(session.decode(errors="surrogatepass"), *rest), at_ms)
            for at_ms, session, *rest in rows
        ]

    def meta(self, name: str) -> str | None:
        """Return a named text."""
        rows = self._run(f"SELECT value FROM {self._s}._meta WHERE name = %s", (name,))
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the connection."""
        self._seq = None
        self._link.close()


def _bound(bound: bytes) -> tuple[bool, str]:
    r"""Return a bound of ids as text, and whether what equals it lies below the bound.

    Text has no zero byte, and ids have only ASCII: `x\0` is just above `x`, and other bytes above 127 are above all ids.
    """
    head, zero, _ = bound.partition(b"\0")
    return bool(zero), head.decode("latin-1")
