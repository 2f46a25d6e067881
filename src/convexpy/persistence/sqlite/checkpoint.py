"""The checkpoint in SQLite: `data.db`, which a person can open and read.

Format:  per tablet `_t<tablet>(n INTEGER PRIMARY KEY, _id UNIQUE, _creationTime, document, checksum)`, the document
as JSON text; per index `_i<index>(key PRIMARY KEY, n, checksum) WITHOUT ROWID`; `_replay`; `_meta`; and a view for
each table, under its name. Our own names begin with an underscore, which names of user tables never do. Format 1 had no
checksums; it is migrated when the file is opened for writing.
Invariant:  every transaction leaves the file equal to one row of the log, the one in
`_meta.checkpoint_seq`. Only an index that is being built may hold less.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from convexpy.errors import InvariantViolation
from convexpy.persistence.interface import (
    CheckpointBatch,
    Compaction,
    DataDamaged,
    DocumentChange,
    KeyChange,
    WalkedDocument,
)
from convexpy.persistence.sqlite._checksums import (
    document_checksum,
    entry_salt,
    key_checksum,
    replay_checksum,
    texts_checksum,
)
from convexpy.persistence.sqlite._connection import (
    empty_wal,
    open_writing,
    raising_outcomes,
    transaction,
    wal_is_small,
)
from convexpy.persistence.sqlite._migration import add_checkpoint_checksums
from convexpy.persistence.sqlite._stored import (
    DAMAGE,
    checked_document,
    named_damage,
    schema_checksum,
    stored_numbers,
)
from convexpy.persistence.sqlite.log import FORMAT, check_format
from convexpy.runtime import pauses

_TABLET = (
    "CREATE TABLE IF NOT EXISTS _t{0}"
    "(n INTEGER PRIMARY KEY, _id TEXT NOT NULL UNIQUE, _creationTime REAL NOT NULL, document TEXT NOT NULL, "
    "checksum INTEGER)"
)
_INDEX = "CREATE TABLE IF NOT EXISTS _i{0}(key BLOB PRIMARY KEY, n INTEGER NOT NULL, checksum INTEGER) WITHOUT ROWID"
_UPSERT = (
    "INSERT INTO _t{0}(_id, _creationTime, document, checksum) VALUES(?, ?, CAST(? AS TEXT), ?) "
    "ON CONFLICT(_id) DO UPDATE SET _creationTime = excluded._creationTime, document = excluded.document, "
    "checksum = excluded.checksum"
)
NUMBERS_AT_ONCE = 500
META = ("format", "deployment_id", "checkpoint_seq", "max_creation_time")
"""What the checksum in `_meta` covers, in this order."""


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
                "at_ms INTEGER, result BLOB, checksum INTEGER, PRIMARY KEY(session, request)) WITHOUT ROWID"
            )
            run("CREATE INDEX IF NOT EXISTS _replay_by_age ON _replay(at_ms)")
            fresh = {
                "format": str(FORMAT),
                "deployment_id": deployment_id,
                "checkpoint_seq": "0",
                "max_creation_time": "0.0",
            }
            if not run("SELECT 1 FROM _meta LIMIT 1").fetchone():
                fresh |= {
                    "checksum": str(texts_checksum(*fresh.values())),
                    "schema": schema_checksum(self._connection),
                }
                self._connection.executemany("INSERT INTO _meta VALUES(?, ?)", fresh.items())
        meta: dict[str, str] = dict(run("SELECT name, value FROM _meta"))
        if check_format(self._path, meta.get("format")) < FORMAT:
            meta = {**meta, "format": str(FORMAT)}
            with transaction(self._connection):
                checksum = texts_checksum(*(meta[name] for name in META))
                add_checkpoint_checksums(self._connection, *self.stored(), checksum)
                self._note_schema()
        else:
            _check_meta(self._path, meta, self._connection)
        self.deployment_id: str = meta["deployment_id"]

    def _note_schema(self) -> None:
        """Keep what tells whether the definitions of tables are those of now; ends a transaction that changed some."""
        checksum = schema_checksum(self._connection)
        self._connection.execute("INSERT OR REPLACE INTO _meta VALUES('schema', ?)", (checksum,))

    def _meta(self, name: str) -> str:
        (value,) = self._connection.execute("SELECT value FROM _meta WHERE name = ?", (name,)).fetchone()
        return str(value)

    def _write_meta(self, batch: CheckpointBatch) -> None:
        highest = repr(max(float(self._meta("max_creation_time")), batch.max_creation_time))
        checksum = texts_checksum(str(FORMAT), self.deployment_id, str(batch.seq), highest)
        self._connection.executemany(
            "UPDATE _meta SET value = ? WHERE name = ?",
            ((highest, "max_creation_time"), (str(batch.seq), "checkpoint_seq"), (str(checksum), "checksum")),
        )

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
                self._write_documents(batch)
                pauses.reach("checkpoint.half_applied")
                self._add_keys(batch)
                self._write_replay(batch)
                if batch.tables is not None:
                    self._write_views(batch.tables)
                self._write_meta(batch)
                pauses.reach("checkpoint.before_commit")
        except BaseException:
            # What this transaction created is gone with it.
            self._tablets, self._indexes = self.stored()
            raise

    def _create_missing(self, batch: CheckpointBatch) -> None:
        known = len(self._tablets) + len(self._indexes)
        for tablet in {change.tablet for change in batch.documents} | set((batch.tables or {}).values()):
            if tablet not in self._tablets:
                self._connection.execute(_TABLET.format(tablet))
                self._tablets.add(tablet)
        for index in {change.index_number for change in batch.keys}:
            if index not in self._indexes:
                self._connection.execute(_INDEX.format(index))
                self._indexes.add(index)
        if len(self._tablets) + len(self._indexes) != known:
            self._note_schema()

    def _remove_keys(self, batch: CheckpointBatch) -> None:
        gone = [change for change in batch.keys if change.id is None]
        for index, changes in groupby(gone, key=_index_of):
            self._connection.executemany(
                f"DELETE FROM _i{index} WHERE key = ?", ((change.key,) for change in changes)
            )

    def _write_documents(self, batch: CheckpointBatch) -> None:
        for tablet, changes in groupby(batch.documents, key=_tablet_of):
            gone: list[tuple[str]] = []
            written: list[tuple[str, float, bytes, int]] = []
            for _, id, creation_time, document in changes:
                if document is None:
                    gone.append((id,))
                else:
                    checksum = document_checksum(tablet, id.encode(), document)
                    written.append((id, creation_time, document, checksum))
            if gone:
                self._connection.executemany(f"DELETE FROM _t{tablet} WHERE _id = ?", gone)
            self._connection.executemany(_UPSERT.format(tablet), written)

    def _numbers(self, tablet: int, ids: set[str]) -> dict[str, int]:
        """Return the `n` of documents."""
        numbers: dict[str, int] = {}
        ordered = sorted(ids)
        for start in range(0, len(ordered), NUMBERS_AT_ONCE):
            part = ordered[start : start + NUMBERS_AT_ONCE]
            marks = ",".join("?" * len(part))
            numbers.update(
                self._connection.execute(f"SELECT _id, n FROM _t{tablet} WHERE _id IN ({marks})", part)
            )
        return numbers

    def _add_keys(self, batch: CheckpointBatch) -> None:
        added = [change for change in batch.keys if change.id is not None]
        ids: dict[int, set[str]] = {}
        for change in added:
            ids.setdefault(change.tablet, set()).add(str(change.id))
        numbers = {tablet: self._numbers(tablet, named) for tablet, named in ids.items()}
        for index, changes in groupby(added, key=_index_of):
            rows: list[tuple[bytes, int, int]] = []
            salt = entry_salt(index)
            for _, key, tablet, id in changes:
                n = numbers[tablet].get(str(id))
                if n is None:
                    raise InvariantViolation(f"index {index}: a key was added for {id}, which is not there")
                rows.append((key, n, key_checksum(salt, key, n)))
            self._connection.executemany(f"INSERT OR REPLACE INTO _i{index} VALUES(?, ?, ?)", rows)

    def _write_replay(self, batch: CheckpointBatch) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO _replay(session, request, seq, ts, at_ms, result, checksum) "
            "VALUES(?, ?, ?, ?, ?, ?, ?)",
            [
                (r.session, r.request, r.seq, r.ts, batch.replay_at_ms, r.result, replay_checksum(*r))
                for r in batch.replay
            ],
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
        query = (
            f"SELECT n, CAST(_id AS BLOB), CAST(document AS BLOB), checksum FROM _t{tablet} "
            "WHERE n > ? ORDER BY n LIMIT ?"
        )
        try:
            rows = self._connection.execute(query, (after_n, limit))
            return [WalkedDocument(n, *checked_document(tablet, *row)) for n, *row in rows]
        except DAMAGE as error:
            raise named_damage(self._connection, tablet, error) from error

    def enter_keys(self, index: int, tablet: int, keys: Iterable[tuple[bytes, int]]) -> None:
        """Enter keys of documents just walked, in one transaction."""
        with raising_outcomes(), transaction(self._connection):
            self._connection.execute(_INDEX.format(index))
            salt = entry_salt(index)
            self._connection.executemany(
                f"INSERT OR REPLACE INTO _i{index} VALUES(?, ?, ?)",
                [(key, n, key_checksum(salt, key, n)) for key, n in sorted(keys)],
            )
            if index not in self._indexes:
                self._note_schema()
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
            self._note_schema()
            return True

    def stored(self) -> tuple[set[int], set[int]]:
        """Return the numbers of the stored tablets and indexes."""
        return stored_numbers(self._connection)

    def trim_replay(self, before_ms: int, limit: int) -> int:
        """Delete old replay records."""
        with raising_outcomes():
            done = self._connection.execute(
                "DELETE FROM _replay WHERE (session, request) IN "
                "(SELECT session, request FROM _replay WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
                (before_ms, limit),
            )
        return done.rowcount

    def compact(self) -> Compaction:
        """Fold the write-ahead log without waiting for readers; give its space back if it has grown large.

        It starts over with the next write only if no reader reads from it then: those who begin a read transaction when
        nothing is left in it do not.
        """
        with raising_outcomes():
            _, pages, folded = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > folded:
                return Compaction(waits_for_readers=True, done=False)
            if not wal_is_small(self._path):
                empty_wal(self._connection)
        return Compaction(waits_for_readers=False, done=wal_is_small(self._path))

    def recover(self) -> None:
        """Fold and empty the write-ahead log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _tablet_of(change: DocumentChange) -> int:
    return change.tablet


def _index_of(change: KeyChange) -> int:
    return change.index_number


def check_meta(path: Path) -> None:
    """Raise DataDamaged if where a checkpoint stands, or what its tables are, is not what was written."""
    with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
        _check_meta(path, dict(connection.execute("SELECT name, value FROM _meta")), connection)


def _check_meta(path: Path, meta: Mapping[str, str], connection: sqlite3.Connection) -> None:
    if meta.get("checksum") != str(texts_checksum(*(str(meta.get(name)) for name in META))):
        raise DataDamaged(f"{path}: the table _meta is damaged: its checksum is not that of its content")
    if meta.get("schema") != schema_checksum(connection):
        raise DataDamaged(f"{path}: the definition of a table is damaged")
