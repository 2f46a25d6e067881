"""Filling a schema with the data of another store; `_meta` says that it is unfinished, and no server opens it."""

from __future__ import annotations

import psycopg

from convexpy.persistence.interface import StoreRefused
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres._refusals import connect_refusal, refusal
from convexpy.persistence.postgres._tables import FILLING, prepare, remove_tables
from convexpy.persistence.postgres.address import DatabaseAddress
from convexpy.persistence.postgres.checkpoint import PostgresCheckpointWriter
from convexpy.persistence.postgres.log import PostgresLogStore
from convexpy.persistence.postgres.reader import PostgresCheckpointReader
from convexpy.persistence.postgres.store import check_server


class PostgresTarget:
    """Fills a schema that has no data; what an attempt that was broken off has left there is removed.

    Raises:
        StoreRefused: the database cannot be reached or used, or the schema has data.
    """

    def __init__(self, address: DatabaseAddress, deployment_id: str) -> None:
        self.place: str = str(address)
        self._address = address
        self._link = link = Link(address, "copy")
        try:
            link.open()
        except psycopg.Error as error:
            raise connect_refusal(error, address) from error
        try:
            check_server(link)
            self._make_empty(deployment_id)
            self.log: PostgresLogStore = PostgresLogStore(address)
        except psycopg.Error as error:
            link.close()
            raise refusal(error, address) from error
        except BaseException:
            link.close()
            raise

    def _make_empty(self, deployment_id: str) -> None:
        meta = prepare(self._link, filling=deployment_id)
        if FILLING not in meta:
            s = self._address.quoted
            rows = self._link.run(
                f"SELECT (SELECT count(*) FROM {s}._log) + (SELECT count(*) FROM {s}._lease)"
            )
            if rows.fetchall()[0][0]:
                raise StoreRefused(
                    f"{self.place} has the data of a deployment already",
                    code="DatabaseRefused",
                    hint=f"name another schema (?schema=NAME), or remove that one: DROP SCHEMA {s} CASCADE",
                )
        # Begin again, whatever an earlier attempt has left.
        remove_tables(self._link)
        prepare(self._link, filling=deployment_id)

    def writer(self) -> PostgresCheckpointWriter:
        """Open the checkpoint for writing."""
        return PostgresCheckpointWriter(self._address, holder="")

    def reader(self) -> PostgresCheckpointReader:
        """Open the checkpoint for reading."""
        return PostgresCheckpointReader(self._address)

    def finish(self) -> None:
        """Let servers open it, and let PostgreSQL know what the tables are like."""
        s = self._address.quoted
        for (name,) in self._link.run(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = %s", (self._address.schema,)
        ).fetchall():
            self._link.run(f"ANALYZE {s}.{name}")
        self._link.run(f"DELETE FROM {s}._meta WHERE name = %s", (FILLING,))

    def close(self) -> None:
        """Close the connections."""
        self.log.close()
        self._link.close()
