"""The ctx classes. Properties are read-only; `MutationCtx` is a `QueryCtx`."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Self, SupportsFloat, TypeAlias, overload

from typing_extensions import ParamSpec, TypeVar

from convexpy.functions._awaited import Requests
from convexpy.functions._database import DatabaseReader, DatabaseWriter
from convexpy.functions._host import ActionHost, TransactionHost
from convexpy.functions._limits import ActionMeta, Meta, TransactionLimits
from convexpy.functions._queries import VectorExpression, VectorFilter, VectorHit
from convexpy.functions._references import (
    ActionReference,
    MutationReference,
    QueryReference,
    Untyped,
    call_of,
)
from convexpy.functions._services import AsyncAuth, AsyncScheduler, Auth, Scheduler
from convexpy.functions._storage import ActionStorage, StorageReader, StorageWriter, SyncActionStorage
from convexpy.protocol.app_description import FunctionKind

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_Vector: TypeAlias = Sequence[SupportsFloat] | Any  # numpy arrays as well
_Filter: TypeAlias = Callable[[VectorFilter], VectorExpression] | None


class _Ctx:
    """What every ctx has. Its parts are made when first asked for, or were put in place by `_replace`."""

    _may_limit = True
    """Whether calls are parts of a transaction, which can have limits of their own."""

    def __init__(self, host: TransactionHost | ActionHost) -> None:
        self._host: Any = host
        self._parts: dict[str, Any] = {}

    def _part(self, name: str, make: Callable[[Any], T], source: Any = None) -> T:
        parts = self._parts
        if name not in parts:
            parts[name] = make(self._host if source is None else source)
        found: T = parts[name]
        return found

    def _replace(self, **fields: Any) -> Self:
        """Return a ctx of the same call with fields replaced or added."""
        changed = copy.copy(self)
        changed._parts = {**self._parts, **fields}
        for name, field in fields.items():
            if not isinstance(getattr(type(self), name, None), property):
                setattr(changed, name, field)
        return changed

    def now(self) -> int:
        """Milliseconds since the epoch; frozen in queries and mutations, the clock in actions."""
        return int(self._host.now_ms())

    @property
    def random(self) -> Random:
        """A generator seeded per call: where a re-run must give the same."""
        return self._part("random", _random_of)

    @property
    def log(self) -> logging.Logger:
        """The logger of the call: its lines reach `convexpy logs`, and the client in development."""
        return self._part("log", _log_of)

    def _call(self, kind: FunctionKind, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = call_of(function, args, kwargs, may_limit=self._may_limit)
        payload: dict[str, Any] = {"kind": kind, "path": call.path, "args": call.args}
        if call.limits is not None:
            payload["limits"] = call.limits
        result = self._host.request_blocking("call", payload)
        return result if call.convert is None else call.convert(result)


class _CallsQueries(_Ctx):
    @overload
    def run_query(self, function: QueryReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run_query(
        self,
        function: QueryReference[..., R],
        args: Mapping[str, Any],
        /,
        *,
        limits: TransactionLimits | None = ...,
    ) -> R: ...
    @overload
    def run_query(
        self, function: Untyped, args: Mapping[str, Any], /, *, limits: TransactionLimits | None = ...
    ) -> Any: ...
    @overload
    def run_query(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_query(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a query and return its result: in the same transaction, in an action in one of its own."""
        return self._call("query", function, args, kwargs)


