"""The admin API of tables and documents: what `convexpy data` and the prompt of `convexpy shell` ask for."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.auth import Caller
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.identities import Identities
from convexpy.engine.outcome import Outcome, Presenter
from convexpy.errors import RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import JSON_TYPE, HttpRequest, Response, decode_body, encode_json, json_response
from convexpy.http.routing import Routes, method_not_allowed
from convexpy.protocol.system import SystemCall
from convexpy.protocol.system.data import (
    DeleteDocuments,
    GetDocument,
    InsertDocuments,
    PatchDocument,
    ReadPage,
)
from convexpy.protocol.system.shell import Evaluate, EvaluateWrites
from convexpy.services.data.tables import Tables
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


class DataRoutes:
    """The routes of documents, of the list of tables, and of code that is evaluated."""

    def __init__(self, *, tables: Tables, functions: FunctionRunner, identities: Identities) -> None:
        self._tables = tables
        self._functions = functions
        self._identities = identities

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("GET", "/api/convexpy/tables"): self.tables,
                ("POST", "/api/convexpy/evaluate"): self.evaluate,
            },
            below={DATA_PATH: self.call},
        )

    async def tables(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/tables: every table with its size and its indexes."""
        await admin_for(self._identities, request, "data:view")
        return json_response({"tables": await self._tables.described()})

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
        caller = await admin_for(self._identities, request, call.operation)
        body: _Body = decode_body(await request.json_body(), _Body)
        outcome = await self._run(call, body, caller)
        failure = outcome.failure
        if failure is not None:
            text = failure.detail.partition("\n    at ")[0].removeprefix("Uncaught ")
            for name in (failure.code, "ArgumentError"):
                text = text.removeprefix(f"{name}: ")
            raise RequestError(text, code=failure.code)
        return Response(200, b'{"value":%s}' % _value(outcome, body), [JSON_TYPE])

    async def evaluate(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/evaluate: Python in one transaction → `{value}` or `{error: {code, message}}`, and `logLines`."""
        caller = await admin_for(self._identities, request, "code:run")
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
        return await self._functions.run(call.kind, call.path, bytes(body.args), Caller(access=caller.access))


def _value(outcome: Outcome, body: _Body) -> bytes:
    return encode_clean(decode_wire(outcome.value)) if body.decode else outcome.value
