"""The durable layer: a log of commit groups and a checkpoint of it, behind one interface for every database engine.

Engines: SQLite (`sqlite`), PostgreSQL (`postgres`) and this process's memory (`memory`). What one has to promise is in
`interface`, and in the tests that run over all of them (`tests/conformance/test_persistence.py`).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convexpy.errors import Error
from convexpy.persistence.interface import (
    ENCODED_ADDRESS,
    CheckpointBatch as CheckpointBatch,
    CheckpointReader as CheckpointReader,
    CheckpointWriter as CheckpointWriter,
    Compaction as Compaction,
    CopyTarget as CopyTarget,
    DatabaseOption as DatabaseOption,
    DataDamaged as DataDamaged,
    DataStore as DataStore,
    DocumentChange as DocumentChange,
    KeyChange as KeyChange,
    LogRow as LogRow,
    LogStore as LogStore,
    Node as Node,
    OutcomeUnknown as OutcomeUnknown,
    ReplayRecord as ReplayRecord,
    StoreFull as StoreFull,
    StoreRefused as StoreRefused,
    StoreUnreachable as StoreUnreachable,
    WalkedDocument as WalkedDocument,
)
from convexpy.persistence.memory import MemoryFiles as MemoryFiles
from convexpy.persistence.sqlite.filling import SqliteTarget
from convexpy.persistence.sqlite.folder import DataFolder, open_checkpoint_reader
from convexpy.persistence.sqlite.refusals import (
    DISK_FULL as DISK_FULL,
    disk_refusal as disk_refusal,
    file_refusal,
    refusing as refusing,
)
from convexpy.persistence.turns import Turn as Turn

if TYPE_CHECKING:
    from convexpy.persistence.postgres import DatabaseAddress, PostgresStore


def open_store(
    folder: Path, *, database: DatabaseOption | None = None, allow_network_file_system: bool = False
) -> DataStore:
    """Open the store of a deployment as its one owner: the files in its folder, or a schema of a database server.

    Raises:
        StoreRefused: it is in use, on a network file system, of a newer format, or of another deployment; the database
            server cannot be reached or used.
        DataDamaged: it is not what was written.
    """
    if database is not None:
        return _open_database(folder, database)
    return DataFolder(folder, allow_network_file_system=allow_network_file_system)


def open_turn(folder: Path, database: DatabaseOption, *, node: str, shared: str) -> Turn:
    """Join the nodes of a deployment. `node` is how others reach this one, `shared` a text that is the same on all nodes.

    Raises:
        StoreRefused: the database cannot be reached or used, or the other nodes share something else.
    """
    address = _address(database)
    from convexpy.persistence.postgres import PostgresTurn

    return PostgresTurn(address, folder, read=_read_address(database), node=node, shared=shared)


def _open_database(folder: Path | None, database: DatabaseOption) -> PostgresStore:
    address = _address(database)
    from convexpy.persistence.postgres import PostgresStore

    return PostgresStore(address, folder, read=_read_address(database))


def _address(database: DatabaseOption) -> DatabaseAddress:
    try:
        from convexpy.persistence.postgres import DatabaseAddress
    except ImportError as error:
        raise StoreRefused(
            f"data in PostgreSQL needs the package psycopg ({error})",
            code="PackageMissing",
            hint="pip install 'convexpy[postgres]'",
        ) from error
    address = DatabaseAddress.parse(database.url)
    return address if database.schema is None else address.with_schema(database.schema)


def _read_address(database: DatabaseOption) -> DatabaseAddress | None:
    return None if database.read_url is None else _address(replace(database, url=database.read_url))


def open_source(place: Path | DatabaseOption) -> DataStore:
    """Open a store as its one owner to copy all of it.

    Raises:
        StoreRefused: as `open_store`.
        DataDamaged: it is not what was written.
    """
    return _open_database(None, place) if isinstance(place, DatabaseOption) else DataFolder(place)


def open_target(place: Path | DatabaseOption, deployment_id: str) -> CopyTarget:
    """Begin to fill a store with all of another one.

    Raises:
        StoreRefused: it has data, or cannot be reached or used.
    """
    if isinstance(place, DatabaseOption):
        address = _address(place)
        from convexpy.persistence.postgres import PostgresTarget

        return PostgresTarget(address, deployment_id)
    return SqliteTarget(place, deployment_id)


def load_driver() -> None:
    """Import what `open_reader` needs for a database, if it is installed: a tenth of a second, once for all forks."""
    with contextlib.suppress(ImportError):
        from convexpy.persistence import postgres

        del postgres


def open_reader(address: str, *, may_advance: bool = False) -> CheckpointReader:
    """Open the checkpoint of a store for reading, in any process; its owner must have opened it before.

    A reader that `may_advance` may move to a later row within a read transaction, if that was lost with its connection: for
    who has all later rows in memory.
    """
    if not address.startswith(ENCODED_ADDRESS):
        return open_checkpoint_reader(Path(address))
    from convexpy.persistence.postgres import DatabaseAddress, PostgresCheckpointReader

    return PostgresCheckpointReader(DatabaseAddress.decode(address), may_advance=may_advance)


def storage_refusal(error: BaseException, where: Path) -> Error | None:
    """Return the error for what the disk, SQLite or the database server says; None if it is not an error of storage."""
    if isinstance(error, StoreUnreachable):
        return StoreRefused(
            str(error), code="DatabaseUnreachable", hint="look at the database server and the network to it"
        )
    return file_refusal(error, where)