class _CallsMutations(_Ctx):
    @overload
    def run_mutation(self, function: MutationReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run_mutation(
        self,
        function: MutationReference[..., R],
        args: Mapping[str, Any],
        /,
        *,
        limits: TransactionLimits | None = ...,
    ) -> R: ...
    @overload
    def run_mutation(
        self, function: Untyped, args: Mapping[str, Any], /, *, limits: TransactionLimits | None = ...
    ) -> Any: ...
    @overload
    def run_mutation(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_mutation(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a mutation and return its result.

        In a mutation it is part of the same transaction, and undone alone if it raises and that is caught; in
        an action it is a transaction of its own.
        """
        return self._call("mutation", function, args, kwargs)


class QueryCtx(_CallsQueries):
    """What a query gets."""

    def __init__(self, host: TransactionHost) -> None:
        # Not by way of super(): one is made for every call.
        self._host = host
        self._parts = {}

    @property
    def db(self) -> DatabaseReader:
        """The database."""
        found: DatabaseReader | None = self._parts.get("db")
        return self._part("db", _reader_of) if found is None else found

    @property
    def auth(self) -> Auth:
        """The identity of the caller."""
        return self._part("auth", Auth)

    @property
    def storage(self) -> StorageReader:
        """Files."""
        return self._part("storage", StorageReader)

    @property
    def meta(self) -> Meta:
        """What is known about the call."""
        return self._part("meta", Meta)


class MutationCtx(QueryCtx, _CallsMutations):
    """What a mutation gets."""

    @property
    def db(self) -> DatabaseWriter:
        """The database."""
        found: DatabaseWriter | None = self._parts.get("db")
        return self._part("db", _writer_of) if found is None else found

    @property
    def storage(self) -> StorageWriter:
        """Files."""
        return self._part("storage", StorageWriter)

    @property
    def scheduler(self) -> Scheduler:
        """Functions to be run later."""
        return self._part("scheduler", Scheduler)


class ActionCtx(_Ctx):
    """For `async def` actions and HTTP actions: everything but `now`, `random`, `log`, `meta` is awaited."""

    def __init__(self, host: ActionHost) -> None:
        super().__init__(host)
        self._requests = Requests(host)

    def _unawaited(self) -> list[str]:
        """Return the calls that were made and never awaited: an error when the action ends."""
        return self._requests.unawaited()

    @property
    def auth(self) -> AsyncAuth:
        """The identity of the caller."""
        return self._part("auth", AsyncAuth, self._requests)

    @property
    def storage(self) -> ActionStorage:
        """Files."""
        return self._part("storage", ActionStorage, self._requests)

    @property
    def scheduler(self) -> AsyncScheduler:
        """Functions to be run later."""
        return self._part("scheduler", AsyncScheduler, self._requests)

    @property
    def meta(self) -> ActionMeta:
        """What is known about the call and its client."""
        return self._part("meta", ActionMeta)

    @overload
    async def run_query(self, function: QueryReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    async def run_query(self, function: QueryReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    async def run_query(self, function: Untyped, args: Mapping[str, Any], /) -> Any: ...
    @overload
    async def run_query(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_query(self, function: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Run a query in a transaction of its own and return its result."""
        return self._request_call("query", function, args, kwargs)

    @overload
    async def run_mutation(
        self, function: MutationReference[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    async def run_mutation(self, function: MutationReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    async def run_mutation(self, function: Untyped, args: Mapping[str, Any], /) -> Any: ...
    @overload
    async def run_mutation(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_mutation(self, function: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Run a mutation in a transaction of its own and return its result."""
        return self._request_call("mutation", function, args, kwargs)

    @overload
    async def run_action(
        self, function: ActionReference[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    async def run_action(self, function: ActionReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    async def run_action(self, function: Untyped, args: Mapping[str, Any], /) -> Any: ...
    @overload
    async def run_action(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_action(self, function: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Run another action and return its result."""
        return self._request_call("action", function, args, kwargs)

    def vector_search(
        self,
        table: str,
        index: str,
        /,
        *,
        vector: _Vector,
        limit: int = 10,
        filter: _Filter = None,
    ) -> Coroutine[Any, Any, list[VectorHit[str]]]:
        """Return ids and scores of the nearest documents, the nearest first."""
        payload = _vector_search(table, index, vector, limit, filter)
        return self._requests.ask("vector_search", payload, label=f"vector_search({table!r})")

    def _request_call(
        self, kind: FunctionKind, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        call = call_of(function, args, kwargs)
        payload = {"kind": kind, "path": call.path, "args": call.args}
        return self._requests.ask("call", payload, call.convert, label=f"run_{kind}({call.path})")


class SyncActionCtx(_CallsQueries, _CallsMutations):
    """For plain `def` actions: the same names, blocking."""

    _may_limit = False

    @property
    def auth(self) -> Auth:
        """The identity of the caller."""
        return self._part("auth", Auth)

    @property
    def storage(self) -> SyncActionStorage:
        """Files."""
        return self._part("storage", SyncActionStorage)

    @property
    def scheduler(self) -> Scheduler:
        """Functions to be run later."""
        return self._part("scheduler", Scheduler)

    @property
    def meta(self) -> ActionMeta:
        """What is known about the call and its client."""
        return self._part("meta", ActionMeta)

    @overload
    def run_action(self, function: ActionReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run_action(self, function: ActionReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    def run_action(self, function: Untyped, args: Mapping[str, Any], /) -> Any: ...
    @overload
    def run_action(self, function: Untyped, /, **args: Any) -> Any: ...
    def run_action(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run another action and return its result."""
        return self._call("action", function, args, kwargs)

    def vector_search(
        self,
        table: str,
        index: str,
        /,
        *,
        vector: _Vector,
        limit: int = 10,
        filter: _Filter = None,
    ) -> list[VectorHit[str]]:
        """Return ids and scores of the nearest documents, the nearest first."""
        payload = _vector_search(table, index, vector, limit, filter)
        found: list[VectorHit[str]] = self._host.request_blocking("vector_search", payload)
        return found


def _reader_of(host: TransactionHost) -> DatabaseReader:
    return DatabaseReader(host.database)


def _writer_of(host: TransactionHost) -> DatabaseWriter:
    return DatabaseWriter(host.database)


def _random_of(host: TransactionHost | ActionHost) -> Random:
    return host.random


def _log_of(host: TransactionHost | ActionHost) -> logging.Logger:
    return host.log


def _vector_search(table: str, index: str, vector: Any, limit: int, filter: _Filter) -> dict[str, Any]:
    """Return the request; its `filter` is a list of (field, value), one of which must be true, or None."""
    expression = None if filter is None else filter(VectorFilter())
    return {
        "table": table,
        "index": index,
        "vector": [float(number) for number in vector],
        "limit": limit,
        "filter": None if expression is None else [list(pair) for pair in expression.alternatives],
    }
