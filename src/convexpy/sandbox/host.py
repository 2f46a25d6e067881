"""The engine under the ctx of queries and mutations: one transaction, seen by app code.

`CallContext` is what the call as a whole shares (identity, clock, logs, the loaded app); `TransactionCallHost` is the
`TransactionHost` that a ctx gets. Nested calls get a host of their own over the same transaction.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.database import InvalidCursor, Transaction
from convexpy.errors import ArgumentError, ConvexError, Error, FunctionError, FunctionNotFound, ReturnsError
from convexpy.functions import FunctionDefinition, MutationCtx, QueryCtx
from convexpy.protocol.app_description import FunctionKind
from convexpy.protocol.frames import SEED_BYTES
from convexpy.protocol.system.scheduling import ScheduleJob
from convexpy.protocol.upload_tokens import upload_url
from convexpy.runtime import secure_random
from convexpy.sandbox import capture, files, guards, jobs, tracebacks
from convexpy.sandbox.loader import LoadedApp
from convexpy.schema import Schema
from convexpy.values import UNSET, encode_wire, normalize

if TYPE_CHECKING:
    from convexpy.protocol.executor_settings import ExecutorSettings

NESTING_MAX = 64


class CallContext(msgspec.Struct):
    """What one call from outside carries through all its nested calls."""

    app: LoadedApp
    settings: ExecutorSettings
    transaction: Transaction
    identity: dict[str, Any] | None
    request_id: str
    seed: bytes
    now_ms: int
    parent_job: str = ""
    depth: int = 0
    set_pending_schema: Callable[[Schema | None], None] = lambda schema: None
    _random: random.Random | None = None

    def random(self) -> random.Random:
        """Return the generator of this call: the same numbers when the same call is run again."""
        if self._random is None:
            self._random = random.Random(self.seed or secure_random.randbytes(SEED_BYTES))
        return self._random


def find_function(app: LoadedApp, kind: FunctionKind, path: str) -> FunctionDefinition:
    """Return the function of this path and kind.

    Raises:
        FunctionNotFound: there is none, or it is of another kind.
    """
    definition = app.functions.get(path)
    if definition is None:
        raise FunctionNotFound(f"Could not find function for '{path}'. Did you forget to run `convexpy dev`?")
    if definition.kind != kind:
        raise FunctionNotFound(
            f"Trying to execute {path} as {kind.capitalize()}, but it is defined as {definition.kind.capitalize()}."
        )
    return definition


class TransactionCallHost:
    """Implements `functions._host.TransactionHost` over a `Transaction`."""

    __slots__ = ("_call", "database", "function")
    log: logging.Logger = capture.app_logger

    def __init__(self, call: CallContext, definition: FunctionDefinition) -> None:
        self._call = call
        self.function: str = definition.path or ""
        # `ctx.db` goes straight to the transaction.
        self.database: Transaction = call.transaction

    @property
    def random(self) -> random.Random:
        """A generator seeded for this call."""
        self._call.transaction.read_set.call = True
        return self._call.random()

    @property
    def request_id(self) -> str:
        """The id of the call from outside."""
        self._call.transaction.read_set.call = True
        return self._call.request_id

    def now_ms(self) -> int:
        """Return the time at which the call began."""
        self._call.transaction.read_set.call = True
        return self._call.now_ms

    def usage(self) -> Mapping[str, tuple[int, int]]:
        """Return `(used, limit)` for each limit."""
        self._call.transaction.read_set.call = True
        return self._call.transaction.usage()

    def request_blocking(self, operation: str, payload: dict[str, Any]) -> Any:
        """Do what a ctx asks for, as part of the transaction."""
        call = self._call
        transaction, settings = call.transaction, call.settings
        match operation:
            case "identity":
                transaction.check_running()
                transaction.read_set.identity = True  # the read set remembers that it was asked for
                return call.identity
            case "call":
                return self._run(**payload)
            case "schedule":
                job = ScheduleJob(payload["at"], payload["path"], payload["args"], call.parent_job)
                return jobs.schedule(transaction, call.app, call.now_ms, job)
            case "cancel":
                jobs.cancel(transaction, payload["id"], call.now_ms)
            case "storage_url":
                return files.file_url(transaction, payload["id"], settings.cloud_url)
            case "storage_metadata":
                return files.file_metadata(transaction, payload["id"])
            case "storage_upload_url":
                transaction.check_running()
                return upload_url(settings.cloud_url, settings.upload_key, settings.name, call.now_ms)
            case "storage_delete":
                files.delete_file(transaction, payload["id"], call.now_ms)
            case _:
                raise Error(f"{operation} is not an operation of a transaction")
        return None

    def _run(
        self, kind: FunctionKind, path: str, args: dict[str, Any], limits: Mapping[str, int] | None = None
    ) -> Any:
        """Run a nested query or mutation in a sub-transaction of its own."""
        call = self._call
        if call.depth >= NESTING_MAX:
            raise Error(f"functions are nested more than {NESTING_MAX} deep", code="NestingTooDeep")
        definition = find_function(call.app, kind, path)
        transaction = call.transaction
        transaction.push(limits)
        call.depth += 1
        merged = False
        try:
            result = run_function(call, definition, args)
            transaction.merge()
            merged = True
            return result
        except (ConvexError, Error):
            raise
        except Exception as error:
            marker = call.app.marker
            raise FunctionError(
                tracebacks.describe_error(error),
                function=path,
                request_id=call.request_id,
                traceback=tracebacks.full_traceback(error, marker),
            ) from error
        finally:
            call.depth -= 1
            if not merged:
                transaction.drop()


def run_function(call: CallContext, definition: FunctionDefinition, args: dict[str, Any]) -> Any:
    """Run a query or mutation with its arguments checked; return its plain, checked result."""
    transaction = call.transaction
    outer, transaction.function = transaction.function, definition.path or ""
    host = TransactionCallHost(call, definition)
    if definition.kind == "query":
        ctx, token = QueryCtx(host), guards.enter("query")
    else:
        ctx, token = MutationCtx(host), guards.enter("mutation")
    try:
        return definition.invoke(ctx, args, transaction.table_number)
    finally:
        transaction.function = outer
        guards.leave(token)


def error_detail(error: BaseException, marker: str) -> str:
    """Return what a development client reads after the first line of a failure."""
    if isinstance(error, ArgumentError | ReturnsError) and error.code.endswith("ValidationError"):
        head = f"{error.code}: {error.message}"
    elif isinstance(error, FunctionNotFound):
        head = error.message
    elif isinstance(error, InvalidCursor):
        head = f"Uncaught {error}"  # its data is for clients, which look for this text, too
    elif isinstance(error, ConvexError):
        data = error.data if error.data is not UNSET else None
        text = data if isinstance(data, str) else encode_wire(normalize(data)).decode()
        head = f"Uncaught {type(error).__name__}: {text}"
    else:
        head = f"Uncaught {tracebacks.describe_error(error)}"
    head = tracebacks.clipped(head)
    frames = tracebacks.client_frames(error, marker)
    return f"{head}\n{frames}" if frames else head
