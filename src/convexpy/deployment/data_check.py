"""Everything in a stopped deployment's data folder, checked: structure, checksums, and that indexes say what documents say."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from convexpy.database import Catalog, TableInfo, decode_entry
from convexpy.errors import Error, InvariantViolation
from convexpy.limits import DATA_FAULTS_MAX
from convexpy.persistence import DataDamaged, StoreRefused, moved
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.sqlite import raw
from convexpy.values import decode_document

TABLES, INDEX = 1, 2
_UNREADABLE = (
    DataDamaged,
    InvariantViolation,
    sqlite3.Error,
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
)


class DataCheck:
    """Checks a folder once. `faults` are texts, at most 1000; `counted` says how much of what was looked at.

    Raises:
        StoreRefused: the folder is in use, there are no files, or their format has no checksums.
    """

    def __init__(self, folder: Path, progress: Callable[[str, int], None] = lambda what, count: None) -> None:
        self.faults: list[str] = []
        self.counted: Counter[str] = Counter()
        self._folder = folder
        self._progress = progress
        moved.refuse(folder)
        lock = FolderLock(folder)
        try:
            self._check()
        finally:
            lock.release()

    def _check(self) -> None:
        for name in ("log.db", "data.db"):
            if not (self._folder / name).exists():
                raise StoreRefused(f"there is no {name} in {self._folder}")
            for fault in raw.structure_faults(self._folder / name):
                self._fault(f"{name}: {fault}")
        rows = self._guarded("log.db", self._log) or (0, 0)
        self._guarded("data.db", lambda: self._data(*rows))

    def _guarded(self, what: str, work: Callable[[], Any]) -> Any:
        """Do a part of the work; what stops it is a fault, and the other parts go on."""
        try:
            return work()
        except StoreRefused:
            raise
        except _UNREADABLE as error:
            self._fault(f"{what}: {error.message if isinstance(error, Error) else error}")
        return None

    def _fault(self, text: str) -> None:
        if len(self.faults) < DATA_FAULTS_MAX:
            self.faults.append(text)

    def _count(self, what: str) -> None:
        self.counted[what] += 1
        if self.counted[what] % 10_000 == 0:
            self._progress(what, self.counted[what])

    def _log(self) -> tuple[int, int]:
        """Check every row; return the first and the last number."""
        first = last = 0
        with closing(raw.open_reading(self._folder / "log.db")) as connection:
            self._require_format("log.db", connection, "meta")
            for seq, ts, entry, checksum in connection.execute(
                "SELECT seq, ts, entry, checksum FROM log ORDER BY seq"
            ):
                self._guarded("log.db", partial(_decode, seq, ts, entry, checksum))
                if last and seq != last + 1:
                    self._fault(f"log.db: row {seq} follows row {last}")
                first, last = first or seq, seq
                self._count("rows of the log")
        return first, last

    def _require_format(self, name: str, connection: sqlite3.Connection, table: str) -> None:
        row = connection.execute(f"SELECT value FROM {table} WHERE name = 'format'").fetchone()
        if (
            raw.check_format(self._folder / name, None if row is None else row[0].decode(errors="replace"))
            < raw.FORMAT
        ):
            raise StoreRefused(
                f"{self._folder / name} has a format without checksums",
                hint="start a server on it once: it adds them",
            )

    def _data(self, first_row: int, last_row: int) -> None:
        raw.check_meta(self._folder / "data.db")
        with closing(raw.open_reading(self._folder / "data.db")) as connection:
            self._require_format("data.db", connection, "_meta")
            (seq,) = connection.execute("SELECT value FROM _meta WHERE name = 'checkpoint_seq'").fetchone()
            if not max(first_row - 1, 0) <= int(seq) <= last_row:
                self._fault(
                    f"data.db is at row {int(seq)}, log.db holds rows {first_row} to {last_row}: they do not fit"
                )
            tablets, indexes = raw.stored_numbers(connection)
            read = {tablet: list(self._documents(connection, tablet, "system")) for tablet in (TABLES, INDEX)}
            catalog = Catalog.load(read[TABLES], read[INDEX])
            for table in catalog.by_tablet.values():
                if table.tablet in tablets:
                    name = f"table {table.name}"
                    self._guarded(name, partial(self._table, connection, table, indexes))
                elif any(index.number in indexes for index in table.indexes):
                    self._fault(f"data.db: table {table.name} has indexes but no documents are stored")
            self._guarded("replay records", lambda: self._replay(connection))

    def _documents(self, connection: sqlite3.Connection, tablet: int, table: str) -> Iterator[bytes]:
        query = f"SELECT _id, document, checksum FROM _t{tablet} ORDER BY n"
        for id, document, checksum in connection.execute(query):
            try:
                yield raw.checked_document(tablet, id, document, checksum)[1]
            except _UNREADABLE as error:
                self._fault(f"table {table}: {error.message if isinstance(error, Error) else error}")

    def _table(self, connection: sqlite3.Connection, table: TableInfo, stored: set[int]) -> None:
        ready = [index for index in table.indexes if index.state in ("ready", "staged")]
        rows = connection.execute(f"SELECT n, _id, document, checksum FROM _t{table.tablet} ORDER BY n")
        count = 0
        for n, id, text, checksum in rows:
            count += 1
            self._count("documents")
            try:
                document = decode_document(raw.checked_document(table.tablet, id, text, checksum)[1])
                if document["_id"] != id.decode():
                    raise DataDamaged(f"the document {document['_id']} is stored as {id.decode()}")
                suffix = table.key_suffix(document)
            except _UNREADABLE as error:
                self._fault(f"table {table.name}: {error.message if isinstance(error, Error) else error}")
                continue
            for index in ready:
                key = index.key(document, suffix)
                found = None
                if index.number in stored:
                    query = f"SELECT n, checksum FROM _i{index.number} WHERE key = ?"
                    found = connection.execute(query, (key,)).fetchone()
                if found != (n, raw.key_checksum(raw.entry_salt(index.number), key, n)):
                    self._fault(f"table {table.name}, index {index.name}: no right entry for {id.decode()}")
        for index in ready:
            if index.number in stored:
                (entries,) = connection.execute(f"SELECT count(*) FROM _i{index.number}").fetchone()
                self.counted["index entries"] += entries
                if entries != count:
                    self._fault(
                        f"table {table.name}, index {index.name}: {entries} entries for {count} documents"
                    )

    def _replay(self, connection: sqlite3.Connection) -> None:
        query = "SELECT session, request, seq, ts, result, checksum FROM _replay"
        for session, request, seq, ts, result, checksum in connection.execute(query):
            self._count("replay records")
            text = session.decode(errors="replace")
            if raw.replay_checksum(text, request, seq, ts, result) != checksum:
                self._fault(f"the answer to request {request} of session {text} is damaged")


def _decode(seq: int, ts: int, entry: bytes, checksum: int | None) -> None:
    decode_entry(raw.checked_row(seq, ts, entry, checksum).entry)
