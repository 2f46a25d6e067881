"""The checkpoint in PostgreSQL: tables that a person can read, moved forward in one transaction.

Invariant:  every transaction leaves the tables equal to one row of the log, the one in `_meta.checkpoint_seq`. Only an
index that is being built may hold less. A transaction that moves it compares that number first: it may be repeated, and of
two processes that move it one fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby, islice
from typing import Any, TypeVar

from convexpy.errors import InvariantViolation
from convexpy.persistence.interface import (
    CheckpointBatch,
    Compaction,
    DocumentChange,
    KeyChange,
    OutcomeUnknown,
    StoreFull,
    StoreUnreachable,
    WalkedDocument,
)
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres._tables import (
    CREATE_INDEX,
    CREATE_TABLET,
    split_key,
)
from convexpy.persistence.postgres.address import IDENTIFIER_BYTES_MAX, DatabaseAddress
from convexpy.runtime import pauses

REPEATED_S = 30.0
ROWS_AT_ONCE = 2_000
LOCK_WAIT = "500ms"
"""For so long a view or a dropped table is waited for, which somebody may be reading; then it is left for later."""
T = TypeVar("T")


class PostgresCheckpointWriter:
    """The one writer of the checkpoint."""

    def __init__(self, address: DatabaseAddress, *, holder: str) -> None:
        self._s = address.quoted
        self._holder = holder
        self._link = Link(address, "checkpoint")
        self._tables: Mapping[str, int] | None = None
        """Views that could not be written yet."""
        try:
            self.checkpoint_seq: int = int(
                self._link.repeat(lambda: self._meta("checkpoint_seq"), REPEATED_S)
            )
            self._tablets, self._indexes = self.stored()
        except BaseException:
            self._link.close()
            raise

    def _meta(self, name: str) -> str:
        return str(
            self._link.run(f"SELECT value FROM {self._s}._meta WHERE name = %s", (name,)).fetchall()[0][0]
        )

    def _transaction(self, work: Callable[[], T]) -> T:
        """Run `work` in a transaction of the server that owns the deployment; all of it again if the connection is lost.

        Raises:
            StoreFull: nothing of it was done.
            OutcomeUnknown: another server owns the deployment.
        """

        def once() -> T:
            known = set(self._tablets), set(self._indexes)
            try:
                with self._link.open().transaction():
                    self._link.run("SET LOCAL statement_timeout = 0")
                    holder = self._link.run(
                        f"SELECT holder FROM {self._s}._lease WHERE name = 'node'"
                    ).fetchone()
                    if holder is not None and holder[0] != self._holder:
                        raise OutcomeUnknown("another server owns this deployment now")
                    return work()
            except BaseException:
                self._tablets, self._indexes = known  # what this transaction created is gone with it
                raise

        try:
            return self._link.repeat(once, REPEATED_S)
        except StoreUnreachable as error:
            raise StoreFull(str(error)) from error
        finally:
            self._link.roll_back()

    def apply(self, batch: CheckpointBatch) -> None:
        """Apply a batch in one transaction.

        Keys out, documents, keys in, replay records, `checkpoint_seq`; then the views.
        """
        before = self.checkpoint_seq

        def work() -> None:
            found = int(self._meta("checkpoint_seq"))
            if found == batch.seq and found != before:
                return  # an attempt that was not answered has done it
            if found != before:
                raise OutcomeUnknown(
                    f"the checkpoint is at row {found}, and not at {before}, where this server left it"
                )
            self._create_missing(batch)
            self._remove_keys(batch)
            self._write_documents(batch)
            pauses.reach("checkpoint.half_applied")
            self._add_keys(batch)
            self._write_replay(batch)
            self._move(before, batch)
            pauses.reach("checkpoint.before_commit")

        self._transaction(work)
        self.checkpoint_seq = batch.seq
        self._tables = batch.tables if batch.tables is not None else self._tables
        if self._tables is not None:
            self._write_views(self._tables)

    def _move(self, before: int, batch: CheckpointBatch) -> None:
        highest = max(float(self._meta("max_creation_time")), batch.max_creation_time)
        update = f"UPDATE {self._s}._meta SET value = %s WHERE name = %s"
        self._link.run(update, (repr(highest), "max_creation_time"))
        moved = self._link.run(f"{update} AND value = %s", (str(batch.seq), "checkpoint_seq", str(before)))
        if moved.rowcount != 1:
            raise OutcomeUnknown(f"another server has moved the checkpoint from row {before}")

    def _create_missing(self, batch: CheckpointBatch) -> None:
        tablets = {change.tablet for change in batch.documents} | set((batch.tables or {}).values())
        for tablet in sorted(tablets - self._tablets):
            self._create("tablet", tablet)
        for index in sorted({change.index_number for change in batch.keys} - self._indexes):
            self._create("index", index)

    def _create(self, kind: str, number: int) -> None:
        create, known = (CREATE_TABLET, self._tablets) if kind == "tablet" else (CREATE_INDEX, self._indexes)
        self._link.run(create.format(s=self._s, n=number))
        self._link.run(
            f"INSERT INTO {self._s}._stored(kind, number) VALUES(%s, %s::bigint) "
            "ON CONFLICT (kind, number) DO UPDATE SET dropped_at = NULL",
            (kind, number),
        )
        self._note_stored()
        known.add(number)

    def _note_stored(self) -> None:
        """Let readers that begin from now on read again which tablets and indexes there are."""
        self._link.run(
            f"UPDATE {self._s}._meta SET value = (value::bigint + 1)::text WHERE name = 'stored_version'"
        )

    def _remove_keys(self, batch: CheckpointBatch) -> None:
        gone = (change for change in batch.keys if change.id is None)
        for index, changes in groupby(gone, key=_index_of):
            for part in _parts(changes):
                self._link.run(
                    f"DELETE FROM {self._s}._i{index} i USING unnest(%s::bytea[], %s::bytea[]) u(key, rest) "
                    "WHERE i.key = u.key AND i.rest = u.rest",
                    _columns(split_key(change.key) for change in part),
                )

    def _write_documents(self, batch: CheckpointBatch) -> None:
        s = self._s
        for tablet, changes in groupby(batch.documents, key=_tablet_of):
            for part in _parts(changes):
                gone = [change.id for change in part if change.document is None]
                if gone:
                    self._link.run(f"DELETE FROM {s}._t{tablet} WHERE _id = ANY(%s::text[])", (gone,))
                written = [
                    (change.id, change.creation_time, change.document.decode())
                    for change in part
                    if change.document is not None
                ]
                if written:
                    self._link.run(
                        f'INSERT INTO {s}._t{tablet}(_id, "_creationTime", document) '
                        "SELECT * FROM unnest(%s::text[], %s::double precision[], %s::text[]) "
                        'ON CONFLICT (_id) DO UPDATE SET "_creationTime" = excluded."_creationTime", '
                        "document = excluded.document",
                        _columns(written),
                    )

    def _add_keys(self, batch: CheckpointBatch) -> None:
        added = (change for change in batch.keys if change.id is not None)
        for (index, tablet), changes in groupby(added, key=_index_and_tablet):
            for part in _parts(changes):
                done = self._link.run(
                    f"INSERT INTO {self._s}._i{index}(key, rest, n) SELECT u.key, u.rest, t.n "
                    "FROM unnest(%s::bytea[], %s::bytea[], %s::text[]) u(key, rest, id) "
                    f"JOIN {self._s}._t{tablet} t ON t._id = u.id "
                    "ON CONFLICT (key, n) DO UPDATE SET rest = excluded.rest",
                    _columns((*split_key(change.key), str(change.id)) for change in part),
                )
                if done.rowcount != len(part):
                    raise InvariantViolation(
                        f"index {index}: keys were added for documents that are not there"
                    )

    def _write_replay(self, batch: CheckpointBatch) -> None:
        for part in _parts(batch.replay):
            self._link.run(
                f"INSERT INTO {self._s}._replay(session, request, seq, ts, result, at_ms) "
                "SELECT *, %s::bigint FROM unnest(%s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[]) "
                "ON CONFLICT (session, request) DO UPDATE SET seq = excluded.seq, ts = excluded.ts, "
                "at_ms = excluded.at_ms, result = excluded.result",
                [
                    batch.replay_at_ms,
                    *_columns(
                        (record.session.encode(errors="surrogatepass"), *record[1:]) for record in part
                    ),
                ],
            )

    def _write_views(self, tables: Mapping[str, int]) -> None:
        """Have a view for each table, under its name; where somebody reads one that must go, try again next time."""
        wanted = {_view_name(name, tablet): tablet for name, tablet in tables.items()}
        s = self._s

        def work() -> None:
            row = self._link.run(f"SELECT value FROM {s}._meta WHERE name = 'views'").fetchone()
            present: dict[str, int] = json.loads(row[0]) if row is not None else {}
            if present == wanted:
                return
            self._link.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            for name in sorted(present):
                if wanted.get(name) != present[name]:
                    self._link.run(f"DROP VIEW IF EXISTS {s}.{_quoted(name)}")
            for name, tablet in sorted(wanted.items()):
                if present.get(name) != tablet:
                    self._link.run(
                        f'CREATE VIEW {s}.{_quoted(name)} AS SELECT _id, "_creationTime", document::json AS document '
                        f"FROM {s}._t{tablet}"
                    )
            self._link.run(
                f"INSERT INTO {s}._meta VALUES('views', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (json.dumps(wanted),),
            )

        try:
            self._transaction(work)
        except StoreFull:
            return
        self._tables = None

    def walk(self, tablet: int, after_n: int, limit: int) -> list[WalkedDocument]:
        """Return the next documents of a tablet in the order of `n`."""
        if tablet not in self._tablets:
            return []
        text = f"SELECT n, _id, convert_to(document, 'UTF8') FROM {self._s}._t{tablet} WHERE n > %s ORDER BY n LIMIT %s::bigint"
        rows = self._link.repeat(lambda: self._link.run(text, (after_n, limit)).fetchall(), REPEATED_S)
        return [WalkedDocument(*row) for row in rows]

    def enter_keys(self, index: int, tablet: int, keys: Iterable[tuple[bytes, int]]) -> None:
        """Enter keys of documents just walked, in one transaction."""
        entries = sorted(keys)

        def work() -> None:
            if index not in self._indexes:
                self._create("index", index)
            for part in _parts(entries):
                self._link.run(
                    f"INSERT INTO {self._s}._i{index}(key, rest, n) "
                    "SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bigint[]) "
                    "ON CONFLICT (key, n) DO UPDATE SET rest = excluded.rest",
                    _columns((*split_key(key), n) for key, n in part),
                )

        self._transaction(work)

    def drop_index(self, index: int, limit: int) -> bool:
        """Remove a slice of an index, then the index."""
        slice_ = f"DELETE FROM {self._s}._i{index} WHERE (key, n) IN (SELECT key, n FROM {self._s}._i{index} LIMIT %s::bigint)"
        return self._drop("index", index, slice_, limit)

    def drop_tablet(self, tablet: int, limit: int) -> bool:
        """Remove a slice of a tablet, then the tablet."""
        slice_ = f"DELETE FROM {self._s}._t{tablet} WHERE n IN (SELECT n FROM {self._s}._t{tablet} ORDER BY n LIMIT %s::bigint)"
        return self._drop("tablet", tablet, slice_, limit)

    def _drop(self, kind: str, number: int, slice_: str, limit: int) -> bool:
        """Remove a slice. An empty table goes when no reader can be left who began before that: `compact` sees to it."""
        known = self._tablets if kind == "tablet" else self._indexes
        if number not in known:
            return True

        def work() -> bool:
            if self._link.run(slice_, (limit,)).rowcount == limit:
                return False
            self._link.run(
                f"UPDATE {self._s}._stored SET dropped_at = clock_timestamp() WHERE kind = %s AND number = %s::bigint",
                (kind, number),
            )
            self._note_stored()
            return True

        done = self._transaction(work)
        if done:
            known.discard(number)
        return done

    def stored(self) -> tuple[set[int], set[int]]:
        """Return the numbers of the stored tablets and indexes."""
        text = f"SELECT kind, number FROM {self._s}._stored WHERE dropped_at IS NULL"
        rows = self._link.repeat(lambda: self._link.run(text).fetchall(), REPEATED_S)
        return (
            {number for kind, number in rows if kind == "tablet"},
            {number for kind, number in rows if kind == "index"},
        )

    def trim_replay(self, before_ms: int, limit: int) -> int:
        """Delete old replay records."""
        text = (
            f"DELETE FROM {self._s}._replay WHERE (session, request) IN "
            f"(SELECT session, request FROM {self._s}._replay WHERE at_ms < %s::bigint ORDER BY at_ms LIMIT %s::bigint)"
        )
        return self._transaction(lambda: self._link.run(text, (before_ms, limit)).rowcount)

    def compact(self) -> Compaction:
        """Remove the tables of what was dropped, once no transaction is left that began before; the rest is vacuum's."""

        def work() -> None:
            rows = self._link.run(
                f"SELECT kind, number FROM {self._s}._stored WHERE dropped_at IS NOT NULL AND NOT EXISTS("
                "SELECT 1 FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() "
                "AND a.backend_type IS NOT DISTINCT FROM 'client backend' AND a.xact_start <= dropped_at)"
            ).fetchall()
            if rows:
                self._link.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            for kind, number in rows:
                self._link.run(f"DROP TABLE IF EXISTS {self._s}.{'_t' if kind == 'tablet' else '_i'}{number}")
                self._link.run(
                    f"DELETE FROM {self._s}._stored WHERE kind = %s AND number = %s::bigint", (kind, number)
                )

        try:
            self._transaction(work)
        except StoreFull:
            return Compaction(waits_for_readers=True, done=False)
        return Compaction(waits_for_readers=False, done=True)

    def recover(self) -> None:
        """Do nothing: the database has."""

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def _parts(items: Iterable[T]) -> Iterable[list[T]]:
    iterator = iter(items)
    while part := list(islice(iterator, ROWS_AT_ONCE)):
        yield part


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _tablet_of(change: DocumentChange) -> int:
    return change.tablet


def _index_of(change: KeyChange) -> int:
    return change.index_number


def _index_and_tablet(change: KeyChange) -> tuple[int, int]:
    return change.index_number, change.tablet


def _view_name(name: str, tablet: int) -> str:
    """Return the name of a table's view; PostgreSQL would cut long ones, and then two may be the same."""
    return (
        name
        if len(name.encode()) <= IDENTIFIER_BYTES_MAX
        else f"{tablet} {name}".encode()[:IDENTIFIER_BYTES_MAX].decode()
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
