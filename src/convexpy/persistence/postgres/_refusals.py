"""What PostgreSQL and libpq say, as errors that say what to do. No message has the address itself."""

from __future__ import annotations

import psycopg

from convexpy.errors import Error
from convexpy.persistence.interface import DataDamaged, StoreFull, StoreRefused
from convexpy.persistence.postgres.address import DatabaseAddress

_LOST = {
    "57P01",  # terminated by an administrator, or the server is shut down
    "57P02",  # another process of the server has crashed
    "57P03",  # the server is starting up or shutting down
    "57P04",
    "57P05",
    "25P03",  # idle in a transaction for too long
}
_REPEATABLE = {"40001", "40P01"}  # serialization failure, deadlock
_FOR_NOW = {
    "25006": "it is read-only now: a replica, or an administrator or provider has closed it for writes",
    "57014": "it has cancelled the statement (statement_timeout, or an administrator)",
    "55P03": "a lock was not free in time",
}
"""Refused and surely not done; it may work later."""


def is_lost(error: psycopg.Error) -> bool:
    """Say whether the connection is gone, so that what was asked may or may not have happened."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError)
    return code in _LOST or code.startswith("08")


def is_repeatable(error: psycopg.Error) -> bool:
    """Say whether the same statement may succeed if it is repeated at once."""
    return error.sqlstate in _REPEATABLE


def full(error: psycopg.Error) -> StoreFull | None:
    """Return the error if a write was refused for now, and is surely not there."""
    code = error.sqlstate or ""
    if code == "53100":
        return StoreFull(f"the disk of the database is full ({_said(error)})")
    if code.startswith("53") or code in _FOR_NOW:
        return StoreFull(f"the database does not write: {_FOR_NOW.get(code, _said(error))}")
    return None


def refusal(error: psycopg.Error, address: DatabaseAddress) -> Exception:
    """Return the error for what a connected database says."""
    code = error.sqlstate or ""
    for_now = full(error)
    if for_now is not None:
        return for_now
    if code.startswith("XX0") or code in ("22021", "22P05"):
        return DataDamaged(f"{address}: {_said(error)}")
    if code == "42501":
        return StoreRefused(
            f"{address}: {_said(error)}",
            code="DatabaseRefused",
            hint=f"the role needs all rights on the schema: GRANT ALL ON SCHEMA {address.quoted} TO …; or make it the "
            f"owner: CREATE SCHEMA {address.quoted} AUTHORIZATION …",
        )
    return StoreRefused(
        f"{address}: {_said(error)}",
        code="DatabaseRefused",
        hint="look at the log of the database server",
    )


def connect_refusal(error: psycopg.Error, address: DatabaseAddress) -> Error:
    """Return the error for a connection that cannot be opened at start."""
    said = _said(error)
    for signs, what, hint in _CONNECTING:
        if any(sign in said for sign in signs):
            return StoreRefused(f"{address}: {what} ({said})", code="DatabaseUnreachable", hint=hint)
    return StoreRefused(
        f"{address}: {said}",
        code="DatabaseUnreachable",
        hint="check the address, and try it with: psql URL",
    )


_CONNECTING: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("password authentication failed", "no password supplied", "authentication failed"),
        "the user or password is wrong",
        "set the password in the URL (CONVEXPY_DATABASE_URL), in PGPASSWORD, or in ~/.pgpass",
    ),
    (
        ("failed to resolve host", "could not translate host name", "Name or service not known"),
        "no host of that name is known",
        "check the host in the address, and DNS on this machine",
    ),
    (
        ("does not exist",),
        "the database or role does not exist",
        "make it: createdb DATABASE, createuser ROLE; or correct the address",
    ),
    (
        ("no encryption",),
        "the server only lets this machine in with TLS, or not at all",
        "sslmode=verify-full in the address, or a line for this host, user and database in pg_hba.conf of the server",
    ),
    (
        ("no pg_hba.conf entry",),
        "the server does not let this machine in",
        "add a line for this host, user and database to pg_hba.conf of the server, and reload it",
    ),
    (
        ("SSL", "certificate"),
        "TLS could not be agreed on",
        "check sslmode, sslrootcert, sslcert and sslkey in the address",
    ),
    (
        ("definition of service", "service file"),
        "the service is not defined",
        "add it to ~/.pg_service.conf, or set PGSERVICEFILE",
    ),
    (
        ("starting up", "shutting down", "recovery mode"),
        "the server is starting up or shutting down",
        "start convexpy again in a moment",
    ),
    (
        ("too many clients", "remaining connection slots", "too many connections"),
        "all connections of the server are taken",
        "raise max_connections, or close other programs; `convexpy docs scaling` says how many convexpy needs",
    ),
    (
        (
            "Connection refused",
            "No such file or directory",
            "timeout expired",
            "No route to host",
            "unreachable",
        ),
        "nothing answers there",
        "start the database server, or correct host and port; look at firewalls between",
    ),
)


def _said(error: psycopg.Error) -> str:
    """Return what the server or libpq says, on one line."""
    return " ".join((error.diag.message_primary or str(error)).split()) or type(error).__name__
