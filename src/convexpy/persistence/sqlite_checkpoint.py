"""The checkpoint in SQLite: `data.db`, which a person can open and read.

Format:  per tablet `_t<tablet>(n INTEGER PRIMARY KEY, _id UNIQUE, _creationTime, document)`, the document
as JSON text; per index `_i<index>(key PRIMARY KEY, n) WITHOUT ROWID`; `_replay`; `_meta`; and a view for
each table, under its name. Our own names begin with an underscore, which names of user tables never do.
Invariant:  every transaction leaves the file equal to one row of the log, the one in
`_meta.checkpoint_seq`. Only an index that is being built may hold less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from convexpy.errors import InvariantViolation
from convexpy.persistence._connection import open_reading, open_writing, raising_outcomes, transaction
from convexpy.persistence.interface import CheckpointBatch, KeyChange, ReplayRecord, WalkedDocument
from convexpy.persistence.sqlite import FORMAT, check_format
from convexpy.runtime import pauses

__all__ = ["SqliteCheckpointReader", "SqliteCheckpointWriter"]

_TABLET = (
    "CREATE TABLE IF NOT EXISTS _t{0}"
    "(n INTEGER PRIMARY KEY, _id TEXT NOT NULL UNIQUE, _creationTime REAL NOT NULL, document TEXT NOT NULL)"
)
_INDEX = "CREATE TABLE IF NOT EXISTS _i{0}(key BLOB PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID"
_UPSERT = (
    "INSERT INTO _t{0}(_id, _creationTime, document) VALUES(?, ?, CAST(? AS TEXT)) "
    "ON CONFLICT(_id) DO UPDATE SET _creationTime = excluded._creationTime, document = excluded.document "
    "RETURNING n"
)


class SqliteCheckpointWriter:
    """The one writer of `data.db`. Opening creates the file for `deployment_id`."""

    def __init__(self, path: Path, *, deployment_id: str) -> None:
        self._path = path
        self._connection = open_writing(path)
        try:
            self._open(deployment_id)
        except BaseException:
            self._connection.close()
            raise
        self._tablets, self._indexes = self.stored()

    def _open(self, deployment_id: str) -> None:
        run = self._connection.execute
        with transaction(self._connection):
            run("CREATE TABLE IF NOT EXISTS _meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
            run(
                "CREATE TABLE IF NOT EXISTS _replay(session TEXT, request INTEGER, seq INTEGER, ts INTEGER, "
                "at_ms INTEGER, result BLOB, PRIMARY KEY(session, request)) WITHOUT ROWID"
            )
            run("CREATE INDEX IF NOT EXISTS _replay_by_age ON _replay(at_ms)")
            fresh = {
                "format": str(FORMAT),
                "deployment_id": deployment_id,
                "checkpoint_seq": "0",
                "max_creation_time": "0.0",
            }
            self._connection.executemany("INSERT OR IGNORE INTO _meta VALUES(?, ?)", fresh.items())
        self.deployment_id = self._meta("deployment_id")
        check_format(self._path, self._meta("format"))

    def _meta(self, name: str) -> str:
        (value,) = self._connection.execute("SELECT value FROM _meta WHERE name = ?", (name,)).fetchone()
        return str(value)

    def _set_meta(self, name: str, value: str) -> None:
        self._connection.execute("UPDATE _meta SET value = ? WHERE name = ?", (value, name))

    @property
    def checkpoint_seq(self) -> int:
        """The row that the file equals."""
        return int(self._meta("checkpoint_seq"))

    def apply(self, batch: CheckpointBatch) -> None:
        """Apply a batch in one transaction.

        Keys out, documents, keys in, replay records, views, `checkpoint_seq`.
        """
        try:
            with raising_outcomes(), transaction(self._connection):
                self._create_missing(batch)
                self._remove_keys(batch)
                numbers = self._write_documents(batch)
                pauses.reach("checkpoint.half_applied")
                self._add_keys(batch, numbers)
                self._write_replay(batch)
                if batch.tables is not None:
                    self._write_views(batch.tables)
                known = float(self._meta("max_creation_time"))
                self._set_meta("max_creation_time", repr(max(known, batch.max_creation_time)))
                self._set_meta("checkpoint_seq", str(batch.seq))
                pauses.reach("checkpoint.before_commit")
        except BaseException:
            # What this transaction created is gone with it.
            self._tablets, self._indexes = self.stored()
            raise

    def _create_missing(self, batch: CheckpointBatch) -> None:
        for tablet in {change.tablet for change in batch.documents} | set((batch.tables or {}).values()):
            if tablet not in self._tablets:
                self._connection.execute(_TABLET.format(tablet))
                self._tablets.add(tablet)
        for index in {change.index_number for change in batch.keys}:
            if index not in self._indexes:
                self._connection.execute(_INDEX.format(index))
                self._indexes.add(index)

    def _remove_keys(self, batch: CheckpointBatch) -> None:
        gone = [change for change in batch.keys if change.id is None]
        for index, changes in groupby(gone, key=_index_of):
            self._connection.executemany(
                f"DELETE FROM _i{index} WHERE key = ?", ((change.key,) for change in changes)
            )

    def _write_documents(self, batch: CheckpointBatch) -> dict[tuple[int, str], int]:
        """Write the documents; return the `n` of those that stay."""
        run = self._connection.execute
        numbers: dict[tuple[int, str], int] = {}
        for tablet, id, creation_time, document in batch.documents:
            if document is None:
                run(f"DELETE FROM _t{tablet} WHERE _id = ?", (id,))
            else:
                row = run(_UPSERT.format(tablet), (id, creation_time, document)).fetchone()
                numbers[tablet, id] = row[0]
        return numbers

    def _add_keys(self, batch: CheckpointBatch, numbers: Mapping[tuple[int, str], int]) -> None:
        added = [change for change in batch.keys if change.id is not None]
        for index, changes in groupby(added, key=_index_of):
            rows: list[tuple[bytes, int]] = []
            for _, key, tablet, id in changes:
                n = numbers.get((tablet, str(id)))
                if n is None:
                    raise InvariantViolation(
                        f"index {index}: a key was added for {id}, which is not in the batch"
                    )
                rows.append((key, n))
            self._connection.executemany(f"INSERT OR REPLACE INTO _i{index} VALUES(?, ?)", rows)

    def _write_replay(self, batch: CheckpointBatch) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO _replay(session, request, seq, ts, at_ms, result) "
            "VALUES(?, ?, ?, ?, ?, ?)",
            [(r.session, r.request, r.seq, r.ts, batch.replay_at_ms, r.result) for r in batch.replay],
        )

    def _write_views(self, tables: Mapping[str, int]) -> None:
        run = self._connection.execute
        views = run("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall()
        for (name,) in views:
            run(f'DROP VIEW "{name}"')
        taken: set[str] = set()
        for name, tablet in sorted(tables.items()):
            # SQLite's names ignore case and reserve a prefix; ours do not.
            view = name
            if name.lower() in taken or name.lower().startswith("sqlite_"):
                view = f"{tablet} {name}"
            taken.add(view.lower())
            run(f'CREATE VIEW "{view}" AS SELECT _id, _creationTime, document FROM _t{tablet}')

    def walk(self, tablet: int, after_n: int, limit: int) -> list[WalkedDocument]:
        """Return the next documents of a tablet in the order of `n`."""
        if tablet not in self._tablets:
            return []
        rows = self._connection.execute(
            f"SELECT n, _id, CAST(document AS BLOB) FROM _t{tablet} WHERE n > ? ORDER BY n LIMIT ?",
            (after_n, limit),
        )
        return [WalkedDocument(*row) for row in rows]

    def enter_keys(self, index: int, tablet: int, keys: Iterable[tuple[bytes, int]]) -> None:
        """Enter keys of documents just walked, in one transaction."""
        with raising_outcomes(), transaction(self._connection):
            self._connection.execute(_INDEX.format(index))
            self._connection.executemany(f"INSERT OR REPLACE INTO _i{index} VALUES(?, ?)", sorted(keys))
        self._indexes.add(index)

    def drop_index(self, index: int, limit: int) -> bool:
        """Remove a slice of an index, then the index."""
        if index not in self._indexes:
            return True
        slice_ = f"DELETE FROM _i{index} WHERE key IN (SELECT key FROM _i{index} ORDER BY key LIMIT ?)"
        if self._drop(f"_i{index}", slice_, limit):
            self._indexes.discard(index)
            return True
        return False

    def drop_tablet(self, tablet: int, limit: int) -> bool:
        """Remove a slice of a tablet, then the tablet."""
        if tablet not in self._tablets:
            return True
        slice_ = f"DELETE FROM _t{tablet} WHERE n IN (SELECT n FROM _t{tablet} ORDER BY n LIMIT ?)"
        if self._drop(f"_t{tablet}", slice_, limit):
            self._tablets.discard(tablet)
            return True
        return False

    def _drop(self, name: str, slice_: str, limit: int) -> bool:
        with raising_outcomes(), transaction(self._connection):
            if self._connection.execute(slice_, (limit,)).rowcount == limit:
                return False
            self._connection.execute(f"DROP TABLE {name}")
            return True

    def stored(self) -> tuple[set[int], set[int]]:
        """Return the numbers of the stored tablets and indexes."""
        return _numbers(name for (name,) in self._connection.execute(_TABLES))

    def trim_replay(self, before_ms: int, limit: int) -> int:
        """Delete old replay records."""
        with raising_outcomes():
            done = self._connection.execute(
                "DELETE FROM _replay WHERE (session, request) IN "
                "(SELECT session, request FROM _replay WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
                (before_ms, limit),
            )
        return done.rowcount

    def wal_checkpoint(self) -> int:
        """Fold the write-ahead log without waiting for readers; return the bytes it still holds."""
        with raising_outcomes():
            _, pages, folded = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        (page_size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int(max(pages - folded, 0) * page_size)

    def recover(self) -> None:
        """Fold and empty the write-ahead log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _index_of(change: KeyChange) -> int:
    return change.index_number


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"


