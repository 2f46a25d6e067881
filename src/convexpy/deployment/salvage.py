"""Going on from a log that does not fit its checkpoint any more: what is whole is kept, what is lost is said.

`data.db` equals one row of the log. Rows after it that are whole and without a gap are kept; behind the first one that is
missing or damaged nothing can be, for later rows were made on top of it. The old log is set aside, not deleted.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from convexpy.database import decode_entry, encode_entry
from convexpy.errors import Error, InvariantViolation
from convexpy.persistence import LogRow, StoreRefused, moved, refusing
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.sqlite import SqliteCheckpointWriter, SqliteLogStore, raw
from convexpy.runtime import sync_folder


@dataclass
class Salvaged:
    """What was done. `lost` describes what is gone, `set_aside` is where the old log is; empty if nothing was done."""

    checkpoint_seq: int
    kept_rows: int = 0
    lost: list[str] = field(default_factory=list[str])
    set_aside: str = ""


@dataclass
class _Log:
    whole: list[LogRow] = field(default_factory=list[LogRow])
    damaged: int = 0
    unreadable: str = ""


def salvage(folder: Path) -> Salvaged:
    """Make the two files fit, if they do not; return what that cost.

    Raises:
        StoreRefused: the folder is in use, or `data.db` itself cannot be read: then only a backup helps.
    """
    moved.refuse(folder)
    lock = FolderLock(folder)
    try:
        with refusing(folder):
            return _salvage(folder)
    finally:
        lock.release()


def _salvage(folder: Path) -> Salvaged:
    if not (folder / "data.db").exists():
        raise StoreRefused(f"there is no data.db in {folder}", hint="restore a backup")
    with closing(raw.open_reading(folder / "data.db")) as connection:
        meta = {
            name.decode(): value.decode()
            for name, value in connection.execute("SELECT name, value FROM _meta")
        }
        (replayed,) = connection.execute("SELECT max(ts) FROM _replay").fetchone()
    with closing(
        SqliteCheckpointWriter(folder / "data.db", deployment_id=meta["deployment_id"])
    ) as checkpoint:
        seq = checkpoint.checkpoint_seq
        checkpoint.recover()
    log = _read_log(folder / "log.db", meta["deployment_id"])
    after = [row for row in log.whole if row.seq > seq]
    kept: list[LogRow] = []
    for row in after:
        if row.seq != seq + len(kept) + 1:
            break
        kept.append(row)
    first = log.whole[0].seq if log.whole else 0
    fits = bool(kept) or any(row.seq == seq for row in log.whole) or (seq == 0 and not log.whole)
    done = Salvaged(seq, len(kept))
    if not log.unreadable and not log.damaged and fits and first <= seq + 1 and len(kept) == len(after):
        return done
    newest = max([replayed or 0, *(row.ts for row in log.whole), time.time_ns()])
    if not kept and seq:
        entry = encode_entry([], max_creation_time=float(meta["max_creation_time"]))
        kept = [LogRow(seq, newest, entry)]
    done.lost = _lost(log, after[done.kept_rows :], newest_kept=kept[-1].seq if kept else seq)
    done.set_aside = _replace_log(folder, meta["deployment_id"], kept)
    return done


def _read_log(path: Path, deployment_id: str) -> _Log:
    """Read what can be read, from both ends of a damaged place."""
    log = _Log()
    if not path.exists():
        return _Log(unreadable="it is missing")
    try:
        with closing(raw.open_reading(path)) as connection:
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            if meta.get(b"deployment_id") != deployment_id.encode():
                return _Log(unreadable="it is of another deployment")
            with_checksums = meta.get(b"format") != b"1"
            query = f"SELECT seq, ts, entry, {'checksum' if with_checksums else 'NULL'} FROM log ORDER BY seq"
            for seq, ts, entry, checksum in connection.execute(query):
                try:
                    row = (
                        raw.checked_row(seq, ts, entry, checksum)
                        if with_checksums
                        else LogRow(seq, ts, entry)
                    )
                    decode_entry(row.entry)
                except (Error, InvariantViolation):
                    log.damaged += 1
                else:
                    log.whole.append(row)
    except sqlite3.Error as error:
        log.unreadable = str(error)
    return log


def _lost(log: _Log, rows: list[LogRow], *, newest_kept: int) -> list[str]:
    lost: list[str] = []
    if log.unreadable:
        lost.append(
            f"log.db could not be read to its end ({log.unreadable}): what it held after row {newest_kept}"
        )
    if log.damaged:
        lost.append(f"{log.damaged} damaged rows of the log")
    if rows:
        functions = Counter(
            transaction.function for row in rows for transaction in decode_entry(row.entry).transactions
        )
        span = " to ".join(_when(row) for row in (rows[0], rows[-1]))
        lost.append(
            f"rows {rows[0].seq} to {rows[-1].seq}, committed {span}: they follow rows that are missing"
        )
        lost += [f"{count} of {name}" for name, count in functions.most_common(20)]
    return lost


def _when(row: LogRow) -> str:
    return datetime.fromtimestamp(row.ts / 1e9, UTC).isoformat(timespec="seconds")


def _replace_log(folder: Path, deployment_id: str, rows: list[LogRow]) -> str:
    """Write a log of these rows and put it in place of the old one; return the name that the old one has now."""
    fresh = folder / "log.db.new"
    fresh.unlink(missing_ok=True)
    with closing(SqliteLogStore(fresh, deployment_id=deployment_id)) as store:
        for row in rows:
            store.append(*row)
        store.recover()
    aside = f"log.db.damaged-{int(time.time())}"
    for ending in ("-wal", "-shm", ""):
        old = folder / f"log.db{ending}"
        if old.exists():
            os.replace(old, folder / f"{aside}{ending}")  # noqa: PTH105 - the same for all three
    for ending in ("-wal", "-shm"):
        (folder / f"log.db.new{ending}").unlink(missing_ok=True)
    fresh.replace(folder / "log.db")
    sync_folder(folder)
    return aside
