"""Where a deployment's tables are: a libpq connection URL, and the name of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from convexpy.persistence.interface import ENCODED_ADDRESS, StoreRefused

SCHEMA = "convexpy"
"""The schema if none is named."""
SCHEMES = ("postgresql://", "postgres://")
IDENTIFIER_BYTES_MAX = 63
# What libpq is told if the URL does not say: a server that is gone is noticed within seconds.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
# What libpq has found by itself is passed on as it is, so that another process finds the same, whatever its environment.
_NOT_PASSED_ON = frozenset({"service", "servicefile", "client_encoding", "fallback_application_name"})


class _Encoded(msgspec.Struct):
    parameters: dict[str, str]
    schema: str


@dataclass(frozen=True)
class DatabaseAddress:
    """What libpq needs to connect, passwords included: never part of a message; `str` names only the place."""

    parameters: Mapping[str, str] = field(repr=False)
    schema: str = SCHEMA

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        """Read a URL as libpq does; `?schema=NAME` is ours.

        Raises:
            StoreRefused: it is not one. The message does not repeat it: it may have a password.
        """
        if not url.startswith(SCHEMES):
            raise StoreRefused(
                "the address of the database is not a URL of PostgreSQL",
                code="DatabaseAddressInvalid",
                hint="postgresql://USER@HOST:5432/DATABASE, or postgresql:///?service=NAME for a libpq service",
            )
        place, _, query = url.partition("?")
        pairs = [pair for pair in query.split("&") if pair]
        named = [unquote(pair.partition("=")[2]) for pair in pairs if pair.startswith("schema=")]
        rest = "&".join(pair for pair in pairs if not pair.startswith("schema="))
        try:
            parameters = conninfo_to_dict(f"{place}?{rest}" if rest else place)
        except psycopg.Error as error:
            raise StoreRefused(
                "the address of the database cannot be read by libpq",
                code="DatabaseAddressInvalid",
                hint="postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full; characters such as @ : / in a "
                "password are written as %40 %3A %2F",
            ) from error
        texts = {name: str(value) for name, value in parameters.items() if value is not None}
        return cls(texts).with_schema(named[-1] if named else SCHEMA)

    def with_schema(self, schema: str) -> DatabaseAddress:
        """Return the address of another schema in the same database.

        Raises:
            StoreRefused: PostgreSQL cannot have a schema of that name.
        """
        length = len(schema.encode())
        if not 0 < length <= IDENTIFIER_BYTES_MAX or not schema.isprintable() or schema.startswith("pg_"):
            raise StoreRefused(
                f"{schema!r} is not a valid name of a schema",
                code="DatabaseAddressInvalid",
                hint=f"1 to {IDENTIFIER_BYTES_MAX} bytes, not beginning with pg_",
            )
        return replace(self, schema=schema)

    @classmethod
    def decode(cls, text: str) -> DatabaseAddress:
        """Return what `encode` has written."""
        encoded = msgspec.json.decode(text.removeprefix(ENCODED_ADDRESS), type=_Encoded)
        return cls(encoded.parameters, encoded.schema)

    def encode(self) -> str:
        """Return all of it as text, for another process of this deployment."""
        return ENCODED_ADDRESS + msgspec.json.encode(_Encoded(dict(self.parameters), self.schema)).decode()

    def connect(self, purpose: str) -> psycopg.Connection[Any]:
        """Open a connection without a transaction."""
        parameters: dict[str, Any] = {**_DEFAULTS, **self.parameters, "client_encoding": "UTF8"}
        parameters.setdefault("application_name", f"convexpy {purpose}")
        return psycopg.connect(**parameters, autocommit=True)

    def resolved(self, connection: psycopg.Connection[Any]) -> DatabaseAddress:
        """Return the address with all that libpq has taken from the environment, service and password files."""
        found = {
            option.keyword.decode(): option.val.decode()
            for option in connection.pgconn.info
            if option.val is not None
        }
        found = {name: value for name, value in found.items() if value and name not in _NOT_PASSED_ON}
        if connection.info.password:
            found["password"] = connection.info.password
        if "application_name" not in self.parameters:
            found.pop("application_name", None)
        return replace(self, parameters=found)

    @property
    def quoted(self) -> str:
        """The schema's name as SQL."""
        return '"' + self.schema.replace('"', '""') + '"'

    def __str__(self) -> str:
        """Return where it is, for people: no user, no password."""
        host = self.parameters.get("host") or self.parameters.get("hostaddr")
        if host is None and "service" in self.parameters:
            return f"service {self.parameters['service']}, schema {self.schema}"
        port = self.parameters.get("port", "5432")
        database = self.parameters.get("dbname") or self.parameters.get("user") or "the default database"
        return f"PostgreSQL at {host or 'the local socket'}, port {port}, database {database}, schema {self.schema}"
