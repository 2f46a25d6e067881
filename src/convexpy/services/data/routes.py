"""The admin API of tables and documents: what `convexpy data` and the prompt of `convexpy shell` ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from convexpy import database
from convexpy.access import Caller
from convexpy.database import Catalog
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.outcome import Outcome, Presenter
from convexpy.errors import RequestError
from convexpy.http.identify import admin_for, caller_of
from convexpy.http.messages import JSON_TYPE, HttpRequest, Response, decode_body, encode_json
from convexpy.http.routing import Routes, method_not_allowed
from convexpy.persistence import CheckpointReader
from convexpy.protocol.admin_api import TableIndex, TableInfo, TableOutline
from convexpy.protocol.system import SystemCall
from convexpy.protocol.system.data import (
    DeleteDocuments,
    GetDocument,
    InsertDocuments,
    PatchDocument,
    ReadPage,
)
from convexpy.protocol.system.shell import Evaluate, EvaluateWrites
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.data.sizes import TableSizes
from convexpy.values import decode_wire, encode_clean

DATA_PATH = "/api/convexpy/data/"
CALLS: dict[str, type[SystemCall[Any]]] = {
    "page": ReadPage,
    "get": GetDocument,
    "insert": InsertDocuments,
    "patch": PatchDocument,
    "delete": DeleteDocuments,
}


_open = Presenter(redact=False)


class _Body(msgspec.Struct):
    args: msgspec.Raw
    decode: bool = False
    writes: bool = False


@dataclass(kw_only=True, eq=False)
class DataRoutes(AdminRoutes):
    """The routes of documents, of the list of tables, and of code that is evaluated."""

    checkpoints: CheckpointService
    reading: Callable[[], AbstractContextManager[CheckpointReader]]
    functions: FunctionRunner

    def __post_init__(self) -> None:
        self._sizes = TableSizes(reading=self.reading, growth=lambda: self.checkpoints.growth)
        self._measuring = asyncio.Lock()

    def routes(self) -> Routes:
        """Return the handlers."""
        return replace(super().routes(), below={DATA_PATH: self.call})

    @route("GET", "/api/convexpy/tables", "data:view")
    async def list_tables(self, request: HttpRequest) -> dict[str, Any]:
        """Describe every table with its indexes and, unless `?sizes=0` is asked for, with its size as of now."""
        catalog = self.checkpoints.catalog
        if request.query("sizes") == "0":
            return {"tables": [TableOutline(**_outline(table)) for table in catalog.user_tables()]}
        await self.checkpoints.catch_up()
        async with self._measuring:
            return {"tables": await asyncio.to_thread(self._measured, self.checkpoints.catalog)}

    def _measured(self, catalog: Catalog) -> list[TableInfo]:
        """Count documents in the files and not in an executor: a large table would use up a function's limits."""
        found: list[TableInfo] = []
        for table in catalog.user_tables():
            documents, size = self._sizes.of(table.tablet)
            found.append(TableInfo(**_outline(table), documents=documents, size_bytes=size))
        return found

    async def call(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/data/{page, get, insert, patch, delete}: `{args, decode}` → `{value}`.

        A refusal has a code and one sentence: these functions are the engine's own.
        """
        if request.method != "POST":
            raise method_not_allowed(request)
        operation = request.path.removeprefix(DATA_PATH)
        call = CALLS.get(operation)
        if call is None or call.operation is None:
            raise RequestError(f"there is no data operation {operation!r}", status=404, code="NotFound")
        caller = await admin_for(self.identities, request, call.operation)
        body: _Body = decode_body(await request.json_body(), _Body)
        outcome = await self._run(call, body, caller)
        failure = outcome.failure
        if failure is not None:
            text = failure.detail.partition("\n    at ")[0].removeprefix("Uncaught ")
            for name in (failure.code, "ArgumentError"):
                text = text.removeprefix(f"{name}: ")
            raise RequestError(text, code=failure.code)
        return Response(200, b'{"value":%s}' % _value(outcome, body), [JSON_TYPE])

    @route("POST", "/api/convexpy/evaluate", "code:run")
    async def evaluate(self, request: HttpRequest) -> Response:
        """Run Python in one transaction; return `{value}` or `{error: {code, message}}`, and `logLines`."""
        caller = await caller_of(self.identities, request)
        body: _Body = decode_body(await request.json_body(), _Body)
        outcome = await self._run(EvaluateWrites if body.writes else Evaluate, body, caller)
        logs = _open.log_lines(outcome.logs)
        failure = outcome.failure
        if failure is None:
            return Response(200, b'{"value":%s,"logLines":%s}' % (_value(outcome, body), logs), [JSON_TYPE])
        text = failure.detail.partition("\n    at ")[0].removeprefix("Uncaught ")
        error = encode_json({"code": failure.code, "message": text.removeprefix(f"{failure.code}: ")})
        return Response(200, b'{"error":%s,"logLines":%s}' % (error, logs), [JSON_TYPE])

    async def _run(self, call: type[SystemCall[Any]], body: _Body, caller: Caller) -> Outcome:
        return await self.functions.run(call.kind, call.path, bytes(body.args), Caller(access=caller.access))


def _outline(table: database.TableInfo) -> dict[str, Any]:
    indexes = tuple(
        TableIndex(name=index.name, fields=index.fields, state=index.state)
        for index in table.indexes
        if index.state != "deleting" and index.name != "by_creation_time"
    )
    return {"name": table.name, "number": table.number, "indexes": indexes}


def _value(outcome: Outcome, body: _Body) -> bytes:
    return encode_clean(decode_wire(outcome.value)) if body.decode else outcome.value
