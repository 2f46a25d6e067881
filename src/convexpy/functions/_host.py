"""What the ctx classes need from the engine: the seam between the public surface and the rooms above.

The rooms above implement these protocols (`sandbox`), the facade in this room calls them. All values that
pass are plain Convex values (dict, list, str, int, float, bool, None, bytes, Int64), already normalised by
the facade where app code handed them in, and fresh copies where the engine hands them out.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from convexpy.protocol.system.data import Bound as Bound, Order as Order


class SearchSpec(msgspec.Struct, frozen=True):
    """A full text search: `text` in `field`, with equality filters."""

    field: str
    text: str
    equal: tuple[tuple[str, Any], ...] = ()


class QueryPlan(msgspec.Struct, frozen=True):
    """What a query builder has collected; immutable, so that a builder can be reused and extended.

    `equal` holds (field, value) pairs. With `ordered=False` (the keyword form) they come in any order and
    must form a prefix of the index's fields; with `ordered=True` (the range form) they must come in the
    index's order. A value may be UNSET (the field is missing). `index` is None for a full scan by creation
    time.
    """

    table: str
    index: str | None = None
    equal: tuple[tuple[str, Any], ...] = ()
    ordered: bool = False
    lower: Bound | None = None
    upper: Bound | None = None
    order: Order = "asc"
    filters: tuple[Callable[[Any], object], ...] = ()
    search: SearchSpec | None = None
    system: bool = False


class CallHost(Protocol):
    """What every ctx needs, whatever the function.

    Operations of `request_blocking` and their arguments (all plain values), with their results:

    - `identity {}` → dict or None
    - `call {kind, path, args}` → plain result
    - `schedule {at, path, args}` → id; `at` is milliseconds since the epoch
    - `cancel {id}`
    - `storage_url {id}` → str or None
    - `storage_metadata {id}` → dict or None
    - `storage_upload_url {}` → str
    - `storage_delete {id}`
    - `storage_get {id}` → {path, temporary, contentType, size, sha256} or None; the caller removes a
      `temporary` file
    - `storage_store {spooled, contentType, sha256}` → id; `spooled` is the name of a file in `spool`,
      which is moved away
    - `vector_search {table, index, vector, limit, filter}` → list of {_id, _score}; `filter` is None
      or a list of [field, value], one of which must be true
    """

    @property
    def random(self) -> random.Random: ...
    @property
    def log(self) -> logging.Logger: ...
    @property
    def request_id(self) -> str: ...
    @property
    def function(self) -> str: ...
    def now_ms(self) -> int: ...
    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return (used, limit) for each name of `Limits`."""
        ...

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any: ...


class DatabaseHost(Protocol):
    """The engine under `ctx.db`: documents and queries, inside one transaction."""

    def get(self, id: str, table: str | None, *, system: bool = False) -> dict[str, Any] | None: ...
    def stream(self, plan: QueryPlan, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield fresh documents in order, filters applied, reading lazily; `limit` is a hint and a bound."""
        ...

    def first(self, plan: QueryPlan) -> dict[str, Any] | None:
        """Return what `stream` with `limit=1` would yield, or None."""
        ...

    def count(self, plan: QueryPlan) -> int: ...
    def paginate(self, plan: QueryPlan, opts: Mapping[str, Any]) -> dict[str, Any]:
        """Return page, isDone, continueCursor, splitCursor, pageStatus."""
        ...

    def normalize_id(self, table: str, text: str, *, system: bool = False) -> str | None: ...
    def insert(self, table: str, value: dict[str, Any]) -> str: ...
    def patch(self, id: str, table: str | None, value: dict[str, Any]) -> None:
        """Merge the fields; a value UNSET removes its field."""
        ...

    def replace(self, id: str, table: str | None, value: dict[str, Any]) -> None: ...
    def delete(self, id: str, table: str | None) -> None: ...


class TransactionHost(CallHost, Protocol):
    """The engine under the ctx of a query or a mutation: all is inside one transaction.

    A `call` may have `limits`; there is no `storage_get`, `storage_store` and `vector_search`.
    """

    @property
    def database(self) -> DatabaseHost: ...


class ActionHost(CallHost, Protocol):
    """The engine under the ctx of an action. `request` is `request_blocking`, awaited."""

    @property
    def client_address(self) -> str | None: ...
    @property
    def user_agent(self) -> str | None: ...
    @property
    def spool(self) -> Path:
        """A folder for content on its way to the engine, which may be larger than memory."""
        ...

    async def request(self, operation: str, payload: dict[str, Any]) -> Any: ...