def _numbers(names: Iterable[str]) -> tuple[set[int], set[int]]:
    """Split the names of SQL tables into numbers of tablets and of indexes."""
    found: dict[str, set[int]] = {"_t": set(), "_i": set()}
    for name in names:
        if name[:2] in found and name[2:].isdigit():
            found[name[:2]].add(int(name[2:]))
    return found["_t"], found["_i"]


class SqliteCheckpointReader:
    """Reads `data.db` at one moment, on a connection of its own."""

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
            names = (name.decode() for (name,) in self._run(_TABLES))
            self._tablets, self._indexes = _numbers(names)
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
        row = self._run(f"SELECT document FROM _t{tablet} WHERE _id = ?", (id,)).fetchone()
        return row[0] if row is not None else None

    def range(
        self, index: int, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first entries of an index range with their documents."""
        if index not in self._indexes or tablet not in self._tablets:
            return []
        select = self._selects.get((index, desc))
        if select is None:
            select = self._selects[index, desc] = (
                f"SELECT i.key, t._id, t.document FROM _i{index} i CROSS JOIN _t{tablet} t ON t.n = i.n "
                f"WHERE i.key >= ? AND i.key < ? ORDER BY i.key {'DESC' if desc else 'ASC'} LIMIT ?"
            )
        rows = self._run(select, (lower, upper, limit)).fetchall()
        return [(key, id.decode(), document) for key, id, document in rows]

    def ids(
        self, tablet: int, lower: bytes, upper: bytes, *, desc: bool, limit: int
    ) -> list[tuple[bytes, str, bytes]]:
        """Return the first documents of a range of ids."""
        if tablet not in self._tablets:
            return []
        rows = self._run(
            f"SELECT _id, document FROM _t{tablet} WHERE _id >= CAST(? AS TEXT) AND _id < CAST(? AS TEXT) "
            f"ORDER BY _id {'DESC' if desc else 'ASC'} LIMIT ?",
            (lower, upper, limit),
        )
        return [(id, id.decode(), document) for id, document in rows]

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
            "SELECT seq, ts, result FROM _replay WHERE session = ? AND request = ?", (session, request)
        ).fetchone()
        return ReplayRecord(session, request, *row) if row is not None else None

    def meta(self, name: str) -> str | None:
        """Return a named text."""
        row = self._run("SELECT value FROM _meta WHERE name = ?", (name,)).fetchone()
        return row[0].decode() if row is not None else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
