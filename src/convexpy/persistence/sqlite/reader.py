"""Reading the checkpoint: `data.db` at one moment, every record checked against its checksum."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

from convexpy.persistence.interface import DataDamaged, ReplayRecord
from convexpy.persistence.sqlite._checksums import document_checksum, entry_salt, replay_checksum
from convexpy.persistence.sqlite._connection import open_reading
from convexpy.persistence.sqlite._stored import (
    DAMAGE,
    checked_document,
    damaged_document,
    named_damage,
    stored_numbers,
)

_MASK = 0xFFFFFFFF


class SqliteCheckpointReader:
    """Reads `data.db` at one moment, on a connection of its own."""

    is_local = True

    def __init__(self, path: Path) -> None:
        self._connection = open_reading(path)
        self._run = self._connection.execute
        self._schema_version = -1
        self._selects: dict[tuple[int, bool], str] = {}
        self._tablets: set[int] = set()
        self._indexes: set[int] = set()

    def begin(self) -> int:
        """Open a read transaction if none is open."""
        if not self._connection.in_transaction:
            self._run("BEGIN")
        # BEGIN takes no snapshot yet, the first read does.
        (seq,) = self._run("SELECT value FROM _meta WHERE name = 'checkpoint_seq'").fetchone()
        self._learn_tables()
        return int(seq)

    def _learn_tables(self) -> None:
        """A table made since the last checkpoint is not in the file yet.

        Reading it must be empty, not an error.
        """
        (version,) = self._run("PRAGMA schema_version").fetchone()
        if version != self._schema_version:
            self._tablets, self._indexes = stored_numbers(self._connection)
            self._schema_version = version

    def renew(self) -> int:
        """Open a read transaction on the newest state."""
        self.end()
        return self.begin()

    def end(self) -> None:
        """Close the read transaction."""
        if self._connection.in_transaction:
            self._run("COMMIT")

    def get(self, tablet: int, id: str) -> bytes | None:
        """Return a document."""
        if tablet not in self._tablets:
            return None
        try:
            query = f"SELECT document, checksum FROM _t{tablet} WHERE _id = ?"
            row = self._run(query, (id,)).fetchone()
            if row is None:
                return None
            if document_checksum(tablet, id.encode(), row[0]) != row[1]:
                raise damaged_document(id)
            document: bytes = row[0]
            return document
        except DAMAGE as error:
            raise named_damage(self._connection, tablet, error) from error

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first entries of an index range with their documents."""
        if index not in self._indexes or tablet not in self._tablets:
            return []
        select = self._selects.get((index, desc))
        if select is None:
            select = self._selects[index, desc] = (
                f"SELECT i.key, i.n, i.checksum, t._id, t.document, t.checksum "
                f"FROM _i{index} i LEFT JOIN _t{tablet} t ON t.n = i.n "
                f"WHERE i.key >= ? AND i.key < ? ORDER BY i.key {'DESC' if desc else 'ASC'} LIMIT ?"
            )
        salt = entry_salt(index)
        found: list[tuple[bytes, str, bytes]] = []
        try:
            for key, n, entry_sum, id, document, document_sum in self._run(select, (lower, upper, limit)):
                if crc32(key, (n ^ salt) & _MASK) != entry_sum or id is None:
                    raise DataDamaged(f"an entry of index {index} is not what was written")
                if crc32(document, crc32(id, tablet)) != document_sum:
                    raise damaged_document(id)
                found.append((key, id.decode(), document))
        except DAMAGE as error:
            raise named_damage(self._connection, tablet, error) from error
        return found

    def ids(
        self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first documents of a range of ids."""
        if tablet not in self._tablets:
            return []
        query = (
            f"SELECT _id, document, checksum FROM _t{tablet} WHERE _id >= CAST(? AS TEXT) AND _id < CAST(? AS TEXT) "
            f"ORDER BY _id {'DESC' if desc else 'ASC'} LIMIT ?"
        )
        try:
            rows = self._run(query, (lower, upper, limit))
            return [(row[0], *checked_document(tablet, *row)) for row in rows]
        except DAMAGE as error:
            raise named_damage(self._connection, tablet, error) from error

    def count(self, tablet: int) -> int:
        """Return the number of documents."""
        if tablet not in self._tablets:
            return 0
        (count,) = self._run(f"SELECT count(*) FROM _t{tablet}").fetchone()
        return int(count)

    def measure(self, tablet: int) -> tuple[int, int]:
        """Return the number of documents and their bytes as stored."""
        if tablet not in self._tablets:
            return 0, 0
        query = f"SELECT count(*), coalesce(sum(length(CAST(document AS BLOB))), 0) FROM _t{tablet}"
        count, size = self._run(query).fetchone()
        return int(count), int(size)

    def replay(self, session: str, request: int) -> ReplayRecord | None:
        """Return what a session's mutation answered."""
        row = self._run(
            "SELECT seq, ts, result, checksum FROM _replay WHERE session = ? AND request = ?",
            (session, request),
        ).fetchone()
        if row is None:
            return None
        return _checked_replay(session, request, *row)

    def replays(self, after: tuple[str, int], limit: int) -> list[tuple[ReplayRecord, int]]:
        """Return the next replay records."""
        rows = self._run(
            "SELECT at_ms, session, request, seq, ts, result, checksum FROM _replay "
            "WHERE (session, request) > (?, ?) ORDER BY session, request LIMIT ?",
            (*after, limit),
        )
        return [
            (_checked_replay(session.decode(), request, *rest), at_ms)
            for at_ms, session, request, *rest in rows
        ]

    def meta(self, name: str) -> str | None:
        """Return a named text."""
        row = self._run("SELECT value FROM _meta WHERE name = ?", (name,)).fetchone()
        return row[0].decode() if row is not None else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _checked_replay(
    session: str, request: int, seq: int | None, ts: int | None, result: bytes, checksum: int | None
) -> ReplayRecord:
    if replay_checksum(session, request, seq, ts, result) != checksum:
        raise DataDamaged(f"the answer kept for request {request} of session {session} is damaged")
    return ReplayRecord(session, request, seq, ts, result)
