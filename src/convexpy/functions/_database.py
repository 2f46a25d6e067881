"""`ctx.db`: reader and writer. Generated code narrows these classes to the app's tables and indexes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NotRequired, overload

from typing_extensions import TypedDict

from convexpy.errors import ArgumentError
from convexpy.functions._host import DatabaseHost, QueryPlan
from convexpy.functions._queries import TableQuery
from convexpy.values import (
    Document,
    ObjectValue,
    ScheduledFunctionId,
    StorageId,
    normalize,
    normalize_patch,
)


class StorageDoc(TypedDict):
    """A document of `_storage`."""

    _id: StorageId
    _creationTime: float
    sha256: str
    size: int
    contentType: NotRequired[str]


class ScheduledFunctionState(TypedDict):
    """How far a scheduled function is."""

    kind: Literal["pending", "inProgress", "success", "failed", "canceled"]
    error: NotRequired[str]


class ScheduledFunctionDoc(TypedDict):
    """A document of `_scheduled_functions`."""

    _id: ScheduledFunctionId
    _creationTime: float
    name: str
    args: list[Any]
    scheduledTime: float
    completedTime: NotRequired[float]
    state: ScheduledFunctionState


def _id_and_table(method: str, args: tuple[Any, ...]) -> tuple[str, str | None]:
    """Return id and table of `(id)` or `(table, id)`."""
    if len(args) == 1 and type(args[0]) is str:
        return args[0], None
    if len(args) not in (1, 2):
        raise TypeError(f"{method} takes an id, or a table and an id; {len(args)} arguments were given")
    table = args[0] if len(args) == 2 else None
    for what, text in (("the id", args[-1]), ("the table", table)):
        if not isinstance(text, str) and not (text is None and what == "the table"):
            raise ArgumentError(f"{what} given to {method} must be a string, not {text!r}")
    return args[-1], table


class SystemReader:
    """`ctx.db.system`: the system tables, read-only."""

    __slots__ = ("_host",)

    def __init__(self, host: DatabaseHost) -> None:
        self._host = host

    @overload
    def get(self, id: StorageId, /) -> StorageDoc | None: ...
    @overload
    def get(self, id: ScheduledFunctionId, /) -> ScheduledFunctionDoc | None: ...
    @overload
    def get(self, table: Literal["_storage"], id: str, /) -> StorageDoc | None: ...
    @overload
    def get(self, table: Literal["_scheduled_functions"], id: str, /) -> ScheduledFunctionDoc | None: ...
    def get(self, *args: Any) -> Any:
        """Return the document, or None if there is none (any more)."""
        id, table = _id_and_table("db.system.get", args)
        return self._host.get(id, table, system=True)

    @overload
    def query(self, table: Literal["_storage"], /) -> TableQuery[StorageDoc]: ...
    @overload
    def query(self, table: Literal["_scheduled_functions"], /) -> TableQuery[ScheduledFunctionDoc]: ...
    def query(self, table: str, /) -> TableQuery[Any]:
        """Begin a query of a system table."""
        return TableQuery(self._host, QueryPlan(table, system=True))

    @overload
    def normalize_id(self, table: Literal["_storage"], text: str, /) -> StorageId | None: ...
    @overload
    def normalize_id(
        self, table: Literal["_scheduled_functions"], text: str, /
    ) -> ScheduledFunctionId | None: ...
    def normalize_id(self, table: str, text: str, /) -> Any:
        """Return the text if it is an id of the table, else None."""
        return self._host.normalize_id(table, text, system=True)


class DatabaseReader:
    """`ctx.db` in queries."""

    __slots__ = ("_host",)

    def __init__(self, host: DatabaseHost) -> None:
        self._host = host

    @property
    def system(self) -> SystemReader:
        """The system tables."""
        return SystemReader(self._host)

    @overload
    def get(self, id: str, /) -> Document | None: ...
    @overload
    def get(self, table: str, id: str, /) -> Document | None: ...
    def get(self, *args: Any) -> Any:
        """Return a fresh copy of the document, or None if there is none; with a table, its id is checked."""
        id, table = _id_and_table("db.get", args)
        return self._host.get(id, table)

    def get_many(self, ids: Iterable[str], /) -> list[Document | None]:
        """In the order of the ids, None for those that are gone."""
        if isinstance(ids, str):
            raise ArgumentError("db.get_many takes a list of ids, not one id")
        return [self.get(id) for id in ids]

    def query(self, table: str, /) -> TableQuery[Document]:
        """Begin a query of a table; nothing is read yet."""
        if type(table) is not str:
            raise ArgumentError(f"db.query takes the name of a table, not {table!r}")
        return TableQuery(self._host, QueryPlan(table))

    def normalize_id(self, table: str, text: str, /) -> str | None:
        """Return the text if it is an id of the table, else None."""
        return self._host.normalize_id(table, text)


class DatabaseWriter(DatabaseReader):
    """`ctx.db` in mutations."""

    __slots__ = ()

    def insert(self, table: str, value: ObjectValue, /) -> str:
        """Store a new document and return its id."""
        return self._host.insert(table, _object(value, f"db.insert({table!r})"))

    @overload
    def patch(self, id: str, value: ObjectValue, /) -> None: ...
    @overload
    def patch(self, table: str, id: str, value: ObjectValue, /) -> None: ...
    def patch(self, *args: Any) -> None:
        """Change some fields; UNSET removes one."""
        if len(args) == 2 and type(args[0]) is str:
            self._host.patch(args[0], None, normalize_patch(args[1]))
            return
        id, table = _id_and_table("db.patch", args[:-1])
        self._host.patch(id, table, normalize_patch(args[-1]))

    @overload
    def replace(self, id: str, value: ObjectValue, /) -> None: ...
    @overload
    def replace(self, table: str, id: str, value: ObjectValue, /) -> None: ...
    def replace(self, *args: Any) -> None:
        """Put another value in place of all fields; system fields, if given, must be the document's."""
        id, table = _id_and_table("db.replace", args[:-1])
        self._host.replace(id, table, _object(args[-1], "db.replace"))

    @overload
    def delete(self, id: str, /) -> None: ...
    @overload
    def delete(self, table: str, id: str, /) -> None: ...
    def delete(self, *args: Any) -> None:
        """Delete the document."""
        id, table = _id_and_table("db.delete", args)
        self._host.delete(id, table)


def _object(value: Any, method: str) -> dict[str, Any]:
    plain = normalize(value)
    if type(plain) is not dict:
        raise ArgumentError(f"{method} takes an object, not {type(value).__name__}")
    return plain
