"""A role that may only read: what the processes that run app code connect as, if one is named."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Identifier

from convexpy.persistence.interface import StoreRefused
from convexpy.persistence.postgres._connection import Link
from convexpy.persistence.postgres._refusals import connect_refusal, refusal
from convexpy.persistence.postgres.address import DatabaseAddress

_HINT = (
    "CONVEXPY_DATABASE_READ_URL names a role of its own in the same database: CREATE ROLE … LOGIN PASSWORD …"
)


def let_read(link: Link, read: DatabaseAddress) -> DatabaseAddress:
    """Let the role of an address read the schema of a link, and what will be made there; return the address, resolved.

    Raises:
        StoreRefused: it cannot connect, may write, or reads another database.
    """
    s = link.address.quoted
    reading = Link(read.with_schema(link.address.schema), "start")
    try:
        connection = reading.open()
    except psycopg.Error as error:
        raise connect_refusal(error, reading.address) from error
    try:
        role = str(reading.run("SELECT current_user::text").fetchall()[0][0])
        ours = str(link.run("SELECT current_user::text").fetchall()[0][0])
        if role != ours:
            _grant(link, role)
        here, there = (_deployment(each, s) for each in (link, reading))
        if here != there:
            raise _refused(reading, "it names another database")
        rights = "INSERT, UPDATE, DELETE, TRUNCATE"
        ((may_write,),) = reading.run(
            "SELECT has_table_privilege(%s, %s) OR has_schema_privilege(%s, 'CREATE')",
            (f"{s}._log", rights, link.address.schema),
        ).fetchall()
        if may_write:
            raise _refused(reading, f"the role {role} may write")
        return reading.address.resolved(connection)
    except psycopg.Error as error:
        raise refusal(error, reading.address) from error
    finally:
        reading.close()


def _grant(link: Link, role: str) -> None:
    schema, name = Identifier(link.address.schema), Identifier(role)
    for text in (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
    ):
        link.open().execute(SQL(text).format(schema=schema, role=name))


def _deployment(link: Link, s: str) -> str:
    return str(link.run(f"SELECT value FROM {s}._meta WHERE name = 'deployment_id'").fetchall()[0][0])


def _refused(reading: Link, what: str) -> StoreRefused:
    return StoreRefused(
        f"{reading.address}, the address for reading: {what}", code="DatabaseRefused", hint=_HINT
    )
