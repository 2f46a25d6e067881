r"""Our own tables, their format, and the migrations of older formats.

`_log` and `_meta` are what SQLite keeps in `log.db` and `data.db`. `_stored` lists tablets and indexes: unlike the catalog of
PostgreSQL, a reader sees it as of its snapshot. `_lease` says which process owns what, for how long. Per tablet a table
`_t<tablet>`, per index `_i<index>`; per table of the app a view under its name. Names that begin with an underscore are ours.

Documents are `text` and their views `json`: `jsonb` refuses `\u0000` and halves of surrogate pairs, and forgets the order of
fields; `json` takes every document and has the same operators for reading.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from convexpy.errors import InvariantViolation
from convexpy.persistence.interface import StoreRefused
from convexpy.persistence.postgres._connection import Link

FORMAT = 2
"""The newest format that this version reads and writes."""
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: ("ALTER TABLE {s}._lease ADD COLUMN node text NOT NULL DEFAULT ''",),
}
"""By format: the statements that lead to the next one; `{s}` is the schema."""
KEY_BYTES_MAX = 2000
"""A key is cut here, the rest is in a column of its own: PostgreSQL indexes no more than 2,704 bytes."""

_CREATE = (
    "CREATE TABLE {s}._meta(name text PRIMARY KEY, value text NOT NULL)",
    "CREATE TABLE {s}._log(seq bigint PRIMARY KEY, ts bigint NOT NULL, group_id bytea NOT NULL, entry bytea NOT NULL)",
    "ALTER TABLE {s}._log ALTER COLUMN entry SET STORAGE EXTERNAL",
    "CREATE TABLE {s}._replay(session bytea NOT NULL, request bigint NOT NULL, seq bigint, ts bigint, "
    "at_ms bigint NOT NULL, result bytea NOT NULL, PRIMARY KEY(session, request))",
    "CREATE INDEX _replay_by_age ON {s}._replay(at_ms)",
    "CREATE TABLE {s}._stored(kind text NOT NULL, number bigint NOT NULL, dropped_at timestamptz, "
    "PRIMARY KEY(kind, number))",
    "CREATE TABLE {s}._lease(name text PRIMARY KEY, holder text NOT NULL, place text NOT NULL, since timestamptz NOT NULL, "
    "expires_at timestamptz NOT NULL, backend_pid integer, backend_start timestamptz, node text NOT NULL DEFAULT '')",
)
CREATE_TABLET = (
    "CREATE TABLE IF NOT EXISTS {s}._t{n}(n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    '_id text COLLATE "C" NOT NULL UNIQUE, "_creationTime" double precision NOT NULL, document text NOT NULL)'
)
CREATE_INDEX = (
    "CREATE TABLE IF NOT EXISTS {s}._i{n}"
    "(key bytea NOT NULL, n bigint NOT NULL, rest bytea NOT NULL, PRIMARY KEY(key, n))"
)


def split_key(key: bytes) -> tuple[bytes, bytes]:
    """Return the indexed part of a key and the rest: pairs compare as the whole keys do."""
    return key[:KEY_BYTES_MAX], key[KEY_BYTES_MAX:]


FILLING = "filling"
"""In `_meta` while the data of another store is copied into the schema."""


def prepare(link: Link, *, filling: str | None = None) -> dict[str, str]:
    """Make the schema and our tables where they are missing, or move them to the present format; return `_meta`.

    With `filling`, tables that are made now are to be filled with the data of the deployment of that id.

    Raises:
        StoreRefused: the schema is of a newer version, of something else, or filled half.
    """
    schema, s = link.address.schema, link.address.quoted
    with link.open().transaction():
        # Two servers that start at once make the tables once.
        link.run("SELECT pg_advisory_xact_lock(hashtextextended('convexpy ' || %s::text, 0))", (schema,))
        found = {
            str(name)
            for (name,) in link.run(
                "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
                (schema,),
            )
        }
        if not found:
            _create(link, s, filling)
        elif "_meta" not in found or "_log" not in found:
            raise StoreRefused(
                f"{link.address} has tables that are not convexpy's: {', '.join(sorted(found)[:3])}",
                code="DatabaseRefused",
                hint="name a schema of its own: ?schema=NAME in the address, or --database-schema NAME",
            )
        meta = _read_meta(link, s)
        if filling is None and FILLING in meta:
            raise StoreRefused(
                f"{link.address} is not complete: the data of another store is being copied there, or that was broken off",
                code="DatabaseRefused",
                hint="wait for `convexpy database copy`, or start it again: it begins again",
            )
        return _migrated(link, s, meta)


def remove_tables(link: Link) -> None:
    """Remove all tables and views of the schema, one by one: a transaction may not lock so many."""
    rows = link.run(
        "SELECT c.relkind::text, quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'v') ORDER BY c.relkind DESC, c.relname = '_meta'",
        (link.address.schema,),
    ).fetchall()
    for kind, name in rows:
        link.run(f"DROP {'VIEW' if kind == 'v' else 'TABLE'} {link.address.quoted}.{name}")


def _create(link: Link, s: str, filling: str | None) -> None:
    if not link.run("SELECT 1 FROM pg_namespace WHERE nspname = %s", (link.address.schema,)).fetchone():
        link.run(f"CREATE SCHEMA {s}")
    for statement in _CREATE:
        link.run(statement.format(s=s))
    fresh = {
        "format": str(FORMAT),
        "deployment_id": filling or secrets.token_hex(16),
        "checkpoint_seq": "0",
        "max_creation_time": "0.0",
        "stored_version": "0",
        "probe": "",
        **({} if filling is None else {FILLING: ""}),
    }
    for name, value in fresh.items():
        link.run(f"INSERT INTO {s}._meta VALUES(%s, %s)", (name, value))


def _read_meta(link: Link, s: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in link.run(f"SELECT name, value FROM {s}._meta")}


def _migrated(link: Link, s: str, meta: dict[str, str]) -> dict[str, str]:
    stored = int(meta["format"])
    if stored > FORMAT:
        raise StoreRefused(
            f"{link.address} has format {stored}, this version of convexpy knows up to {FORMAT}",
            code="NewerFormat",
            hint="install the version of convexpy that wrote it, or a later one",
        )
    for number in range(stored, FORMAT):
        if number not in MIGRATIONS:
            raise InvariantViolation(f"there is no migration from format {number}")
        for statement in MIGRATIONS[number]:
            link.run(statement.format(s=s))
        link.run(f"UPDATE {s}._meta SET value = %s WHERE name = 'format'", (str(number + 1),))
    return _read_meta(link, s) if stored < FORMAT else meta
