"""The admin API of tables and documents: what `convexpy data` and the prompt of `convexpy shell` ask for."""

from __future__ import annotations

import msgspec

from convexpy.auth import Caller, is_system_write
from convexpy.deployment import Deployment
from convexpy.errors import RequestError
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, decode_body, json_response
from convexpy.values import decode_wire, encode_clean

DATA_PATH = "/api/convexpy/data/"


class _Body(msgspec.Struct):
    args: msgspec.Raw
    decode: bool = False


class DataApi:
    """The routes under `/api/convexpy/data/`, and the list of tables."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def tables(self, request: HttpRequest) -> Response:
        """GET /api/convexpy/tables: every table with its size and its indexes."""
        await admin_for(self._deployment.identities, request, "data:view")
        return json_response({"tables": await self._deployment.tables.described()})

    async def call(self, operation: str, request: HttpRequest) -> Response:
        """POST /api/convexpy/data/{page, get, insert, patch, delete}: `{args, decode}` → `{value}`.

        A refusal has a code and one sentence: these functions are the engine's own.
        """
        path = f"_system/data:{operation}"
        writes = is_system_write(path)
        caller = await admin_for(
            self._deployment.identities, request, "data:write" if writes else "data:view"
        )
        body: _Body = decode_body(await request.json_body(), _Body)
        outcome = await self._deployment.functions.run(
            "mutation" if writes else "query", path, bytes(body.args), Caller(access=caller.access)
        )
        failure = outcome.failure
        if failure is not None:
            text = failure.detail.partition("\n    at ")[0].removeprefix("Uncaught ")
            for name in (failure.code, "ArgumentError"):
                text = text.removeprefix(f"{name}: ")
            raise RequestError(text, code=failure.code)
        value = encode_clean(decode_wire(outcome.value)) if body.decode else outcome.value
        return Response(200, b'{"value":%s}' % value, [(b"content-type", b"application/json")])
