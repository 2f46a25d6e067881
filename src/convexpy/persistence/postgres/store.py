"""Opening a deployment's tables in PostgreSQL, and the reasons to refuse."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from convexpy.errors import Error
from convexpy.persistence import moved
from convexpy.persistence.folder_lock import FolderLock
from convexpy.persistence.interface import Node, StoreFull, StoreRefused
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres._lease import Lease, nodes_of
from convexpy.persistence.postgres._reading_role import let_read
from convexpy.persistence.postgres._refusals import connect_refusal, refusal
from convexpy.persistence.postgres._tables import prepare
from convexpy.persistence.postgres.address import DatabaseAddress
from convexpy.persistence.postgres.checkpoint import PostgresCheckpointWriter
from convexpy.persistence.postgres.log import DURABLE, PostgresLogStore
from convexpy.persistence.postgres.reader import PostgresCheckpointReader

logger: logging.Logger = logging.getLogger("convexpy.storage")

VERSION_MIN = 150000
CLOCK_DIFFERENCE_MAX_S = 60.0


class PostgresStore:
    """A schema that this process owns, from construction until `close`.

    Steps (the order matters): lock of the data folder, which has keys and files; connect; what the server is; tables and
    format; the role of `read`, which other processes read as; lease; log.

    Raises:
        StoreRefused: it cannot be reached or used, or another server uses it.
    """

    def __init__(
        self,
        address: DatabaseAddress,
        folder: Path | None = None,
        *,
        read: DatabaseAddress | None = None,
        lease: Lease | None = None,
    ) -> None:
        with contextlib.ExitStack() as opening:
            self._lock = None if folder is None else FolderLock(folder)
            if self._lock is not None:
                opening.callback(self._lock.release)
            link = Link(address, "start")
            opening.callback(link.close)
            try:
                connection = link.open()
            except psycopg.Error as error:
                raise connect_refusal(error, address) from error
            self._address = address = address.resolved(connection)
            try:
                check_server(link)
                meta = prepare(link)
                self.address: str = (address if read is None else let_read(link, read)).encode()
                if lease is None:
                    lease = Lease(address)
                    lease.take()
                self._lease = lease
            except psycopg.Error as error:
                said = refusal(error, address)
                if isinstance(said, StoreFull):
                    raise StoreRefused(
                        str(said), code="StorageFull", hint="then start again; no data is lost"
                    ) from error
                raise said from error
            opening.callback(self._lease.release)
            self.deployment_id: str = meta["deployment_id"]
            self.log: PostgresLogStore = PostgresLogStore(address)
            opening.callback(self.log.close)
            if folder is not None:
                if self.log.first_seq is None and (folder / "log.db").exists():
                    raise StoreRefused(
                        f"{address} is empty, and {folder} has the data of a deployment in SQLite",
                        code="DatabaseRefused",
                        hint=f"convexpy database copy --from {folder} --to URL; or name another data folder (--data DIR) for "
                        "a new deployment",
                    )
                moved.note(folder, self.deployment_id, str(address))
            link.close()
            logger.info("the data is in %s", address)
            opening.pop_all()

    def writer(self) -> PostgresCheckpointWriter:
        """Open the checkpoint for writing."""
        return PostgresCheckpointWriter(self._address, holder=self._lease.holder)

    def reader(self) -> PostgresCheckpointReader:
        """Open the checkpoint for reading."""
        return PostgresCheckpointReader(self._address)

    def check_in_background(self) -> None:
        """Do nothing: the database checks its own pages."""

    def watch(self, lost: Callable[[BaseException], None]) -> None:
        """Have `lost` called, in another thread, when another server has taken over."""
        self._lease.watch(lost)

    def nodes(self) -> list[Node]:
        """Return the servers that have joined as nodes."""
        return nodes_of(self._address)

    def close(self) -> None:
        """Close the log, then give up the lease; may be called twice."""
        self.log.close()
        self._lease.release()
        if self._lock is not None:
            self._lock.release()


class PostgresTurn:
    """A node's turn, by the lease. `shared` is a text that has to be the same on all nodes, and is kept as a digest.

    Raises:
        StoreRefused: the database cannot be reached or used, or the other nodes share something else.
    """

    def __init__(
        self,
        address: DatabaseAddress,
        folder: Path,
        *,
        read: DatabaseAddress | None = None,
        node: str,
        shared: str,
    ) -> None:
        link = Link(address, "node")
        try:
            address = address.resolved(link.open())
            check_server(link)
            prepare(link)
            digest = hashlib.sha256(b"convexpy nodes" + shared.encode()).hexdigest()
            link.run(
                f"INSERT INTO {address.quoted}._meta VALUES('nodes', %s) ON CONFLICT DO NOTHING", (digest,)
            )
            known = link.run(f"SELECT value FROM {address.quoted}._meta WHERE name = 'nodes'").fetchone()
        except psycopg.Error as error:
            raise connect_refusal(error, address) from error
        finally:
            link.close()
        if known != (digest,):
            raise StoreRefused(
                f"the other nodes of {address} have another name, secret or key of variables",
                code="NodeMismatch",
                hint="start all nodes with the same --name, --secret-file and CONVEXPY_SECRET_KEY",
            )
        self._address, self._folder, self._read = address, folder, read
        self._lease = Lease(address, node=node)

    @property
    def is_held(self) -> bool:
        """See `Turn.is_held`."""
        return self._lease.is_held

    def take(self) -> str | None:
        """See `Turn.take`."""
        return self._lease.try_to_take()

    def reader(self) -> PostgresCheckpointReader:
        """See `Turn.reader`."""
        return PostgresCheckpointReader(self._address)

    def open(self) -> PostgresStore:
        """Open the store that this node owns now."""
        return PostgresStore(self._address, self._folder, read=self._read, lease=self._lease)

    def close(self) -> None:
        """Give up the lease, if it was taken."""
        self._lease.release()


def check_server(link: Link) -> None:
    """Refuse a server that cannot keep the promises; say what is odd about one that can."""
    address = link.address
    began = time.time()
    version, encoding, durable, replica, read_only, fsync, clock = link.run(
        "SELECT current_setting('server_version'), current_setting('server_encoding'), "
        "current_setting('synchronous_commit'), pg_is_in_recovery(), current_setting('transaction_read_only'), "
        "current_setting('fsync'), extract(epoch FROM clock_timestamp())::double precision"
    ).fetchall()[0]
    if link.open().info.server_version < VERSION_MIN:
        raise _refused(
            address, f"the server is PostgreSQL {version}", "convexpy needs PostgreSQL 15 or later"
        )
    if encoding != "UTF8":
        raise _refused(
            address,
            f"the database has the encoding {encoding}",
            "createdb --encoding=UTF8 --template=template0 …",
        )
    if replica or read_only == "on":
        raise _refused(
            address,
            "the server is a replica and cannot be written to"
            if replica
            else "transactions are read-only here",
            "name the primary, or all hosts with ?target_session_attrs=read-write"
            if replica
            else "ALTER ROLE … RESET default_transaction_read_only; or the provider has closed the database for writes",
        )
    if durable not in DURABLE:
        raise _refused(
            address,
            f"synchronous_commit is {durable}: a commit that was answered could be lost",
            "ALTER ROLE … SET synchronous_commit = on",
        )
    if fsync != "on":
        logger.warning("%s: fsync is off: a crash of the machine can destroy the database", address)
    difference = clock - (began + time.time()) / 2
    if abs(difference) > CLOCK_DIFFERENCE_MAX_S:
        logger.warning(
            "%s: its clock is %.0f s %s this machine's: synchronize both (NTP)",
            address,
            abs(difference),
            "ahead of" if difference > 0 else "behind",
        )


def _refused(address: DatabaseAddress, what: str, hint: str) -> Error:
    return StoreRefused(f"{address}: {what}", code="DatabaseRefused", hint=hint)
